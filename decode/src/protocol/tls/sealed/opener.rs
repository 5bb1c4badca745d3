//! Records under known keys, opened: AEAD of TLS 1.2 and 1.3, and CBC with its MAC within or behind.

use aes::{Aes128, Aes256};
use aes_gcm::aead::AeadInPlace;
use aes_gcm::aead::consts::{U0, U12, U16};
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockCipher, BlockDecrypt, BlockDecryptMut, KeyIvInit};
use chacha20poly1305::ChaCha20Poly1305;

use super::derive::Hash;
use super::suite::Bulk;
use crate::protocol::tls::record::{APPLICATION, Record};

const TAG: usize = 16;
const BLOCK: usize = 16;
/// Bytes of a nonce that AES-GCM's records of TLS 1.2 bring along.
const EXPLICIT: usize = 8;

type Aead = Box<dyn AeadInPlace<NonceSize = U12, TagSize = U16, CiphertextOverhead = U0> + Send>;

enum Cipher {
    /// The whole nonce, of which the record's number is a part (RFC 7905, and TLS 1.3).
    Counted(Aead, [u8; 12]),
    /// The first bytes of the nonce, whose others stand in the record (RFC 5288).
    Explicit(Aead, [u8; 4]),
    Cbc(Box<Cbc>),
}

/// Opens one direction's records, in their order.
pub struct Opener {
    cipher: Cipher,
    sequence: u64,
    /// TLS 1.3: the true kind stands behind the text.
    inner_kind: bool,
}

impl Opener {
    pub fn aead(bulk: Bulk, key: &[u8], iv: &[u8], inner_kind: bool) -> Option<Opener> {
        let aead: Aead = match bulk {
            Bulk::Aes128Gcm => Box::new(Aes128Gcm::new_from_slice(key).ok()?),
            Bulk::Aes256Gcm => Box::new(Aes256Gcm::new_from_slice(key).ok()?),
            Bulk::ChaCha20Poly1305 => Box::new(ChaCha20Poly1305::new_from_slice(key).ok()?),
            Bulk::Cbc(..) => return None,
        };
        let cipher = match iv.try_into() {
            Ok(salt) => Cipher::Explicit(aead, salt),
            Err(_) => Cipher::Counted(aead, iv.try_into().ok()?),
        };
        Some(Opener { cipher, sequence: 0, inner_kind })
    }

    pub fn cbc(cbc: Cbc) -> Opener {
        Opener { cipher: Cipher::Cbc(Box::new(cbc)), sequence: 0, inner_kind: false }
    }

    /// Kind and text of the next record; None, and the same place, if it was not made with these keys.
    pub fn open(&mut self, record: &Record<'_>) -> Option<(u8, Vec<u8>)> {
        let number = self.sequence.to_be_bytes();
        let mut text = match &self.cipher {
            Cipher::Counted(aead, iv) => {
                let mut nonce = *iv;
                nonce.iter_mut().skip(4).zip(number).for_each(|(byte, counted)| *byte ^= counted);
                if self.inner_kind {
                    opened(aead, nonce, &record.head, record.body)?
                } else {
                    opened(
                        aead,
                        nonce,
                        &counted_head(number, record, record.body.len().checked_sub(TAG)?),
                        record.body,
                    )?
                }
            }
            Cipher::Explicit(aead, salt) => {
                let (explicit, body) = record.body.split_first_chunk::<EXPLICIT>()?;
                let mut nonce = [0; 12];
                nonce[..4].copy_from_slice(salt);
                nonce[4..].copy_from_slice(explicit);
                opened(aead, nonce, &counted_head(number, record, body.len().checked_sub(TAG)?), body)?
            }
            Cipher::Cbc(cbc) => cbc.open(number, record)?,
        };
        let mut kind = record.kind;
        if self.inner_kind {
            if kind != APPLICATION {
                return None;
            }
            let end = text.iter().rposition(|byte| *byte != 0)?;
            kind = text[end];
            text.truncate(end);
        }
        self.sequence += 1;
        Some((kind, text))
    }
}

/// What TLS 1.2 authenticates beside the text.
fn counted_head(number: [u8; 8], record: &Record<'_>, length: usize) -> [u8; 13] {
    let [a, b, c, d, e, f, g, h] = number;
    let [high, low] = (length as u16).to_be_bytes();
    [a, b, c, d, e, f, g, h, record.kind, record.head[1], record.head[2], high, low]
}

fn opened(aead: &Aead, nonce: [u8; 12], beside: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (text, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
    let mut text = text.to_vec();
    aead.decrypt_in_place_detached(&nonce.into(), beside, &mut text, tag.into()).ok()?;
    Some(text)
}

/// AES-CBC whose records bring their first block along, with a MAC.
pub struct Cbc {
    pub key: Vec<u8>,
    pub hash: Hash,
    pub mac_key: Vec<u8>,
    /// The MAC is of what is encrypted, and stands behind it (RFC 7366).
    pub mac_last: bool,
}

impl Cbc {
    fn open(&self, number: [u8; 8], record: &Record<'_>) -> Option<Vec<u8>> {
        let mac = self.hash.length();
        if self.mac_last {
            let (sealed, told) = record.body.split_at_checked(record.body.len().checked_sub(mac)?)?;
            let head = counted_head(number, record, sealed.len());
            return (self.hash.mac(&self.mac_key, &[&head, sealed]) == told).then(|| self.decrypted(sealed))?;
        }
        let mut text = self.decrypted(record.body)?;
        let told = text.split_off(text.len().checked_sub(mac)?);
        let head = counted_head(number, record, text.len());
        (self.hash.mac(&self.mac_key, &[&head, &text]) == told).then_some(text)
    }

    /// The text without its padding.
    fn decrypted(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (iv, blocks) = sealed.split_first_chunk::<BLOCK>()?;
        let mut text = blocks.to_vec();
        if self.key.len() == 16 {
            decrypt::<Aes128>(&self.key, iv, &mut text)?;
        } else {
            decrypt::<Aes256>(&self.key, iv, &mut text)?;
        }
        let padding = *text.last()?;
        let rest = text.len().checked_sub(usize::from(padding) + 1)?;
        text.split_off(rest).iter().all(|byte| *byte == padding).then_some(text)
    }
}

fn decrypt<A>(key: &[u8], iv: &[u8], text: &mut [u8]) -> Option<()>
where
    A: BlockCipher + BlockDecrypt + KeyInit,
{
    let made = cbc::Decryptor::<A>::new_from_slices(key, iv).ok()?;
    made.decrypt_padded_mut::<NoPadding>(text).ok().map(|_| ())
}
