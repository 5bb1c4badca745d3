//! Siemens S7 communication, and its successor S7 plus, over ISO transport.

use super::frames::{Frames, Length};
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    ERROR_CLASS = Field::set("s7comm.errorClass", "s7comm.errorClass", Integer, "Classes of errors");
    ERROR_CODE = Field::set("s7comm.errorCode", "s7comm.errorCode", Integer, "Codes of errors");
    FUNCTION = Field::set("s7comm.func", "s7comm.func", Integer, "Codes of functions");
    NAME = Field::set("s7comm.funcName", "s7comm.funcName", Term, "Names of functions");
    OPERATION = Field::set("s7comm.opcode", "s7comm.opcode", Integer, "Operations of S7 plus");
    REFERENCE = Field::set("s7comm.pduref", "s7comm.pduref", Integer, "References of messages");
    KIND = Field::set("s7comm.rosctr", "s7comm.rosctr", Integer, "Kinds of messages");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "s7comm", fields: FIELDS, signatures: &[Signature::Tcp(0, b"\x03\0", begin)] };

/// Bytes of TPKT and of the transport's data header before ours.
const TRANSPORT: usize = 7;
const DATA: u8 = 0xf0;
const CONNECT: [u8; 2] = [0xe0, 0xd0];
const S7: u8 = 0x32;
const S7_PLUS: u8 = 0x72;
/// Request, response, notification, and the response of old controllers.
const OPERATIONS: [u8; 4] = [0x31, 0x32, 0x33, 0x02];

static NAMES: &[(u8, &str)] = &[
    (0x00, "CPU services"),
    (0x04, "Read Var"),
    (0x05, "Write Var"),
    (0x1a, "Request download"),
    (0x1b, "Download block"),
    (0x1c, "Download ended"),
    (0x1d, "Start upload"),
    (0x1e, "Upload"),
    (0x1f, "End upload"),
    (0x28, "PLC Control"),
    (0x29, "PLC Stop"),
    (0xf0, "Setup communication"),
];

/// The connection comes first, and tells nothing of what will use it; RDP's looks alike.
fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let connect = flow.ends.port(102) && data.get(5).is_some_and(|code| CONNECT.contains(&(code & 0xf0)));
    let ours = data.get(5) == Some(&DATA) && matches!(data.get(TRANSPORT), Some(&(S7 | S7_PLUS)));
    if (connect || ours) && !flow.has_protocol("s7comm") && !flow.has_protocol("s7comm-plus") {
        flow.attach(Box::new(S7Comm::default()));
    }
}

/// A TPKT; RDP shares it.
pub fn length(data: &[u8]) -> Length {
    match data.first_chunk::<4>() {
        None => Length::More,
        Some(&[3, _, a, b]) => match u16::from_be_bytes([a, b]) {
            total @ 7.. => Length::Known(total.into()),
            _ => Length::Bad,
        },
        Some(_) => Length::Bad,
    }
}

fn message(flow: &mut Flow<'_>, data: &[u8]) {
    if data.get(5) != Some(&DATA) {
        return;
    }
    let data = data.get(TRANSPORT..).unwrap_or_default();
    match data.first() {
        Some(&S7) => {
            s7(flow, data);
        }
        Some(&S7_PLUS) => {
            flow.protocol("s7comm-plus");
            if let Some(operation) = operation(data) {
                flow.fields.int(&OPERATION, operation.into());
            }
        }
        _ => {}
    }
}

/// What follows version and length; from version 3 on, a digest behind its length comes between.
fn operation(data: &[u8]) -> Option<u8> {
    let &[_, version, _, _, next] = data.first_chunk()?;
    if version < 3 && OPERATIONS.contains(&next) {
        return Some(next);
    }
    data.get(5 + usize::from(next)).copied().filter(|operation| OPERATIONS.contains(operation))
}

fn s7(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    let head = data.first_chunk::<10>()?;
    flow.protocol("s7comm");
    flow.fields.int(&KIND, head[1].into());
    flow.fields.int(&REFERENCE, u16::from_be_bytes([head[4], head[5]]).into());
    let mut parameters = head.len();
    if matches!(head[1], 2 | 3) {
        let &[class, code] = data.get(10..)?.first_chunk()?;
        parameters += 2;
        if class != 0 || code != 0 {
            flow.fields.int(&ERROR_CLASS, class.into());
            flow.fields.int(&ERROR_CODE, code.into());
        }
    }
    if head[6..8] != [0, 0] {
        let function = *data.get(parameters)?;
        flow.fields.int(&FUNCTION, function.into());
        let name = NAMES.iter().find(|(code, _)| *code == function).map(|(_, name)| *name)?;
        flow.fields.text(&NAME, name);
    }
    Some(())
}

#[derive(Default)]
struct S7Comm {
    frames: Frames,
}

impl Parser for S7Comm {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if self.frames.feed(direction, data, length, |data| message(flow, data)) { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::{Client, Server};
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn jobs_and_errors_are_told_however_the_stream_is_cut() {
        let job = b"\x03\0\0\x13\x02\xf0\x80\x32\x01\0\0\x01\0\0\x02\0\0\x04\x01";
        let error = b"\x03\0\0\x13\x02\xf0\x80\x32\x03\0\0\x01\0\0\0\0\0\x81\x04";
        for cut in 8..job.len() {
            let mut harness = Harness::new(Transport::Tcp, 102);
            harness.data(Client, &job[..cut]);
            harness.data(Client, &job[cut..]);
            harness.data(Server, error);
            assert_eq!(harness.texts(&NAME), ["Read Var"], "cut at {cut}");
            assert_eq!(harness.ints(&REFERENCE), [256]);
            assert_eq!(harness.ints(&ERROR_CLASS), [0x81]);
        }
    }

    #[test]
    fn the_operation_of_the_newer_protocol_stands_before_or_behind_a_digest() {
        let told = |message: &[u8]| {
            let packet = [&b"\x03\0\0"[..], &[(TRANSPORT + message.len()) as u8], b"\x02\xf0\x80", message].concat();
            let mut harness = Harness::new(Transport::Tcp, 102);
            harness.data(Client, &packet);
            assert_eq!(harness.protocols, ["s7comm-plus"]);
            harness.ints(&OPERATION)
        };
        let old = [&b"\x72\x01\0\x40\x31\0\0\x04\xca"[..], &[5; 0x40]].concat();
        assert_eq!(told(&old), [0x31]);
        assert_eq!(told(b"\x72\x01\0\x06\0\x31\0\0\0\0"), [0x31]);
        assert_eq!(told(b"\x72\x03\0\x0a\x04\xaa\xbb\xcc\xdd\x32\0\0\0\0"), [0x32]);
        assert_eq!(told(b"\x72\x03\0\x06\x01\xaa\x77"), []);
        assert_eq!(told(b"\x72\x03\0\x06\xff\xaa"), []);
        assert_eq!(told(b"\x72\xff"), []);
    }
}
