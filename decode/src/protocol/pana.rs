//! PANA (RFC 5191): authentication before a network lets one in.

use super::reader::{Reader, hex};
use super::{Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

crate::declare_fields! {
    MESSAGE_TYPE = Field::set("pana.msg-type", "pana.msgType", Kind::Term, "Kinds of messages");
    SESSION_ID = Field::set("pana.session-id", "pana.sessionId", Kind::Term, "Sessions, in hex");
    USER = Field::set("pana.user", "pana.user", Kind::Term, "Users");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "pana",
    fields: FIELDS,
    signatures: &[Signature::UdpPort(716, |flow, _, data| begin(flow, data))],
};

const HEADER: usize = 16;
/// The attribute that carries an EAP message, and EAP's numbers for an answer of who one is.
const EAP_PAYLOAD: u16 = 2;
const EAP_RESPONSE: u8 = 2;
const EAP_IDENTITY: u8 = 1;

struct Message<'a> {
    kind: &'static str,
    session: &'a [u8],
    attributes: &'a [u8],
}

fn message(data: &[u8]) -> Option<Message<'_>> {
    let mut reader = Reader::new(data);
    let (reserved, length) = (reader.u16()?, usize::from(reader.u16()?));
    reader.skip(2)?;
    let kind = match reader.u16()? {
        1 => "client-initiation",
        2 => "auth",
        3 => "termination",
        4 => "notification",
        _ => return None,
    };
    let session = reader.take(4)?;
    let fits = reserved == 0 && length >= HEADER;
    let attributes = data.get(HEADER..length).filter(|_| fits)?;
    Some(Message { kind, session, attributes })
}

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if message(data).is_some() {
        each::begin(flow, "pana", read);
    }
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let Some(Message { kind, session, attributes }) = message(data) else {
        flow.anomaly("pana-message-malformed");
        return;
    };
    flow.fields.text(&MESSAGE_TYPE, kind);
    if session != [0; 4] {
        flow.fields.text(&SESSION_ID, &hex(session));
    }
    let mut reader = Reader::new(attributes);
    while let Some((code, value)) = attribute(&mut reader) {
        if let Some(user) = identity(value).filter(|_| code == EAP_PAYLOAD) {
            flow.fields.bytes(&USER, user);
        }
    }
}

fn attribute<'a>(reader: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let code = reader.u16()?;
    let vendor = reader.u16()? & 0x8000 != 0 && code != EAP_PAYLOAD;
    let length = usize::from(reader.u16()?);
    reader.skip(if vendor { 6 } else { 2 })?;
    let value = reader.take(length.min(reader.left()))?;
    reader.skip((length.next_multiple_of(4) - length).min(reader.left()))?;
    Some((code, value))
}

fn identity(eap: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(eap);
    let [code, _] = reader.array()?;
    let length = usize::from(reader.u16()?);
    let kind = reader.u8()?;
    eap.get(5..length).filter(|_| code == EAP_RESPONSE && kind == EAP_IDENTITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    const ANSWER: &[u8] = b"\x00\x00\x00\x20\x00\x00\x00\x02\x12\x34\x56\x78\x00\x00\x00\x01\
        \x00\x02\x00\x00\x00\x08\x00\x00\x02\x01\x00\x08\x01bob";

    #[test]
    fn an_answer_tells_session_and_user() {
        let mut harness = Harness::new(Transport::Udp, 716);
        harness.data(Direction::Client, ANSWER);
        assert_eq!(harness.protocols, ["pana"]);
        assert_eq!(harness.texts(&MESSAGE_TYPE), ["auth"]);
        assert_eq!(harness.texts(&SESSION_ID), ["12345678"]);
        assert_eq!(harness.texts(&USER), ["bob"]);
    }

    #[test]
    fn a_message_cut_or_spoilt_anywhere_does_no_harm() {
        for at in 0..ANSWER.len() {
            let mut harness = Harness::new(Transport::Udp, 716);
            harness.data(Direction::Client, ANSWER);
            harness.data(Direction::Client, &ANSWER[..at]);
            let mut spoilt = ANSWER.to_vec();
            spoilt[at] = 0xff;
            harness.data(Direction::Client, &spoilt);
        }
    }
}
