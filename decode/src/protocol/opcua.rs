//! OPC UA's binary protocol: endpoints asked for, and the security they are spoken to with.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status, cert};
use crate::field::{Field, Kind};

crate::declare_fields! {
    ENDPOINT = Field::set("opcua.endpointUrl", "opcua.endpointUrl", Kind::Term, "Endpoints");
    POLICY = Field::set("opcua.securityPolicyUri", "opcua.securityPolicyUri", Kind::Term, "Security policies");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "opcua",
    fields: FIELDS,
    signatures: &[
        Signature::Tcp(0, b"HELF", begin),
        Signature::Tcp(0, b"ACKF", begin),
        Signature::Tcp(0, b"OPNF", begin),
        Signature::Tcp(0, b"RHEF", begin),
    ],
};

const HEADER: usize = 8;
/// Version and four limits in a HEL.
const HELLO: usize = HEADER + 20;

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if matches!(length(data), Length::Known(_)) && !flow.has_protocol("opcua") {
        flow.protocol("opcua");
        flow.attach(Box::new(OpcUa::default()));
    }
}

fn length(data: &[u8]) -> Length {
    let Some(head) = data.first_chunk::<HEADER>() else { return Length::More };
    let known = head[..3].iter().all(u8::is_ascii_uppercase) && matches!(head[3], b'F' | b'C' | b'A');
    match usize::try_from(u32::from_le_bytes([head[4], head[5], head[6], head[7]])) {
        Ok(total) if known && total >= HEADER => Length::Known(total),
        _ => Length::Bad,
    }
}

fn text<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = i32::from_le_bytes(reader.array()?);
    reader.take(usize::try_from(length).ok()?)
}

fn message(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    match data.get(..3)? {
        b"HEL" => flow.fields.bytes(&ENDPOINT, text(&mut Reader::at(data, HELLO))?),
        b"RHE" => {
            let mut reader = Reader::at(data, HEADER);
            text(&mut reader)?;
            flow.fields.bytes(&ENDPOINT, text(&mut reader)?);
        }
        b"OPN" => {
            let mut reader = Reader::at(data, HEADER + 4);
            flow.fields.bytes(&POLICY, text(&mut reader)?);
            certificates(flow, text(&mut reader)?);
        }
        _ => {}
    }
    Some(())
}

/// The sender's certificate and those that vouch for it, one after the other.
fn certificates(flow: &mut Flow<'_>, mut chain: &[u8]) {
    while let Some(&[0x30, 0x82, high, low]) = chain.first_chunk() {
        let length = 4 + usize::from(u16::from_be_bytes([high, low]));
        let (one, rest) = chain.split_at(length.min(chain.len()));
        cert::add(flow, one);
        chain = rest;
    }
}

#[derive(Default)]
struct OpcUa {
    frames: Frames,
}

impl Parser for OpcUa {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let good = self.frames.feed(direction, data, length, |data| {
            message(flow, data);
        });
        if good { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::Client;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn the_endpoint_is_told_however_the_stream_is_cut() {
        let mut hello = b"HELF\x2b\0\0\0".to_vec();
        hello.extend([0; 20]);
        hello.extend(b"\x0b\0\0\0opc.tcp://a");
        for cut in HEADER..hello.len() {
            let mut harness = Harness::new(Transport::Tcp, 4840);
            harness.data(Client, &hello[..cut]);
            harness.data(Client, &hello[cut..]);
            assert_eq!(harness.texts(&ENDPOINT), ["opc.tcp://a"], "cut at {cut}");
        }
    }

    fn open(chain: &[u8]) -> Vec<u8> {
        let length = (chain.len() as u32).to_le_bytes();
        let body = [&b"\x01\0\0\0\x04\0\0\0none"[..], &length, chain, b"\xff\xff\xff\xff"].concat();
        [&b"OPNF"[..], &((HEADER + body.len()) as u32).to_le_bytes(), &body].concat()
    }

    #[test]
    fn each_certificate_of_a_chain_is_told_and_what_is_none_does_no_harm() {
        let one = |byte| [&b"\x30\x82\x00\x03"[..], &[byte; 3]].concat();
        let certificates = |chain: &[u8]| {
            let mut harness = Harness::new(Transport::Tcp, 4840);
            harness.data(Client, &open(chain));
            assert_eq!(harness.texts(&POLICY), ["none"]);
            harness.fields.objects_mut(&cert::CERT).len()
        };
        let chain = [one(1), one(2), one(1)].concat();
        assert_eq!(certificates(&chain), 2);
        assert_eq!(certificates(b""), 0);
        assert_eq!(certificates(b"no certificate"), 0);
        for cut in 0..chain.len() {
            assert!(certificates(&chain[..cut]) <= 3, "cut at {cut}");
        }
    }
}
