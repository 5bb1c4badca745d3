//! ANSI C12.22, meters over networks: titles of the applications, how answers and security are asked for.

use super::ber::{self, Element, Elements};
use super::framed::{self, Frame, Rules};
use super::{Direction, Flow, Protocol, Signature, Transport, each};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    CALLED_ID =
        Field::set("c1222.calledApInvocationId", "c1222.calledApInvocationId", Integer, "Invocations called");
    CALLED = Field::set("c1222.calledApTitle", "c1222.calledApTitle", Term, "Applications called");
    CALLING_ID =
        Field::set("c1222.callingApInvocationId", "c1222.callingApInvocationId", Integer, "Invocations calling");
    CALLING = Field::set("c1222.callingApTitle", "c1222.callingApTitle", Term, "Applications calling");
    RESPONSE = Field::set("c1222.responseControl", "c1222.responseControl", Term, "When an answer is wanted");
    SECURITY = Field::set("c1222.securityMode", "c1222.securityMode", Term, "Protection of the contents");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "c1222",
    fields: FIELDS,
    signatures: &[Signature::TcpPort(1153, begin), Signature::UdpPort(1153, begin)],
};

/// The tag of a message, and those of parts of which each has one at least.
const MESSAGE: u32 = 0x60;
const PARTS: [u32; 4] = [0xa2, 0xa6, 0xa8, 0xbe];
const RULES: Rules = Rules { length, read, anomaly: "c1222-message-malformed" };

fn message(data: &[u8]) -> Option<Element<'_>> {
    let message = Elements::new(data).next().filter(|m| m.tag == MESSAGE)?;
    message.elements().any(|part| PARTS.contains(&part.tag)).then_some(message)
}

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if message(data).is_none() {
        return;
    }
    if flow.ends.transport == Transport::Tcp {
        framed::begin(flow, "c1222", RULES);
    } else {
        each::begin(flow, "c1222", read);
    }
}

fn length(data: &[u8]) -> Frame {
    match *data {
        [0x60, length @ 0..=0x7f, ..] => Frame::Whole(2 + usize::from(length)),
        [0x60, 0x81, length, ..] => Frame::Whole(3 + usize::from(length)),
        [0x60, 0x82, a, b, ..] => Frame::Whole(4 + usize::from(u16::from_be_bytes([a, b]))),
        [] | [0x60] | [0x60, 0x81] | [0x60, 0x82] | [0x60, 0x82, _] => Frame::Wait,
        _ => Frame::Bad,
    }
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let Some(message) = message(data) else { return };
    for part in message.elements() {
        let Some(inner) = part.elements().next() else { continue };
        match part.tag {
            0xa2 => flow.fields.text(&CALLED, &ber::oid(inner.value)),
            0xa6 => flow.fields.text(&CALLING, &ber::oid(inner.value)),
            0xa4 => inner.integer().into_iter().for_each(|id| flow.fields.int(&CALLED_ID, id)),
            0xa8 => inner.integer().into_iter().for_each(|id| flow.fields.int(&CALLING_ID, id)),
            0xbe => {
                if let Some(control) = inner.elements().next().and_then(|content| content.value.first().copied()) {
                    controls(flow, control);
                }
            }
            _ => {}
        }
    }
}

fn controls(flow: &mut Flow<'_>, control: u8) {
    let response = ["always", "onException", "never", "reserved"];
    let security = ["cleartext", "cleartextWithAuthentication", "ciphertextWithAuthentication", "reserved"];
    flow.fields.text(&RESPONSE, response[usize::from(control & 3)]);
    flow.fields.text(&SECURITY, security[usize::from(control >> 2 & 3)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;

    const CALL: &[u8] = b"\x60\x26\xa2\x07\x06\x05\x60\0\x02\0\x01\xa6\x07\x06\x05\x60\0\x02\0\x02\xa4\x03\x02\x01\x01\
        \xa8\x03\x02\x01\x02\xbe\x08\x28\x06\x81\x04\0\x30\0\x01";
    const ANSWER: &[u8] = b"\x60\x81\x12\xa8\x03\x02\x01\x07\xbe\x08\x28\x06\x81\x04\x06\x30\0\x01\xa4\x01\x00";

    fn told(harness: &Harness) {
        assert_eq!(harness.protocols, ["c1222"]);
        assert_eq!(harness.texts(&CALLED), ["2.16.0.2.0.1"]);
        assert_eq!(harness.texts(&CALLING), ["2.16.0.2.0.2"]);
        assert_eq!(harness.ints(&CALLED_ID), [1]);
        assert_eq!(harness.ints(&CALLING_ID), [2, 7]);
        assert_eq!(harness.texts(&RESPONSE), ["always", "never"]);
        assert_eq!(harness.texts(&SECURITY), ["cleartext", "cleartextWithAuthentication"]);
    }

    #[test]
    fn each_message_of_a_stream_is_told_however_it_is_cut() {
        let stream = [CALL, ANSWER].concat();
        for cut in 11..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 1153);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            told(&harness);
        }
    }

    #[test]
    fn each_datagram_is_told() {
        let mut harness = Harness::new(Transport::Udp, 1153);
        harness.data(Direction::Client, CALL);
        harness.data(Direction::Client, ANSWER);
        told(&harness);
    }

    #[test]
    fn a_message_cut_or_spoilt_anywhere_does_no_harm() {
        for transport in [Transport::Tcp, Transport::Udp] {
            for at in 0..CALL.len() {
                let mut harness = Harness::new(transport, 1153);
                harness.data(Direction::Client, &CALL[..at]);
                let mut spoilt = CALL.to_vec();
                spoilt[at] = 0xff;
                harness.data(Direction::Server, CALL);
                harness.data(Direction::Server, &spoilt);
            }
        }
    }
}
