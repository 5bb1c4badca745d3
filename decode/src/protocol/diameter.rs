//! Diameter, over TCP and SCTP: commands, and between whom.

use super::framed::{self, Frame, Rules};
use super::reader::Reader;
use super::{Flow, Protocol, Signature};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    APP = Field::set("diameter.app", "diameter.app", Term, "Applications");
    COMMAND = Field::set("diameter.cmd", "diameter.cmd", Term, "Commands");
    DEST_HOST = Field::set("diameter.dest-host", "diameter.destHost", Term, "Hosts spoken to");
    DEST_REALM = Field::set("diameter.dest-realm", "diameter.destRealm", Term, "Realms spoken to");
    ORIGIN_HOST = Field::set("diameter.origin-host", "diameter.originHost", Term, "Hosts that speak");
    ORIGIN_REALM = Field::set("diameter.origin-realm", "diameter.originRealm", Term, "Realms that speak");
    RESULT_CODE = Field::set("diameter.resultCode", "diameter.resultCode", Integer, "Result codes");
    SESSION_ID = Field::set("diameter.session-id", "diameter.sessionId", Term, "Sessions");
    USER = Field::set("diameter.user", "diameter.user", Term, "Users");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "diameter",
    fields: FIELDS,
    signatures: &[Signature::TcpPort(3868, |flow, _, data| begin(flow, data))],
};

const HEADER: usize = 20;
const RULES: Rules = Rules { length, read, anomaly: "diameter-message-malformed" };

#[rustfmt::skip]
const COMMANDS: &[(u32, &str)] = &[
    (257, "Capabilities-Exchange"), (258, "Re-Auth"), (265, "AA"), (268, "Diameter-EAP"), (271, "Accounting"),
    (272, "Credit-Control"), (274, "Abort-Session"), (275, "Session-Termination"), (280, "Device-Watchdog"),
    (282, "Disconnect-Peer"), (300, "User-Authorization"), (301, "Server-Assignment"), (302, "Location-Info"),
    (303, "Multimedia-Auth"), (304, "Registration-Termination"), (305, "Push-Profile"), (306, "User-Data"),
    (307, "Profile-Update"), (308, "Subscribe-Notifications"), (309, "Push-Notification"), (316, "Update-Location"),
    (317, "Cancel-Location"), (318, "Authentication-Information"), (319, "Insert-Subscriber-Data"),
    (320, "Delete-Subscriber-Data"), (321, "Purge-UE"), (322, "Reset"), (323, "Notify"), (324, "ME-Identity-Check"),
];

#[rustfmt::skip]
const APPS: &[(u32, &str)] = &[
    (0, "Common"), (1, "NASREQ"), (2, "Mobile-IPv4"), (3, "Base-Accounting"), (4, "Credit-Control"), (5, "EAP"),
    (6, "SIP"), (16_777_216, "3GPP-Cx"), (16_777_217, "3GPP-Sh"), (16_777_236, "3GPP-Rx"), (16_777_238, "3GPP-Gx"),
    (16_777_251, "3GPP-S6a"), (16_777_252, "3GPP-S13"), (u32::MAX, "Relay"),
];

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if matches!(length(data), Frame::Whole(_)) {
        framed::begin(flow, "diameter", RULES);
    }
}

/// Reads the message that one SCTP chunk holds.
pub fn datagram(flow: &mut Flow<'_>, data: &[u8]) {
    if matches!(length(data), Frame::Whole(length) if length <= data.len()) {
        flow.protocol("diameter");
        read(flow, data);
    }
}

fn length(data: &[u8]) -> Frame {
    let mut reader = Reader::new(data);
    let (Some(version), Some(length)) = (reader.u8(), reader.u24()) else { return Frame::Wait };
    // The low bits of the flags and the two lowest of the length are always zero.
    let flags = reader.u8().unwrap_or(0);
    let length = length as usize;
    if version == 1 && length >= HEADER && length.is_multiple_of(4) && flags & 0x0f == 0 {
        Frame::Whole(length)
    } else {
        Frame::Bad
    }
}

fn look_up(table: &[(u32, &'static str)], number: u32) -> &'static str {
    match table.iter().find(|(n, _)| *n == number) {
        Some((_, name)) => name,
        None => "Unknown",
    }
}

fn read(flow: &mut Flow<'_>, message: &[u8]) {
    if tell(flow, message).is_none() {
        flow.anomaly("diameter-message-malformed");
    }
}

fn tell(flow: &mut Flow<'_>, message: &[u8]) -> Option<()> {
    let mut reader = Reader::at(message, 4);
    let (flags, command, app) = (reader.u8()?, reader.u24()?, reader.u32()?);
    let kind = if flags & 0x80 != 0 { "Request" } else { "Answer" };
    flow.fields.text(&COMMAND, &format!("{}-{kind} ({command})", look_up(COMMANDS, command)));
    flow.fields.text(&APP, &format!("{} ({app})", look_up(APPS, app)));
    reader.skip(8)?;
    while !reader.is_empty() {
        attribute(flow, &mut reader)?;
    }
    Some(())
}

fn attribute(flow: &mut Flow<'_>, reader: &mut Reader<'_>) -> Option<()> {
    let (code, flags, length) = (reader.u32()?, reader.u8()?, reader.u24()? as usize);
    let vendor = if flags & 0x80 != 0 { reader.u32()? } else { 0 };
    let head = if flags & 0x80 != 0 { 12 } else { 8 };
    let value = reader.take(length.checked_sub(head)?)?;
    reader.skip((length.next_multiple_of(4) - length).min(reader.left()))?;
    if vendor != 0 {
        return Some(());
    }
    match code {
        1 => flow.fields.bytes(&USER, value),
        263 => flow.fields.bytes(&SESSION_ID, value),
        264 => flow.fields.bytes(&ORIGIN_HOST, value),
        268 => flow.fields.int(&RESULT_CODE, i64::from(Reader::new(value).u32()?)),
        283 => flow.fields.bytes(&DEST_REALM, value),
        293 => flow.fields.bytes(&DEST_HOST, value),
        296 => flow.fields.bytes(&ORIGIN_REALM, value),
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    fn message(flags: u8, command: u8, attributes: &[u8]) -> Vec<u8> {
        let mut data = vec![1, 0, 0, (HEADER + attributes.len()) as u8, flags, 0, 1, command];
        data.extend_from_slice(&[0; 12]);
        data.extend_from_slice(attributes);
        data
    }

    const ATTRIBUTES: &[u8] = b"\0\0\x01\x08\x40\0\0\x0dhost1\0\0\0\0\0\x01\x0c\x40\0\0\x0c\0\0\x07\xd1";

    #[test]
    fn a_stream_may_be_cut_at_each_byte() {
        let stream = [message(0x80, 1, ATTRIBUTES), message(0, 24, ATTRIBUTES)].concat();
        for cut in 5..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 3868);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            assert_eq!(harness.protocols, ["diameter"]);
            assert_eq!(
                harness.texts(&COMMAND),
                ["Capabilities-Exchange-Request (257)", "Device-Watchdog-Answer (280)"]
            );
            assert_eq!(harness.texts(&ORIGIN_HOST), ["host1"]);
            assert_eq!(harness.ints(&RESULT_CODE), [2001]);
        }
    }

    #[test]
    fn a_message_spoilt_anywhere_does_no_harm() {
        let whole = message(0x80, 1, ATTRIBUTES);
        for at in 0..whole.len() {
            let mut spoilt = whole.clone();
            spoilt[at] = 0xff;
            let mut harness = Harness::new(Transport::Tcp, 3868);
            harness.data(Direction::Client, &whole);
            harness.data(Direction::Client, &spoilt);
        }
    }
}
