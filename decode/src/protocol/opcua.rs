//! OPC UA: which server a client means, by which security policy they talk, and whose certificates they show.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status, cert};
use crate::field::{Field, Kind};

use Kind::Term;

crate::declare_fields! {
    ENDPOINT = Field::set("opcua.endpointUrl", "opcua.endpointUrl", Term, "Servers that clients ask for");
    POLICY = Field::set("opcua.securityPolicyUri", "opcua.securityPolicyUri", Term, "Security policies");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "opcua",
    fields: FIELDS,
    signatures: &[
        Signature::Tcp(0, b"HELF", begin),
        Signature::Tcp(0, b"RHEF", begin),
        Signature::Tcp(0, b"ACKF", begin),
        Signature::Tcp(0, b"OPNF", begin),
    ],
};

/// Kind, final or not, and length.
const HEAD: usize = 8;
const LONGEST: u32 = 16 << 20;
const KINDS: [&[u8]; 7] = [b"HEL", b"RHE", b"ACK", b"ERR", b"OPN", b"MSG", b"CLO"];

#[derive(Default)]
struct OpcUa {
    frames: Frames,
}

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if matches!(length(data), Length::Known(_)) && !flow.has_protocol("opcua") {
        flow.protocol("opcua");
        flow.attach(Box::new(OpcUa::default()));
    }
}

fn length(data: &[u8]) -> Length {
    let Some(&[a, b, c, part, l0, l1, l2, l3]) = data.first_chunk::<HEAD>() else { return Length::More };
    match u32::from_le_bytes([l0, l1, l2, l3]) {
        length @ 8..=LONGEST if KINDS.contains(&&[a, b, c][..]) && b"FCA".contains(&part) => Length::sum(0, length),
        _ => Length::Bad,
    }
}

impl Parser for OpcUa {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let whole = self.frames.feed(direction, data, length, |message| {
            if read(flow, message).is_none() {
                flow.anomaly("opcua-message-malformed");
            }
        });
        if !whole {
            flow.anomaly("opcua-message-malformed");
            return Status::Done;
        }
        Status::More
    }
}

fn read(flow: &mut Flow<'_>, message: &[u8]) -> Option<()> {
    match message.get(..3)? {
        b"HEL" => {
            // Version and four limits come first.
            flow.fields.bytes(&ENDPOINT, string(&mut Reader::at(message, HEAD + 20))?);
        }
        b"RHE" => {
            let mut body = Reader::at(message, HEAD);
            string(&mut body)?;
            flow.fields.bytes(&ENDPOINT, string(&mut body)?);
        }
        b"OPN" => {
            let mut body = Reader::at(message, HEAD + 4);
            flow.fields.bytes(&POLICY, string(&mut body)?);
            certificates(flow, string(&mut body)?);
        }
        _ => {}
    }
    Some(())
}

/// A string or bytes behind their length; -1 stands for none.
fn string<'a>(body: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = i32::from_le_bytes(body.array()?);
    body.take(usize::try_from(length.max(0)).ok()?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    fn message(kind: &[u8; 3], body: &[u8]) -> Vec<u8> {
        let length = (HEAD + body.len()) as u32;
        [&kind[..], b"F", &length.to_le_bytes(), body].concat()
    }

    fn stream() -> Vec<u8> {
        let hello = [&[0; 20][..], b"\x0c\0\0\0opc.tcp://a/"].concat();
        let open = b"\x01\0\0\0\x08\0\0\0urn:none\x06\0\0\0\x30\x82\x00\x02\x30\x00\xff\xff\xff\xff";
        [message(b"HEL", &hello), message(b"MSG", &[7; 30]), message(b"OPN", open)].concat()
    }

    #[test]
    fn a_stream_may_be_cut_at_each_byte() {
        let stream = stream();
        for cut in HEAD..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 4840);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            assert_eq!(harness.protocols, ["opcua"]);
            assert_eq!(harness.texts(&ENDPOINT), ["opc.tcp://a/"]);
            assert_eq!(harness.texts(&POLICY), ["urn:none"]);
        }
    }

    #[test]
    fn a_hello_without_an_endpoint_is_none_the_less_one() {
        for nothing in [&b"\xff\xff\xff\xff"[..], b"\0\0\0\0"] {
            let mut harness = Harness::new(Transport::Tcp, 4840);
            harness.data(Direction::Client, &message(b"HEL", &[&[0; 20], nothing].concat()));
            assert_eq!(harness.protocols, ["opcua"]);
            assert!(harness.texts(&ENDPOINT).is_empty());
            assert!(harness.texts(&crate::protocol::ANOMALY).is_empty());
        }
    }

    #[test]
    fn a_message_spoilt_anywhere_does_no_harm() {
        let whole = stream();
        for at in 0..whole.len() {
            for byte in [0, 0x7f, 0xff] {
                let mut spoilt = whole.clone();
                spoilt[at] = byte;
                let mut harness = Harness::new(Transport::Tcp, 4840);
                harness.data(Direction::Client, &whole);
                harness.data(Direction::Client, &spoilt);
            }
        }
    }
}
