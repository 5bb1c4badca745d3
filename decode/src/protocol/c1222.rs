//! ANSI C12.22, meters over networks: titles of the applications, how answers and security are asked for.

use super::ber::{self, Elements};
use super::{Direction, Flow, Protocol, Signature};
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

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let Some(message) = Elements::new(data).next().filter(|m| m.tag == 0x60) else { return };
    if !message.elements().any(|part| matches!(part.tag, 0xa2 | 0xa6 | 0xa8 | 0xbe)) {
        return;
    }
    flow.protocol("c1222");
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
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn a_message_cut_anywhere_gives_what_there_was() {
        let message = b"\x60\x26\xa2\x07\x06\x05\x60\0\x02\0\x01\xa6\x07\x06\x05\x60\0\x02\0\x02\xa4\x03\x02\x01\x01\
            \xa8\x03\x02\x01\x02\xbe\x08\x28\x06\x81\x04\0\x30\0\x01";
        for end in 0..=message.len() {
            let mut harness = Harness::new(Transport::Tcp, 1153);
            harness.data(Direction::Client, &message[..end]);
            if end == message.len() {
                assert_eq!(harness.texts(&CALLED), ["2.16.0.2.0.1"]);
                assert_eq!(harness.ints(&CALLING_ID), [2]);
                assert_eq!(harness.texts(&RESPONSE), ["always"]);
                assert_eq!(harness.texts(&SECURITY), ["cleartext"]);
            }
        }
    }
}
