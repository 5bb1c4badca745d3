//! BGP: what kinds of messages two routers exchange.

use super::framed::{self, Frame, Rules};
use super::reader::Reader;
use super::{Flow, Protocol, Signature};
use crate::field::{Count, Field, Kind};

crate::declare_fields! {
    TYPE = Field::set("bgp.type", "bgp.type", Kind::UpperTerm, "Kinds of messages").counted(Count::No);
}

pub static PROTOCOL: Protocol = Protocol {
    name: "bgp",
    fields: FIELDS,
    signatures: &[Signature::Tcp(0, MARKER, |flow, _, data| begin(flow, data))],
};

const MARKER: &[u8] = &[0xff; 16];
/// Marker, length and type.
const HEADER: usize = 19;
const RULES: Rules = Rules { length, read, anomaly: "bgp-message-malformed" };

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if data.get(HEADER - 1).is_some_and(|kind| name(*kind).is_some()) {
        framed::begin(flow, "bgp", RULES);
    }
}

fn name(kind: u8) -> Option<&'static str> {
    ["OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"].get(usize::from(kind).checked_sub(1)?).copied()
}

fn length(data: &[u8]) -> Frame {
    if !data.iter().zip(MARKER).all(|(byte, marker)| byte == marker) {
        return Frame::Bad;
    }
    match Reader::at(data, MARKER.len()).u16().map(usize::from) {
        Some(length @ HEADER..) => Frame::Whole(length),
        Some(_) => Frame::Bad,
        None => Frame::Wait,
    }
}

fn read(flow: &mut Flow<'_>, message: &[u8]) {
    match message.get(HEADER - 1).and_then(|kind| name(*kind)) {
        Some(name) => flow.fields.text(&TYPE, name),
        None => flow.anomaly("bgp-message-malformed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [MARKER, &((HEADER + body.len()) as u16).to_be_bytes(), &[kind], body].concat()
    }

    #[test]
    fn a_stream_may_be_cut_at_each_byte() {
        let stream = [message(1, &[4; 10]), message(4, &[]), message(2, &[0; 30])].concat();
        for cut in HEADER..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 179);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            assert_eq!(harness.protocols, ["bgp"]);
            assert_eq!(harness.texts(&TYPE), ["OPEN", "KEEPALIVE", "UPDATE"], "cut at {cut}");
        }
    }

    #[test]
    fn what_follows_garbage_is_not_read() {
        let mut harness = Harness::new(Transport::Tcp, 179);
        harness.data(Direction::Client, &[&message(4, &[])[..], b"garbage", &message(3, &[])].concat());
        harness.data(Direction::Client, &message(3, &[]));
        assert_eq!(harness.texts(&TYPE), ["KEEPALIVE"]);
        assert_eq!(harness.texts(&crate::protocol::ANOMALY), ["bgp-message-malformed"]);
    }
}
