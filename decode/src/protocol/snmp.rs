//! SNMP, versions 1 to 3: communities, users, kinds of messages, and the objects asked for.

use super::ber::{self, Element, Elements};
use super::reader::hex;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    COMMUNITY = Field::set("snmp.community", "snmp.community", Term, "Communities");
    ENGINE_ID = Field::set("snmp.engineId", "snmp.engineId", Term, "Authoritative engines (version 3), in hex");
    ERROR = Field::set("snmp.error", "snmp.error", Term, "Errors of responses");
    LEVEL = Field::set("snmp.secLevel", "snmp.secLevel", Term, "Security levels (version 3)");
    TRAP_OID = Field::set("snmp.trap-oid", "snmp.trapOid", Term, "What traps are about");
    TYPE = Field::set("snmp.type", "snmp.type", Term, "Kinds of messages");
    VARIABLE = Field::set("snmp.variable", "snmp.variable", Term, "Objects asked for or told");
    VERSION = Field::set("snmp.version", "snmp.version", Integer, "Versions");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "snmp",
    fields: FIELDS,
    signatures: &[Signature::UdpPort(161, begin), Signature::UdpPort(162, begin)],
};

const TYPES: [&str; 9] = [
    "GetRequest",
    "GetNextRequest",
    "GetResponse",
    "SetRequest",
    "Trap",
    "GetBulkRequest",
    "InformRequest",
    "SNMPv2-Trap",
    "Report",
];

#[rustfmt::skip]
const ERRORS: [&str; 19] = [
    "noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess", "wrongType", "wrongLength",
    "wrongEncoding", "wrongValue", "noCreation", "inconsistentValue", "resourceUnavailable", "commitFailed",
    "undoFailed", "authorizationError", "notWritable", "inconsistentName",
];

const INTEGER: u32 = 0x02;
const OCTETS: u32 = 0x04;
const OBJECT: u32 = 0x06;
const SEQUENCE: u32 = 0x30;
/// Tags of messages are this and the place in `TYPES`.
const MESSAGE: u32 = 0xa0;
const RESPONSE: u32 = 2;
const TRAP_V1: u32 = 4;
/// The variable (snmpTrapOID.0) whose value says what a trap is about.
const SNMP_TRAP_OID: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0];

struct Snmp;

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if !flow.has_protocol("snmp") && read(data).is_some() {
        flow.protocol("snmp");
        flow.attach(Box::new(Snmp));
    }
}

/// A message's version (1, 2 or 3) and what follows it.
fn read(data: &[u8]) -> Option<(i64, Elements<'_>)> {
    let mut message = Elements::new(data).next().filter(|e| e.tag == SEQUENCE)?.elements();
    match message.next().filter(|e| e.tag == INTEGER)?.integer()? {
        version @ 0..=1 => Some((version + 1, message)),
        3 => Some((3, message)),
        _ => None,
    }
}

impl Parser for Snmp {
    fn data(&mut self, flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) -> Status {
        let Some((version, rest)) = read(data) else {
            flow.anomaly("snmp-message-malformed");
            return Status::More;
        };
        flow.fields.int(&VERSION, version);
        // Agents that write their lists wrongly are many: what can be read is told, the rest is left.
        let _ = if version == 3 { secure(flow, rest) } else { plain(flow, rest) };
        Status::More
    }
}

/// Versions 1 and 2: community and message.
fn plain(flow: &mut Flow<'_>, mut rest: Elements<'_>) -> Option<()> {
    flow.fields.bytes(&COMMUNITY, rest.next().filter(|e| e.tag == OCTETS)?.value);
    let message = rest.next()?;
    let kind = message.tag.checked_sub(MESSAGE)?;
    flow.fields.text(&TYPE, TYPES.get(kind as usize)?);
    let mut parts = message.elements();
    if kind == TRAP_V1 {
        flow.fields.text(&TRAP_OID, &ber::oid(parts.next().filter(|e| e.tag == OBJECT)?.value));
        return variables(flow, parts.nth(4)?);
    }
    let status = parts.nth(1)?.integer()?;
    if kind == RESPONSE && status != 0 {
        let name = usize::try_from(status).ok().and_then(|at| ERRORS.get(at));
        flow.fields.text(&ERROR, name.map_or(&*status.to_string(), |name| name));
    }
    variables(flow, parts.nth(1)?)
}

fn variables(flow: &mut Flow<'_>, list: Element<'_>) -> Option<()> {
    for variable in list.elements() {
        if variable.tag != SEQUENCE {
            return None;
        }
        let mut parts = variable.elements();
        let name = parts.next().filter(|e| e.tag == OBJECT)?;
        flow.fields.text(&VARIABLE, &ber::oid(name.value));
        if let Some(about) = parts.next().filter(|e| name.value == SNMP_TRAP_OID && e.tag == OBJECT) {
            flow.fields.text(&TRAP_OID, &ber::oid(about.value));
        }
    }
    Some(())
}

/// Version 3: the level, the engine and the user; the message itself is mostly encrypted.
fn secure(flow: &mut Flow<'_>, mut rest: Elements<'_>) -> Option<()> {
    let mut header = rest.next().filter(|e| e.tag == SEQUENCE)?.elements();
    let flags = *header.nth(2).filter(|e| e.tag == OCTETS)?.value.first()?;
    let level = match flags & 3 {
        0 => "noAuthNoPriv",
        1 => "authNoPriv",
        3 => "authPriv",
        _ => "privNoAuth",
    };
    flow.fields.text(&LEVEL, level);
    let parameters = rest.next().filter(|e| e.tag == OCTETS)?.elements().next()?;
    let mut parameters = parameters.elements();
    let engine = parameters.next().filter(|e| e.tag == OCTETS)?;
    flow.fields.text(&ENGINE_ID, &hex(engine.value));
    // Boots and time of the engine come before the user.
    if let Some(user) = parameters.nth(2).filter(|e| e.tag == OCTETS) {
        flow.user(user.value);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    const GET: &[u8] = b"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\
        \x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x03\x00\x05\x00";

    #[test]
    fn a_request_tells_community_kind_and_object() {
        let mut harness = Harness::new(Transport::Udp, 161);
        harness.data(Direction::Client, GET);
        assert_eq!(harness.protocols, ["snmp"]);
        assert_eq!(harness.ints(&VERSION), [2]);
        assert_eq!(harness.texts(&COMMUNITY), ["public"]);
        assert_eq!(harness.texts(&TYPE), ["GetRequest"]);
        assert_eq!(harness.texts(&VARIABLE), ["1.3.6.1.2.1.1.3.0"]);
    }

    #[test]
    fn a_message_cut_or_spoilt_anywhere_does_no_harm() {
        for at in 0..GET.len() {
            let mut harness = Harness::new(Transport::Udp, 161);
            harness.data(Direction::Client, GET);
            harness.data(Direction::Client, &GET[..at]);
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut spoilt = GET.to_vec();
                spoilt[at] = byte;
                harness.data(Direction::Server, &spoilt);
            }
        }
    }

    #[test]
    fn version_3_tells_level_engine_and_user() {
        let mut harness = Harness::new(Transport::Udp, 161);
        let data = b"\x30\x2a\x02\x01\x03\x30\x0d\x02\x01\x01\x02\x02\x10\x00\x04\x01\x07\x02\x01\x03\
            \x04\x14\x30\x12\x04\x05\x80\x00\x1f\x88\x80\x02\x01\x00\x02\x01\x00\x04\x03joe";
        harness.data(Direction::Client, data);
        assert_eq!(harness.ints(&VERSION), [3]);
        assert_eq!(harness.texts(&LEVEL), ["authPriv"]);
        assert_eq!(harness.texts(&ENGINE_ID), ["80001f8880"]);
        assert_eq!(harness.texts(&crate::protocol::USER), ["joe"]);
    }

    #[test]
    fn another_version_is_not_snmp() {
        let mut harness = Harness::new(Transport::Udp, 161);
        harness.data(Direction::Client, b"\x30\x0b\x02\x01\x02\x04\x06public");
        assert!(harness.protocols.is_empty());
    }
}
