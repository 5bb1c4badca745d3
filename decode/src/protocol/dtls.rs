//! DTLS: TLS over datagrams. The client's fingerprint and the server's certificates, as the peer tells them.

use super::reader::Reader;
use super::tls::fingerprint::Carrier;
use super::tls::hello::ClientHello;
use super::tls::vectors::Vectors;
use super::tls::{certificates, client};
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::limits::MAX_MESSAGE;

pub static PROTOCOL: Protocol = Protocol {
    name: "dtls",
    fields: &[],
    signatures: &[
        Signature::Udp(0, b"\x16\xfe\xff", begin),
        Signature::Udp(0, b"\x16\xfe\xfd", begin),
        Signature::Udp(0, b"\x16\x01\x00", begin),
    ],
};

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const VERIFY_REQUEST: u8 = 3;
const CERTIFICATE: u8 = 11;

/// A record: its type, epoch and body.
fn record<'a>(reader: &mut Reader<'a>) -> Option<(u8, u16, &'a [u8])> {
    let kind = reader.u8()?;
    if !matches!(reader.u16()?, 0xfeff | 0xfefd | 0x0100) {
        return None;
    }
    let epoch = reader.u16()?;
    reader.skip(6)?;
    Some((kind, epoch, reader.vector(2)?))
}

/// A part of a handshake message.
struct Fragment<'a> {
    kind: u8,
    length: usize,
    sequence: u16,
    offset: usize,
    body: &'a [u8],
}

fn fragment<'a>(reader: &mut Reader<'a>) -> Option<Fragment<'a>> {
    let kind = reader.u8()?;
    let length = reader.u24()? as usize;
    let sequence = reader.u16()?;
    let offset = reader.u24()? as usize;
    let body = reader.vector(3)?;
    let inside = offset.checked_add(body.len())? <= length;
    inside.then_some(Fragment { kind, length, sequence, offset, body })
}

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let Some((HANDSHAKE, 0, body)) = record(&mut Reader::new(data)) else { return };
    let Some(first) = fragment(&mut Reader::new(body)) else { return };
    if matches!(first.kind, CLIENT_HELLO | SERVER_HELLO | VERIFY_REQUEST) && !flow.has_protocol("dtls") {
        flow.protocol("dtls");
        flow.attach(Box::new(Dtls::default()));
    }
}

/// The message of one direction that is being put together.
#[derive(Default)]
struct Held {
    sequence: u16,
    body: Vec<u8>,
}

#[derive(Default)]
struct Dtls {
    held: [Held; 2],
    encrypted: [bool; 2],
    greeted: bool,
}

impl Parser for Dtls {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let mut reader = Reader::new(data);
        while let Some((kind, epoch, body)) = record(&mut reader) {
            if epoch != 0 {
                self.encrypted[direction as usize] = true;
                break;
            }
            if kind == HANDSHAKE {
                self.handshake(flow, direction, body);
            }
        }
        if self.encrypted == [true; 2] { Status::Done } else { Status::More }
    }
}

impl Dtls {
    fn handshake(&mut self, flow: &mut Flow<'_>, direction: Direction, body: &[u8]) {
        let mut reader = Reader::new(body);
        while let Some(part) = fragment(&mut reader) {
            if part.body.len() == part.length {
                self.message(flow, direction, part.kind, part.body);
                continue;
            }
            let held = &mut self.held[direction as usize];
            if part.offset == 0 {
                *held = Held { sequence: part.sequence, body: part.body.to_vec() };
            } else if held.sequence == part.sequence && held.body.len() == part.offset {
                held.body.extend_from_slice(part.body);
            }
            if part.length > MAX_MESSAGE {
                flow.anomaly("dtls-handshake-too-long");
                *held = Held::default();
            } else if held.sequence == part.sequence && held.body.len() == part.length {
                let whole = std::mem::take(&mut held.body);
                self.message(flow, direction, part.kind, &whole);
            }
        }
    }

    fn message(&mut self, flow: &mut Flow<'_>, direction: Direction, kind: u8, body: &[u8]) {
        match (kind, direction) {
            // The second hello differs only by the cookie that the server asked for.
            (CLIENT_HELLO, _) if !std::mem::replace(&mut self.greeted, true) => match ClientHello::parse(body, true) {
                Some(hello) => client(flow, &hello, Carrier::Dtls),
                None => flow.anomaly("dtls-bad-client-hello"),
            },
            (CERTIFICATE, Direction::Server) => certificates(flow, body),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::tls::tests::client_hello;
    use crate::protocol::{ANOMALY, Transport, tls};

    fn packet(kind: u8, length: usize, offset: usize, body: &[u8]) -> Vec<u8> {
        let number = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
        let fragment = [&[kind][..], &number(length), &[0, 1], &number(offset), &number(body.len()), body].concat();
        let record = b"\x16\xfe\xfd\0\0\0\0\0\0\0\x07";
        [&record[..], &(fragment.len() as u16).to_be_bytes(), &fragment].concat()
    }

    #[test]
    fn a_hello_in_fragments_is_the_same_hello() {
        let hello = client_hello(true);
        for at in 1..hello.len() {
            let mut harness = Harness::new(Transport::Udp, 4433);
            let (head, tail) = hello.split_at(at);
            harness.data(Direction::Client, &packet(1, hello.len(), 0, head));
            harness.data(Direction::Client, &packet(1, hello.len(), 0, head));
            harness.data(Direction::Client, &packet(1, hello.len(), at, tail));
            assert_eq!(harness.protocols, ["dtls"]);
            assert_eq!(harness.texts(&tls::JA4_RAW), ["d12d0205h2_1301,c02f_000a,000b,000d_0403,0804"]);
        }
    }

    #[test]
    fn hostile_lengths_are_bounded() {
        let mut harness = Harness::new(Transport::Udp, 4433);
        harness.data(Direction::Client, &packet(1, 0xff_ffff, 0, &[1; 100]));
        assert_eq!(harness.texts(&ANOMALY), ["dtls-handshake-too-long"]);
        let whole = packet(1, 5, 0, b"hello");
        for end in 0..whole.len() {
            Harness::new(Transport::Udp, 4433).data(Direction::Client, whole.get(..end).unwrap());
        }
    }

    #[test]
    fn other_handshakes_and_epochs_are_not_taken_for_a_beginning() {
        for data in [packet(20, 5, 0, b"hello"), b"\x16\xfe\xfd\0\x01\0\0\0\0\0\0\0\x02ab".to_vec()] {
            let mut harness = Harness::new(Transport::Udp, 4433);
            harness.data(Direction::Client, &data);
            assert!(harness.protocols.is_empty());
        }
    }
}
