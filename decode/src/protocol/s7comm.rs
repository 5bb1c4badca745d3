//! S7comm and S7comm-plus: what is asked of Siemens' controllers, behind ISO's transport on TCP.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    ERROR_CLASS = Field::set("s7comm.errorClass", "s7comm.errorClass", Integer, "Classes of errors");
    ERROR_CODE = Field::set("s7comm.errorCode", "s7comm.errorCode", Integer, "Errors");
    FUNCTION = Field::set("s7comm.func", "s7comm.func", Integer, "Functions, by number");
    NAME = Field::set("s7comm.funcName", "s7comm.funcName", Term, "Functions, by name");
    OPCODE = Field::set("s7comm.opcode", "s7comm.opcode", Integer, "Kinds of messages of S7comm-plus");
    REFERENCE = Field::set("s7comm.pduref", "s7comm.pduref", Integer, "References that answers share with requests");
    ROSCTR = Field::set("s7comm.rosctr", "s7comm.rosctr", Integer, "Kinds of messages: job, ack, ack with data, user data");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "s7comm", fields: FIELDS, signatures: &[Signature::Tcp(0, b"\x03\x00", begin)] };

/// Head of a packet of ISO's transport on TCP.
const HEAD: usize = 4;
const SHORTEST: u16 = 7;
const DATA: u8 = 0xf0;
const CONNECT: [u8; 2] = [0xe0, 0xd0];
const S7: u8 = 0x32;
const S7_PLUS: u8 = 0x72;
/// Kinds of messages that tell errors.
const ACKS: [u8; 2] = [2, 3];
const PLUS_OPCODES: [u8; 4] = [0x31, 0x32, 0x33, 0x02];

const NAMES: &[(u8, &str)] = &[
    (0x00, "CPU services"),
    (0x01, "Mode transition"),
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

#[derive(Default)]
struct S7comm {
    frames: Frames,
}

/// The same transport carries other protocols (RDP, MMS): there is no name before an S7 message comes.
fn begin(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let s7 = match data.get(HEAD..) {
        Some([_, kind, ..]) if CONNECT.contains(kind) => flow.ends.port(102),
        Some([2, DATA, _, S7 | S7_PLUS, ..]) => true,
        _ => false,
    };
    // The server's first data meet the parser that the client's brought.
    if s7 && matches!(length(data), Length::Known(_)) && (direction == Direction::Client || !names(flow)) {
        flow.attach(Box::new(S7comm::default()));
    }
}

fn names(flow: &Flow<'_>) -> bool {
    flow.has_protocol("s7comm") || flow.has_protocol("s7comm-plus")
}

fn length(data: &[u8]) -> Length {
    match data.first_chunk() {
        Some(&[3, 0, high, low]) => match u16::from_be_bytes([high, low]) {
            length @ SHORTEST.. => Length::sum(0, length),
            _ => Length::Bad,
        },
        Some(_) => Length::Bad,
        None => Length::More,
    }
}

impl Parser for S7comm {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let whole = self.frames.feed(direction, data, length, |packet| match packet.get(HEAD..) {
            Some([2, DATA, _, S7, message @ ..]) => drop(read(flow, message)),
            Some([2, DATA, _, S7_PLUS, message @ ..]) => drop(read_plus(flow, message)),
            _ => {}
        });
        if whole {
            return Status::More;
        }
        if names(flow) {
            flow.anomaly("s7comm-packet-malformed");
        }
        Status::Done
    }
}

/// Kind, reference, lengths of parameters and data, for answers an error; the first parameter is the function.
fn read(flow: &mut Flow<'_>, message: &[u8]) -> Option<()> {
    let mut reader = Reader::new(message);
    let kind = reader.u8()?;
    reader.skip(2)?;
    let (reference, parameters) = (reader.u16()?, reader.u16()?);
    reader.skip(2)?;
    flow.protocol("s7comm");
    flow.fields.int(&ROSCTR, i64::from(kind));
    flow.fields.int(&REFERENCE, i64::from(reference));
    if ACKS.contains(&kind) {
        let [class, code] = reader.array()?;
        if [class, code] != [0, 0] {
            flow.fields.int(&ERROR_CLASS, i64::from(class));
            flow.fields.int(&ERROR_CODE, i64::from(code));
        }
    }
    if parameters > 0 {
        let function = reader.u8()?;
        flow.fields.int(&FUNCTION, i64::from(function));
        if let Some((_, name)) = NAMES.iter().find(|(number, _)| *number == function) {
            flow.fields.text(&NAME, name);
        }
    }
    Some(())
}

/// Version and length, from version 3 on a digest behind its length, then what kind of message it is.
fn read_plus(flow: &mut Flow<'_>, message: &[u8]) -> Option<()> {
    flow.protocol("s7comm-plus");
    let mut reader = Reader::new(message);
    let version = reader.u8()?;
    reader.skip(2)?;
    let mut opcode = reader.u8()?;
    if version >= 3 || !PLUS_OPCODES.contains(&opcode) {
        reader.skip(opcode.into())?;
        opcode = reader.u8()?;
    }
    if PLUS_OPCODES.contains(&opcode) {
        flow.fields.int(&OPCODE, i64::from(opcode));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    const CONNECTING: &[u8] = b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x02";
    const SETUP: &[u8] = b"\x03\0\0\x17\x02\xf0\x802\x01\0\0\0\x01\0\x06\0\0\xf0\0\x01\xe0\x01\xe0";
    const REFUSAL: &[u8] = b"\x03\0\0\x15\x02\xf0\x802\x03\0\0\x01\x01\0\x01\0\x01\x81\x04\x05\x0a";
    const PLUS_1: &[u8] = b"\x03\0\0\x10\x02\xf0\x80\x72\x01\0\x0a1\0\0\0\0";
    const PLUS_3: &[u8] = b"\x03\0\0\x15\x02\xf0\x80\x72\x03\0\x0a\x04\xaa\xbb\xcc\xdd2\0\0\0\0";

    #[test]
    fn a_stream_may_be_cut_at_each_byte() {
        let stream = [CONNECTING, SETUP, REFUSAL].concat();
        for cut in 7..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 102);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            assert_eq!(harness.protocols, ["s7comm"]);
            assert_eq!(harness.texts(&NAME), ["Setup communication", "Write Var"]);
            assert_eq!(harness.ints(&REFERENCE), [1, 0x101]);
            assert_eq!(harness.ints(&ROSCTR), [1, 3]);
            assert_eq!(harness.ints(&ERROR_CLASS), [0x81]);
            assert_eq!(harness.ints(&ERROR_CODE), [4]);
        }
    }

    #[test]
    fn the_newer_protocol_has_a_name_of_its_own() {
        let mut harness = Harness::new(Transport::Tcp, 102);
        harness.data(Direction::Client, PLUS_1);
        harness.data(Direction::Server, PLUS_3);
        assert_eq!(harness.protocols, ["s7comm-plus"]);
        assert_eq!(harness.ints(&OPCODE), [0x31, 0x32]);
    }

    #[test]
    fn connecting_alone_has_no_name() {
        let mut harness = Harness::new(Transport::Tcp, 102);
        harness.data(Direction::Client, CONNECTING);
        assert!(harness.protocols.is_empty());
    }

    #[test]
    fn a_packet_spoilt_anywhere_does_no_harm() {
        for whole in [SETUP, REFUSAL, PLUS_1, PLUS_3] {
            for at in 0..whole.len() {
                let mut spoilt = whole.to_vec();
                spoilt[at] = 0xff;
                let mut harness = Harness::new(Transport::Tcp, 102);
                harness.data(Direction::Client, whole);
                harness.data(Direction::Server, &spoilt);
            }
        }
    }
}
