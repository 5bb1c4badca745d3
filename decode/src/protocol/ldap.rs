//! LDAP: who binds, and how.

use super::ber::{Element, Elements};
use super::frames::{Frames, Length};
use super::{Direction, Flow, Parser, Protocol, Signature, Status, ntlm};
use crate::field::{Field, Kind};

use Kind::Term;

crate::declare_fields! {
    AUTH_TYPE = Field::set("ldap.authtype", "ldap.authtype", Term, "Ways of authentication");
    BIND_NAME = Field::set("ldap.bindname", "ldap.bindname", Term, "Names bound");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "ldap", fields: FIELDS, signatures: &[Signature::Tcp(0, b"\x30", begin)] };

const BIND_REQUEST: u32 = 0x60;
const BIND_RESPONSE: u32 = 0x61;

/// The message's operation: after an identifier, an application tag.
fn operation(data: &[u8]) -> Option<Element<'_>> {
    let message = Elements::new(data).next().filter(|v| v.tag == 0x30)?;
    let mut inside = message.elements();
    inside.next().filter(|id| id.tag == 2 && (1..=4).contains(&id.value.len()))?;
    inside.next().filter(|op| matches!(op.tag, 0x42 | 0x4a | 0x50 | 0x60..=0x79))
}

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let Some(operation) = operation(data) else { return };
    // A bind names its version, so that it is known on any port.
    let version = operation.elements().next().and_then(|v| v.integer());
    let bind = operation.tag == BIND_REQUEST && version.is_some_and(|v| (1..=3).contains(&v));
    if (bind || flow.ends.port(389) || flow.ends.port(3268)) && !flow.has_protocol("ldap") {
        flow.protocol("ldap");
        flow.attach(Box::new(Ldap::default()));
    }
}

/// The length of the message at the front of `data`.
fn length(data: &[u8]) -> Length {
    match (data.get(1), data.get(2..).unwrap_or_default()) {
        (None, _) => Length::More,
        (Some(&short @ 0..=0x7f), _) => Length::Known(2 + usize::from(short)),
        (Some(&long @ 0x81..=0x84), rest) => match rest.get(..usize::from(long & 0x7f)) {
            Some(bytes) => Length::sum(2 + bytes.len(), bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b))),
            None => Length::More,
        },
        _ => Length::Bad,
    }
}

fn message(flow: &mut Flow<'_>, data: &[u8]) {
    let Some(operation) = operation(data) else { return };
    match operation.tag {
        BIND_REQUEST => drop(bind(flow, operation)),
        BIND_RESPONSE => drop(ntlm::find(flow, operation.value)),
        _ => {}
    }
}

fn bind(flow: &mut Flow<'_>, operation: Element<'_>) -> Option<()> {
    let mut inside = operation.elements();
    inside.next()?;
    let name = inside.next().filter(|v| v.tag == 4)?.value;
    flow.fields.bytes(&BIND_NAME, if name.is_empty() { b"<ROOT>" } else { name });
    let method = inside.next()?;
    let kind = match method.tag {
        0x80 if method.value.is_empty() => "none",
        0x80 => "simple",
        0x89 => "sicilyPackageDiscovery",
        0x8a => "ntlmsspNegotiate",
        0x8b => "ntlmsspAuth",
        0xa3 => "sasl",
        _ => return None,
    };
    flow.fields.text(&AUTH_TYPE, kind);
    ntlm::find(flow, method.value);
    Some(())
}

#[derive(Default)]
struct Ldap {
    frames: Frames,
}

impl Parser for Ldap {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let good = self.frames.feed(direction, data, length, |data| message(flow, data));
        if good { Status::More } else { Status::Done }
    }

    fn finish(&mut self, flow: &mut Flow<'_>) {
        self.frames.finish(|data| message(flow, data));
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::Client;
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn binds_tell_name_and_method() {
        let mut harness = Harness::new(Transport::Tcp, 389);
        harness.data(Client, b"\x30\x13\x02\x01\x01\x60\x0e\x02\x01\x03\x04\x04cn=a\x80\x03pwd");
        let second = b"\x30\x0c\x02\x01\x02\x60\x07\x02\x01\x03\x04\x00\x80\x00";
        harness.data(Client, &second[..5]);
        harness.data(Client, &second[5..]);
        assert_eq!(harness.texts(&BIND_NAME), ["cn=a", "<ROOT>"]);
        assert_eq!(harness.texts(&AUTH_TYPE), ["simple", "none"]);
    }

    #[test]
    fn a_bind_cut_off_tells_what_there_is() {
        let mut harness = Harness::new(Transport::Tcp, 389);
        harness.data(Client, b"\x30\x20\x02\x01\x01\x60\x1b\x02\x01\x03\x04\x04cn=a");
        harness.finish();
        assert_eq!(harness.texts(&BIND_NAME), ["cn=a"]);
    }
}
