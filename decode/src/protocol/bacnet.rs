//! BACnet/IP: what is asked of a building's controllers.

use super::reader::Reader;
use super::{Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

use Kind::Term;

crate::declare_fields! {
    APDU_TYPE = Field::set("bacnet.apdu-type", "bacnet.apduType", Term, "Kinds of messages");
    FUNCTION = Field::set("bacnet.function", "bacnet.function", Term, "Functions of the link");
    OBJECT_NAME = Field::set("bacnet.object-name", "bacnet.objectName", Term, "Names of objects");
    SERVICE = Field::set("bacnet.service", "bacnet.service", Term, "Services asked for");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "bacnet",
    fields: FIELDS,
    signatures: &[Signature::UdpPort(47808, |flow, _, data| begin(flow, data))],
};

#[rustfmt::skip]
const FUNCTIONS: [&str; 12] = [
    "bvlc-result", "write-broadcast-distribution-table", "read-broadcast-distribution-table",
    "read-broadcast-distribution-table-ack", "forwarded-npdu", "register-foreign-device", "read-foreign-device-table",
    "read-foreign-device-table-ack", "delete-foreign-device-table-entry", "distribute-broadcast-to-network",
    "original-unicast", "original-broadcast",
];
const FORWARDED: u8 = 4;

const TYPES: [&str; 8] = [
    "confirmed-request",
    "unconfirmed-request",
    "simple-ack",
    "complex-ack",
    "segment-ack",
    "error",
    "reject",
    "abort",
];

#[rustfmt::skip]
const CONFIRMED: [&str; 30] = [
    "acknowledge-alarm", "confirmed-cov-notification", "confirmed-event-notification", "get-alarm-summary",
    "get-enrollment-summary", "subscribe-cov", "atomic-read-file", "atomic-write-file", "add-list-element",
    "remove-list-element", "create-object", "delete-object", "read-property", "read-property-conditional",
    "read-property-multiple", "write-property", "write-property-multiple", "device-communication-control",
    "confirmed-private-transfer", "confirmed-text-message", "reinitialize-device", "vt-open", "vt-close", "vt-data",
    "authenticate", "request-key", "read-range", "life-safety-operation", "subscribe-cov-property",
    "get-event-information",
];

#[rustfmt::skip]
const UNCONFIRMED: [&str; 11] = [
    "i-am", "i-have", "unconfirmed-cov-notification", "unconfirmed-event-notification",
    "unconfirmed-private-transfer", "unconfirmed-text-message", "time-synchronization", "who-has", "who-is",
    "utc-time-synchronization", "write-group",
];

const READ_PROPERTY: u8 = 12;
const OBJECT_NAME_PROPERTY: u8 = 77;
const SEGMENTED: u8 = 0x08;

/// The link's function and what it carries.
fn link(data: &[u8]) -> Option<(&'static str, Reader<'_>)> {
    let mut reader = Reader::new(data);
    let [kind, function] = reader.array()?;
    let length = usize::from(reader.u16()?);
    let name = FUNCTIONS.get(usize::from(function)).filter(|_| kind == 0x81)?;
    let mut rest = Reader::at(data.get(..length)?, 4);
    if function == FORWARDED {
        rest.skip(6)?;
    }
    Some((name, rest))
}

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if link(data).is_some() {
        each::begin(flow, "bacnet", read);
    }
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let Some((function, mut reader)) = link(data) else {
        flow.anomaly("bacnet-message-malformed");
        return;
    };
    flow.fields.text(&FUNCTION, function);
    if network(&mut reader).is_some() && application(flow, &mut reader).is_none() {
        flow.anomaly("bacnet-message-malformed");
    }
}

/// Passes over the network layer; `None` if it carries no application's message.
fn network(reader: &mut Reader<'_>) -> Option<()> {
    let [version, control] = reader.array()?;
    let (message, destination, source) = (control & 0x80 != 0, control & 0x20 != 0, control & 0x08 != 0);
    if version != 1 || message {
        return None;
    }
    for _ in 0..usize::from(destination) + usize::from(source) {
        reader.skip(2)?;
        let length = usize::from(reader.u8()?);
        reader.skip(length)?;
    }
    reader.skip(usize::from(destination))
}

fn application(flow: &mut Flow<'_>, reader: &mut Reader<'_>) -> Option<()> {
    let first = reader.u8()?;
    let kind = first >> 4;
    flow.fields.text(&APDU_TYPE, TYPES.get(usize::from(kind))?);
    let segmented = if first & SEGMENTED != 0 { 2 } else { 0 };
    let services: &[&str] = match kind {
        0 => {
            reader.skip(2 + segmented)?;
            &CONFIRMED
        }
        1 => &UNCONFIRMED,
        2 | 5 => {
            reader.skip(1)?;
            &CONFIRMED
        }
        3 => {
            reader.skip(1 + segmented)?;
            &CONFIRMED
        }
        _ => return Some(()),
    };
    let service = reader.u8()?;
    if let Some(name) = services.get(usize::from(service)) {
        flow.fields.text(&SERVICE, name);
    }
    if kind == 3
        && service == READ_PROPERTY
        && let Some(name) = object_name(reader)
    {
        flow.fields.bytes(&OBJECT_NAME, name);
    }
    Some(())
}

/// The name in an answer to the question for it: object (0c), property (19), value (3e ... 3f) as UTF-8 text.
fn object_name<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let object = reader.u8()?;
    reader.skip(4)?;
    let [property, number, opening, tag] = reader.array()?;
    if [object, property, number, opening] != [0x0c, 0x19, OBJECT_NAME_PROPERTY, 0x3e] || tag >> 4 != 7 {
        return None;
    }
    let length = match tag & 7 {
        5 => match reader.u8()? {
            254 => usize::from(reader.u16()?),
            255 => return None,
            length => usize::from(length),
        },
        length @ 0..=4 => usize::from(length),
        _ => return None,
    };
    let (encoding, name) = reader.take(length)?.split_first()?;
    Some(name).filter(|_| *encoding == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    const ASKED: &[u8] = b"\x81\x0a\x00\x11\x01\x00\x00\x05\x01\x0c\x0c\x00\x00\x00\x01\x19\x4d";
    const TOLD: &[u8] =
        b"\x81\x0a\x00\x1a\x01\x00\x30\x01\x0c\x0c\x00\x00\x00\x01\x19\x4d\x3e\x75\x06\x00AHU-1\x3f\x00\x00\x00";

    #[test]
    fn a_name_is_asked_for_and_told() {
        let mut harness = Harness::new(Transport::Udp, 47808);
        harness.data(Direction::Client, ASKED);
        harness.data(Direction::Server, TOLD);
        assert_eq!(harness.protocols, ["bacnet"]);
        assert_eq!(harness.texts(&FUNCTION), ["original-unicast"]);
        assert_eq!(harness.texts(&APDU_TYPE), ["confirmed-request", "complex-ack"]);
        assert_eq!(harness.texts(&SERVICE), ["read-property"]);
        assert_eq!(harness.texts(&OBJECT_NAME), ["AHU-1"]);
    }

    #[test]
    fn a_message_cut_or_spoilt_anywhere_does_no_harm() {
        for at in 0..TOLD.len() {
            let mut harness = Harness::new(Transport::Udp, 47808);
            harness.data(Direction::Client, ASKED);
            harness.data(Direction::Server, &TOLD[..at]);
            let mut spoilt = TOLD.to_vec();
            spoilt[at] = 0xff;
            harness.data(Direction::Server, &spoilt);
        }
    }
}
