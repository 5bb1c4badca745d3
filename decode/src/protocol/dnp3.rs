//! DNP3: what masters ask of a utility's outstations.

use super::framed::{self, Frame, Rules};
use super::{Direction, Flow, Protocol, Signature, Transport, each};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    DESTINATION = Field::set("dnp3.dst", "dnp3.dst", Integer, "Addresses of receivers");
    FUNCTION = Field::set("dnp3.func", "dnp3.func", Integer, "Functions, by number");
    NAME = Field::set("dnp3.funcName", "dnp3.funcName", Term, "Functions, by name");
    SOURCE = Field::set("dnp3.src", "dnp3.src", Integer, "Addresses of senders");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "dnp3",
    fields: FIELDS,
    signatures: &[Signature::Tcp(0, START, begin), Signature::Udp(0, START, begin)],
};

const START: &[u8] = b"\x05\x64";
const RULES: Rules = Rules { length, read, anomaly: "dnp3-frame-malformed" };
/// Start, length, control, two addresses and their check sum.
const HEAD: usize = 10;
/// Control and addresses, which the length counts.
const COUNTED: usize = 5;
/// Bytes of data that share a check sum of two bytes.
const BLOCK: usize = 16;
/// The bit of a transport segment that says a message begins in it.
const FIRST: u8 = 0x40;

#[rustfmt::skip]
const REQUESTS: [&str; 34] = [
    "Confirm", "Read", "Write", "Select", "Operate", "DirectOperate", "DirectOperateNR", "ImmediateFreeze",
    "ImmediateFreezeNR", "FreezeClear", "FreezeClearNR", "FreezeAtTime", "FreezeAtTimeNR", "ColdRestart",
    "WarmRestart", "InitializeData", "InitializeApplication", "StartApplication", "StopApplication",
    "SaveConfiguration", "EnableUnsolicited", "DisableUnsolicited", "AssignClass", "DelayMeasurement",
    "RecordCurrentTime", "OpenFile", "CloseFile", "DeleteFile", "GetFileInfo", "AuthenticateFile", "AbortFile",
    "ActivateConfig", "AuthenticationRequest", "AuthenticationRequestNR",
];
const ANSWERS: [&str; 3] = ["Response", "UnsolicitedResponse", "AuthenticationResponse"];
const FIRST_ANSWER: u8 = 0x81;

fn name(function: u8) -> Option<&'static str> {
    match function.checked_sub(FIRST_ANSWER) {
        Some(answer) => ANSWERS.get(usize::from(answer)).copied(),
        None => REQUESTS.get(usize::from(function)).copied(),
    }
}

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if data.len() < HEAD || !matches!(length(data), Frame::Whole(_)) {
        return;
    }
    if flow.ends.transport == Transport::Tcp {
        framed::begin(flow, "dnp3", RULES);
    } else {
        each::begin(flow, "dnp3", datagram);
    }
}

fn length(data: &[u8]) -> Frame {
    let Some(&[a, b, length]) = data.first_chunk() else { return Frame::Wait };
    match usize::from(length).checked_sub(COUNTED) {
        Some(user) if [a, b] == START => Frame::Whole(HEAD + user + 2 * user.div_ceil(BLOCK)),
        _ => Frame::Bad,
    }
}

/// Frames one after the other, as many as the datagram has.
fn datagram(flow: &mut Flow<'_>, mut data: &[u8]) {
    while !data.is_empty() {
        let whole = match length(data) {
            Frame::Whole(length) => data.split_at_checked(length),
            _ => None,
        };
        let Some((frame, rest)) = whole else {
            flow.anomaly("dnp3-frame-malformed");
            return;
        };
        read(flow, frame);
        data = rest;
    }
}

fn read(flow: &mut Flow<'_>, frame: &[u8]) {
    let Some(&[_, _, _, _, d0, d1, s0, s1]) = frame.first_chunk() else { return };
    flow.fields.int(&DESTINATION, i64::from(u16::from_le_bytes([d0, d1])));
    flow.fields.int(&SOURCE, i64::from(u16::from_le_bytes([s0, s1])));
    let Some(&[transport, _, function]) = frame.get(HEAD..).and_then(|user| user.first_chunk()) else { return };
    // Two check bytes end what there is: a function has at least them behind it.
    if transport & FIRST != 0 && frame.len() >= HEAD + 5 {
        flow.fields.int(&FUNCTION, i64::from(function));
        flow.fields.text(&NAME, name(function).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;

    const READ: &[u8] = b"\x05\x64\x0b\xc4\x01\x00\x02\x00\x69\x9e\xc0\xc1\x01\x3c\x02\x06\x52\xc3";
    const ANSWER: &[u8] = b"\x05\x64\x0a\x44\x02\x00\x01\x00\x10\xf0\xc0\xc1\x81\x00\x00\x74\x2a";
    const LINK_ONLY: &[u8] = b"\x05\x64\x05\x00\x20\x4e\x0a\x00\xce\x08";

    #[test]
    fn a_stream_may_be_cut_at_each_byte() {
        let stream = [LINK_ONLY, READ, ANSWER].concat();
        for cut in HEAD..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 20000);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            assert_eq!(harness.protocols, ["dnp3"]);
            assert_eq!(harness.ints(&DESTINATION), [20000, 1, 2]);
            assert_eq!(harness.ints(&SOURCE), [10, 2, 1]);
            assert_eq!(harness.ints(&FUNCTION), [1, 0x81]);
            assert_eq!(harness.texts(&NAME), ["Read", "Response"]);
        }
    }

    #[test]
    fn a_datagram_may_hold_several_frames_and_be_cut() {
        for cut in 0..READ.len() {
            let mut harness = Harness::new(Transport::Udp, 20000);
            harness.data(Direction::Client, &[READ, ANSWER, &READ[..cut]].concat());
            assert_eq!(harness.texts(&NAME), ["Read", "Response"]);
        }
    }

    #[test]
    fn later_segments_of_a_message_have_no_function() {
        let mut harness = Harness::new(Transport::Udp, 20000);
        harness.data(Direction::Client, &[&READ[..HEAD], b"\x81\xc1\x01\x3c\x02\x06\x52\xc3"].concat());
        assert!(harness.texts(&NAME).is_empty());
        assert_eq!(harness.ints(&SOURCE), [2]);
    }
}
