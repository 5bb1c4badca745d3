//! Opens a client's first QUIC packets: their keys follow from what stands in them (RFC 9001, RFC 9369).

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use aes_gcm::aead::{AeadInPlace, Nonce};
use aes_gcm::{Aes128Gcm, Tag};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::protocol::reader::Reader;
use crate::protocol::tls::label_info;
use crate::protocol::tls::vectors::Vectors;

/// What distinguishes a version's first packets.
pub struct Version {
    pub number: u32,
    salt: &'static [u8; 20],
    labels: [&'static str; 3],
    /// The packet type, as the header's two bits say it.
    initial: u8,
    /// The hello inside is Google's, not that of TLS.
    pub google: bool,
}

const LABELS: [&str; 3] = ["quic key", "quic iv", "quic hp"];
const DRAFT_22: &[u8; 20] = b"\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x2a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x41\x90";
const DRAFT_23: &[u8; 20] = b"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02";
const DRAFT_29: &[u8; 20] = b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99";
const V1: &[u8; 20] = b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
const V2: &[u8; 20] = b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
const Q050: &[u8; 20] = b"\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45";
const T050: &[u8; 20] = b"\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10";
const T051: &[u8; 20] = b"\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d";

/// The version of that number, if we can open its first packets.
pub fn version(number: u32) -> Option<Version> {
    let salt = match number {
        1 | 0xff00_0021 | 0xff00_0022 => V1,
        0x6b33_43cf => V2,
        0xff00_001d..=0xff00_0020 => DRAFT_29,
        0xff00_0017..=0xff00_001c | 0xface_b002 => DRAFT_23,
        0xff00_0016 | 0xface_b001 => DRAFT_22,
        0x5130_3530 => Q050,
        0x5430_3530 => T050,
        0x5430_3531 => T051,
        _ => return None,
    };
    let second = number == 0x6b33_43cf;
    let labels = if second { ["quicv2 key", "quicv2 iv", "quicv2 hp"] } else { LABELS };
    Some(Version { number, salt, labels, initial: u8::from(second), google: number == 0x5130_3530 })
}

/// A packet with a long header.
pub struct Packet<'a> {
    pub version: u32,
    pub destination: &'a [u8],
    pub initial: bool,
    /// From the first byte to the packet's end.
    bytes: &'a [u8],
    /// Where the packet number begins.
    number_at: usize,
}

fn variable(reader: &mut Reader<'_>) -> Option<u64> {
    let first = *reader.rest().first()?;
    let length = 1 << (first >> 6);
    let value = reader.number(length)?;
    Some(value & (u64::MAX >> (66 - 8 * length as u32)))
}

impl<'a> Packet<'a> {
    /// The packet at the beginning of `data`, and what follows it.
    pub fn split(data: &'a [u8]) -> Option<(Packet<'a>, &'a [u8])> {
        let mut reader = Reader::new(data);
        let first = reader.u8()?;
        let version = reader.u32()?;
        if first & 0xc0 != 0xc0 {
            return None;
        }
        let known = self::version(version)?;
        let destination = reader.vector(1).filter(|id| id.len() <= 20)?;
        reader.vector(1)?;
        let initial = (first >> 4) & 3 == known.initial;
        if initial {
            let token = usize::try_from(variable(&mut reader)?).ok()?;
            reader.skip(token)?;
        }
        let length = usize::try_from(variable(&mut reader)?).ok()?;
        let number_at = reader.position();
        reader.skip(length)?;
        let bytes = data.get(..reader.position())?;
        Some((Packet { version, destination, initial, bytes, number_at }, reader.rest()))
    }
}

/// A client's keys for its first packets.
pub struct Keys {
    key: [u8; 16],
    iv: [u8; 12],
    header: [u8; 16],
}

fn expand(secret: &Hkdf<Sha256>, label: &str, out: &mut [u8]) -> Option<()> {
    secret.expand(&label_info(label, out.len()), out).ok()
}

impl Keys {
    /// The keys that follow from the connection id that the client chose for the server.
    pub fn of_client(version: &Version, connection: &[u8]) -> Option<Keys> {
        let mut secret = [0; 32];
        expand(&Hkdf::<Sha256>::new(Some(version.salt), connection), "client in", &mut secret)?;
        let secret = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        let mut keys = Keys { key: [0; 16], iv: [0; 12], header: [0; 16] };
        expand(&secret, version.labels[0], &mut keys.key)?;
        expand(&secret, version.labels[1], &mut keys.iv)?;
        expand(&secret, version.labels[2], &mut keys.header)?;
        Some(keys)
    }

    /// The frames of `packet`; none if it was not made with these keys.
    pub fn open(&self, packet: &Packet<'_>) -> Option<Vec<u8>> {
        let mut header = packet.bytes.get(..packet.number_at + 4)?.to_vec();
        let mut mask = aes::Block::clone_from_slice(packet.bytes.get(packet.number_at + 4..packet.number_at + 20)?);
        Aes128::new(&self.header.into()).encrypt_block(&mut mask);
        let (first, rest) = header.split_first_mut()?;
        *first ^= mask[0] & 0x0f;
        let length = usize::from(*first & 3) + 1;
        let number_at = packet.number_at - 1;
        let mut nonce = self.iv;
        for i in 0..length {
            let byte = rest.get_mut(number_at + i)?;
            *byte ^= mask[i + 1];
            nonce[12 - length + i] ^= *byte;
        }
        header.truncate(packet.number_at + length);
        let sealed = packet.bytes.get(header.len()..)?;
        let (text, tag) = sealed.split_at_checked(sealed.len().checked_sub(16)?)?;
        let mut text = text.to_vec();
        let cipher = Aes128Gcm::new(&self.key.into());
        let nonce = Nonce::<Aes128Gcm>::from(nonce);
        cipher.decrypt_in_place_detached(&nonce, &header, &mut text, Tag::from_slice(tag)).ok()?;
        Some(text)
    }
}

/// Calls `on` with the offset and data of each piece of the handshake in the frames of a first packet.
pub fn crypto(frames: &[u8], mut on: impl FnMut(usize, &[u8])) -> Option<()> {
    let mut reader = Reader::new(frames);
    while let Some(kind) = reader.u8() {
        match kind {
            0 | 1 => {}
            2 | 3 => acknowledgement(&mut reader, kind == 3)?,
            6 => {
                let offset = usize::try_from(variable(&mut reader)?).ok()?;
                let length = usize::try_from(variable(&mut reader)?).ok()?;
                on(offset, reader.take(length)?);
            }
            _ => return None,
        }
    }
    Some(())
}

fn acknowledgement(reader: &mut Reader<'_>, with_ecn: bool) -> Option<()> {
    variable(reader)?;
    variable(reader)?;
    let ranges = variable(reader)?;
    variable(reader)?;
    for _ in 0..ranges {
        variable(reader)?;
        variable(reader)?;
    }
    for _ in 0..if with_ecn { 3 } else { 0 } {
        variable(reader)?;
    }
    Some(())
}

#[cfg(test)]
impl Keys {
    /// Key, nonce and header key, to compare with the standards' examples.
    pub fn as_hex(&self) -> [String; 3] {
        use crate::protocol::reader::hex;
        [hex(&self.key), hex(&self.iv), hex(&self.header)]
    }

    /// A client's first packet, as a client makes it.
    pub fn seal(&self, version: u32, connection: &[u8], number: u16, frames: &[u8]) -> Vec<u8> {
        let first = 0xc1 | (self::version(version).unwrap().initial << 4);
        let mut packet =
            [&[first][..], &version.to_be_bytes(), &[connection.len() as u8], connection, &[0, 0]].concat();
        packet.extend(((frames.len() + 2 + 16) as u16 | 0x4000).to_be_bytes());
        let number_at = packet.len();
        packet.extend(number.to_be_bytes());
        let mut nonce = self.iv;
        (0..2).for_each(|i| nonce[10 + i] ^= number.to_be_bytes()[i]);
        let mut text = frames.to_vec();
        let cipher = Aes128Gcm::new(&self.key.into());
        let nonce = Nonce::<Aes128Gcm>::from(nonce);
        let tag = cipher.encrypt_in_place_detached(&nonce, &packet, &mut text).unwrap();
        packet.extend(text);
        packet.extend(tag);
        let mut mask = aes::Block::clone_from_slice(&packet[number_at + 4..number_at + 20]);
        Aes128::new(&self.header.into()).encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        (0..2).for_each(|i| packet[number_at + i] ^= mask[i + 1]);
        packet
    }
}
