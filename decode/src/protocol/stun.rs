//! STUN and TURN: who asks what its address looks like from outside, and through which relay it will speak.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status, each};
use crate::field::{Field, Kind};
use crate::limits::MAX_MESSAGE;

use Kind::{Integer, Ip, Term};

crate::declare_fields! {
    ERROR = Field::set("stun.error", "stun.error", Integer, "Error codes");
    MAPPED_IP = Field::set("stun.mapped-ip", "stun.mappedIp", Ip, "Addresses seen from outside");
    MAPPED_PORT = Field::set("stun.mapped-port", "stun.mappedPort", Integer, "Ports seen from outside");
    REALM = Field::set("stun.realm", "stun.realm", Term, "Realms");
    SOFTWARE = Field::set("stun.software", "stun.software", Term, "Programs");
    TYPE = Field::set("stun.type", "stun.type", Term, "Kinds of messages");
    USER_NAME = Field::set("stun.username", "stun.username", Term, "Users");
    XOR_MAPPED_IP = Field::set("stun.xor-mapped-ip", "stun.xorMappedIp", Ip, "Addresses seen from outside, masked");
    XOR_MAPPED_PORT =
        Field::set("stun.xor-mapped-port", "stun.xorMappedPort", Integer, "Ports seen from outside, masked");
    XOR_PEER_IP = Field::set("stun.xor-peer-ip", "stun.xorPeerIp", Ip, "Addresses spoken to through a relay");
    XOR_PEER_PORT = Field::set("stun.xorPeerPort", "stun.xorPeerPort", Integer, "Ports spoken to through a relay");
    XOR_RELAYED_IP = Field::set("stun.xor-relayed-ip", "stun.xorRelayedIp", Ip, "Addresses of relays");
    XOR_RELAYED_PORT = Field::set("stun.xor-relayed-port", "stun.xorRelayedPort", Integer, "Ports of relays");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "stun",
    fields: FIELDS,
    signatures: &[
        Signature::Udp(4, COOKIE, |flow, _, data| begin_datagrams(flow, data)),
        Signature::Udp(0, b"\x00\x01", |flow, _, data| begin_datagrams(flow, data)),
        Signature::Udp(0, b"\x01\x01", |flow, _, data| begin_datagrams(flow, data)),
        Signature::Udp(0, b"RSP/", |flow, _, data| begin_text(flow, data)),
        Signature::Tcp(4, COOKIE, begin_stream),
        Signature::Tcp(0, b"RSP/", |flow, _, data| begin_text(flow, data)),
    ],
};

/// What every message since RFC 5389 has at its fourth byte, and what masks addresses.
const COOKIE: &[u8] = b"\x21\x12\xa4\x42";
const HEADER: usize = 20;
/// The bits that are zero in every message's first two bytes.
const ZEROS: u16 = 0xc000;
/// First two bits of relayed data (TURN's ChannelData).
const CHANNEL: u16 = 0x4000;

/// Type, transaction (cookie and id) and attributes of the message that `data` begins with.
struct Message<'a> {
    kind: u16,
    transaction: &'a [u8],
    attributes: &'a [u8],
}

impl Message<'_> {
    fn read(data: &[u8]) -> Option<Message<'_>> {
        let mut reader = Reader::new(data);
        let kind = reader.u16().filter(|kind| kind & ZEROS == 0)?;
        let length = usize::from(reader.u16()?);
        let transaction = reader.take(HEADER - 4)?;
        let attributes = reader.take(length.min(reader.left()))?;
        Some(Message { kind, transaction, attributes })
    }

    /// Whether its attributes fill it: what tells messages older than the cookie from chance.
    fn is_whole(&self, data: &[u8]) -> bool {
        let mut reader = Reader::new(self.attributes);
        while let Some((_, length)) = reader.u16().zip(reader.u16()) {
            if reader.skip(usize::from(length).next_multiple_of(4)).is_none() {
                return false;
            }
        }
        reader.is_empty() && data.len() == HEADER + self.attributes.len() && !self.attributes.is_empty()
    }
}

fn begin_datagrams(flow: &mut Flow<'_>, data: &[u8]) {
    let fits = Message::read(data).is_some_and(|m| m.transaction.starts_with(COOKIE) || m.is_whole(data));
    if fits {
        each::begin(flow, "stun", |flow, data| {
            // Between them come the data that they make way for.
            if let Some(message) = Message::read(data) {
                tell(flow, &message);
            }
        });
    }
}

fn begin_text(flow: &mut Flow<'_>, data: &[u8]) {
    // A vendor's own form, which says it in its first line.
    let line = data.iter().take(80).position(|byte| *byte == b'\n').and_then(|end| data.get(..end)).unwrap_or_default();
    if line.windows(4).any(|window| window == b"STUN") {
        flow.protocol("stun");
    }
}

fn begin_stream(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if Message::read(data).is_some() && !flow.has_protocol("stun") {
        flow.protocol("stun");
        flow.attach(Box::new(Stream::default()));
    }
}

/// One direction of a TCP session.
#[derive(Default)]
struct Side {
    held: Vec<u8>,
    /// Bytes of relayed data still to pass over.
    skip: usize,
}

#[derive(Default)]
struct Stream {
    sides: [Side; 2],
}

impl Side {
    /// Takes the complete messages off `data`; gives what is left, or `None` if this is no STUN.
    fn messages<'a>(&mut self, flow: &mut Flow<'_>, mut data: &'a [u8]) -> Option<&'a [u8]> {
        loop {
            let passed = self.skip.min(data.len());
            self.skip -= passed;
            data = data.get(passed..)?;
            let mut reader = Reader::new(data);
            let Some((kind, length)) = reader.u16().zip(reader.u16()) else { return Some(data) };
            let length = usize::from(length);
            match kind & ZEROS {
                0 if data.len() < HEADER + length => return Some(data),
                0 => {
                    let (message, rest) = data.split_at_checked(HEADER + length)?;
                    tell(flow, &Message::read(message)?);
                    data = rest;
                }
                CHANNEL => self.skip = 4 + length.next_multiple_of(4),
                _ => return None,
            }
        }
    }
}

impl Parser for Stream {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let side = &mut self.sides[direction as usize];
        let mut held = std::mem::take(&mut side.held);
        held.extend_from_slice(data);
        match side.messages(flow, &held) {
            Some(rest) if rest.len() <= MAX_MESSAGE + HEADER => {
                side.held = rest.to_vec();
                Status::More
            }
            _ => {
                flow.anomaly("stun-message-malformed");
                Status::Done
            }
        }
    }
}

/// A message's method and class, as the peer writes them.
fn kind(kind: u16) -> String {
    let method = (kind & 0x000f) | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2;
    let class = match kind & 0x0110 {
        0x0000 => "Request",
        0x0010 => "Indication",
        0x0100 => "Response",
        _ => "Error",
    };
    let method = match method {
        1 => "Binding",
        2 => "SharedSecret",
        3 => "Allocate",
        4 => "Refresh",
        6 => "Send",
        7 => "Data",
        8 => "CreatePermission",
        9 => "ChannelBind",
        10 => "Connect",
        11 => "ConnectionBind",
        12 => "ConnectionAttempt",
        _ => return format!("{method} {class}"),
    };
    format!("{method} {class}")
}

fn tell(flow: &mut Flow<'_>, message: &Message<'_>) {
    flow.fields.text(&TYPE, &kind(message.kind));
    let mut reader = Reader::new(message.attributes);
    while let Some((number, length)) = reader.u16().zip(reader.u16()) {
        let length = usize::from(length);
        let Some(value) = reader.take(length.min(reader.left())) else { return };
        attribute(flow, number, value, message.transaction);
        if reader.skip(length.next_multiple_of(4) - length).is_none() {
            return;
        }
    }
}

fn attribute(flow: &mut Flow<'_>, number: u16, value: &[u8], mask: &[u8]) {
    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
    match number {
        0x0001 => address(flow, value, &[0; 16], &MAPPED_IP, &MAPPED_PORT),
        0x0006 => flow.fields.bytes(&USER_NAME, text),
        0x0009 => {
            if let [_, _, class, number, ..] = value {
                flow.fields.int(&ERROR, i64::from(class & 7) * 100 + i64::from(*number));
            }
        }
        0x0012 => address(flow, value, mask, &XOR_PEER_IP, &XOR_PEER_PORT),
        0x0014 => flow.fields.bytes(&REALM, text),
        0x0016 => address(flow, value, mask, &XOR_RELAYED_IP, &XOR_RELAYED_PORT),
        0x0020 | 0x8020 => address(flow, value, mask, &XOR_MAPPED_IP, &XOR_MAPPED_PORT),
        0x8022 => flow.fields.bytes(&SOFTWARE, text),
        _ => {}
    }
}

fn address(flow: &mut Flow<'_>, value: &[u8], mask: &[u8], ips: &Field, ports: &Field) {
    let mut reader = Reader::new(value);
    let (Some([_, family]), Some(port)) = (reader.array(), reader.array::<2>()) else { return };
    let ip: IpAddr = match (family, reader.rest().len()) {
        (1, 4) => unmask::<4>(reader.rest(), mask).map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from).into(),
        (2, 16) => unmask::<16>(reader.rest(), mask).map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from).into(),
        _ => return,
    };
    flow.fields.ip(ips, ip);
    if let Some(port) = unmask::<2>(&port, mask) {
        flow.fields.int(ports, i64::from(u16::from_be_bytes(port)));
    }
}

fn unmask<const N: usize>(value: &[u8], mask: &[u8]) -> Option<[u8; N]> {
    let mut bytes: [u8; N] = value.try_into().ok()?;
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;
    use crate::values::Values;

    fn message(kind: u16, attributes: &[u8]) -> Vec<u8> {
        let length = (attributes.len() as u16).to_be_bytes();
        [&kind.to_be_bytes()[..], &length, COOKIE, b"transaction.", attributes].concat()
    }

    /// XOR-MAPPED-ADDRESS of 192.0.2.1:32853, and an error with its reason padded.
    const ATTRIBUTES: &[u8] =
        b"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\x00\x09\x00\x05\x00\x00\x04\x01!\0\0\0";

    #[test]
    fn masked_addresses_are_unmasked() {
        let mut harness = Harness::new(Transport::Udp, 3478);
        harness.data(Direction::Server, &message(0x0101, ATTRIBUTES));
        assert_eq!(harness.protocols, ["stun"]);
        assert_eq!(harness.texts(&TYPE), ["Binding Response"]);
        assert_eq!(harness.ints(&XOR_MAPPED_PORT), [32853]);
        assert_eq!(harness.ints(&ERROR), [401]);
        let want: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(matches!(harness.fields.get(&XOR_MAPPED_IP), Some(Values::Ips(ips)) if ips[..] == [want]));
    }

    #[test]
    fn a_stream_may_be_cut_at_each_byte_and_relayed_data_are_passed_over() {
        let channel = b"\x40\x01\x00\x05hello\0\0\0";
        let stream = [&message(3, ATTRIBUTES)[..], channel, &message(0x0113, ATTRIBUTES)].concat();
        for cut in HEADER..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 80);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            assert_eq!(harness.texts(&TYPE), ["Allocate Request", "Allocate Error"], "cut at {cut}");
        }
    }

    #[test]
    fn old_messages_are_known_by_their_form_only() {
        let old = b"\x00\x01\x00\x08................\x00\x03\x00\x04\x00\x00\x00\x00";
        for (data, known) in [(&old[..], true), (&old[..27], false), (b"\x00\x01\x00\x00................", false)] {
            let mut harness = Harness::new(Transport::Udp, 3478);
            harness.data(Direction::Client, data);
            assert_eq!(harness.protocols == ["stun"], known);
        }
    }

    #[test]
    fn a_message_cut_or_spoilt_anywhere_does_no_harm() {
        let whole = message(3, ATTRIBUTES);
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut spoilt = whole.clone();
                spoilt[at] = byte;
                for transport in [Transport::Udp, Transport::Tcp] {
                    let mut harness = Harness::new(transport, 3478);
                    harness.data(Direction::Client, &whole);
                    harness.data(Direction::Client, &spoilt);
                    harness.data(Direction::Client, &whole[..at]);
                }
            }
        }
    }
}
