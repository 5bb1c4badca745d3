//! IEEE C37.118: phasor measurement units of a power grid, and who tells them to send.

use super::framed::{self, Frame, Rules};
use super::reader::Reader;
use super::{Direction, Flow, Protocol, Signature, Transport, each};
use crate::field::{Field, Kind};

use Kind::{Integer, LowerTerm, Term};

crate::declare_fields! {
    COMMAND = Field::set("synchrophasor.cmd", "synchrophasor.cmd", Integer, "Commands");
    DATA_RATE = Field::set("synchrophasor.dataRate", "synchrophasor.dataRate", Integer, "Frames a second; below 0, seconds a frame");
    FRAME_TYPE = Field::set("synchrophasor.frameType", "synchrophasor.frameType", LowerTerm, "Kinds of frames");
    ID_CODE = Field::set("synchrophasor.idcode", "synchrophasor.idcode", Integer, "Streams of data");
    UNITS = Field::set("synchrophasor.numPMU", "synchrophasor.numPMU", Integer, "Numbers of units in a stream");
    STATION = Field::set("synchrophasor.station", "synchrophasor.station", Term, "Names of stations");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "synchrophasor",
    fields: FIELDS,
    signatures: &[Signature::Tcp(0, b"\xaa", begin), Signature::Udp(0, b"\xaa", begin)],
};

const RULES: Rules = Rules { length, read, anomaly: "synchrophasor-frame-malformed" };
const TYPES: [&str; 6] = ["data", "header", "cfg1", "cfg2", "command", "cfg3"];
const CONFIGURATION_1: usize = 2;
const CONFIGURATION_2: usize = 3;
const COMMAND_FRAME: usize = 4;
const CONFIGURATION_3: usize = 5;
/// Head and check sum: the shortest frame has nothing else.
const HEAD: usize = 14;
const SHORTEST: usize = HEAD + 2;

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let Frame::Whole(length) = length(data) else { return };
    let next = data.get(length..);
    if flow.ends.transport == Transport::Tcp {
        // One magic byte is little: the frame must fill the segment, or another must follow.
        if next.is_some_and(|next| matches!(next.first(), None | Some(0xaa))) || flow.ends.port(4712) {
            framed::begin(flow, "synchrophasor", RULES);
        }
    } else if next.is_some_and(<[u8]>::is_empty) {
        each::begin(flow, "synchrophasor", read);
    }
}

fn length(data: &[u8]) -> Frame {
    let Some(&[sync, kind, high, low]) = data.first_chunk() else { return Frame::Wait };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let known = kind & 0x80 == 0 && usize::from(kind >> 4) < TYPES.len() && (1..=3).contains(&(kind & 15));
    if sync == 0xaa && known && length >= SHORTEST { Frame::Whole(length) } else { Frame::Bad }
}

fn read(flow: &mut Flow<'_>, frame: &[u8]) {
    if tell(flow, frame).is_none() {
        flow.anomaly("synchrophasor-frame-malformed");
    }
}

fn tell(flow: &mut Flow<'_>, frame: &[u8]) -> Option<()> {
    let Frame::Whole(length) = length(frame) else { return None };
    let kind = usize::from(frame.get(1)? >> 4);
    flow.fields.text(&FRAME_TYPE, TYPES.get(kind)?);
    flow.fields.int(&ID_CODE, i64::from(Reader::at(frame, 4).u16()?));
    let mut body = Reader::new(frame.get(HEAD..length.checked_sub(2)?)?);
    match kind {
        COMMAND_FRAME => flow.fields.int(&COMMAND, i64::from(body.u16()?)),
        CONFIGURATION_1 | CONFIGURATION_2 => configuration(flow, &mut body, unit)?,
        // Spread over several frames, units are cut anywhere; only the first frame begins with one.
        CONFIGURATION_3 if body.u16()? <= 1 => configuration(flow, &mut body, unit_3)?,
        _ => {}
    }
    Some(())
}

/// What each unit of a stream measures, then how often it is sent.
fn configuration<'a>(
    flow: &mut Flow<'_>,
    body: &mut Reader<'a>,
    unit: fn(&mut Reader<'a>) -> Option<&'a [u8]>,
) -> Option<()> {
    body.skip(4)?;
    let count = body.u16()?;
    flow.fields.int(&UNITS, i64::from(count));
    for _ in 0..count {
        flow.fields.bytes(&STATION, unit(body)?.trim_ascii());
    }
    flow.fields.int(&DATA_RATE, i64::from(body.u16()?.cast_signed()));
    Some(())
}

/// How many phasors, analog values and words of switches a unit has.
fn counts(body: &mut Reader<'_>) -> Option<[usize; 3]> {
    Some([usize::from(body.u16()?), usize::from(body.u16()?), usize::from(body.u16()?)])
}

/// Passes over one unit and gives its station; names have 16 bytes, and each switch its own.
fn unit<'a>(body: &mut Reader<'a>) -> Option<&'a [u8]> {
    let station = body.take(16)?;
    body.skip(4)?;
    let [phasors, analogs, digitals] = counts(body)?;
    body.skip(16 * (phasors + analogs + 16 * digitals) + 4 * (phasors + analogs + digitals) + 4)?;
    Some(station)
}

/// The same for the third kind of configuration, whose names tell their length.
fn unit_3<'a>(body: &mut Reader<'a>) -> Option<&'a [u8]> {
    let station = name(body)?;
    body.skip(2 + 16 + 2)?;
    let [phasors, analogs, digitals] = counts(body)?;
    for _ in 0..phasors + analogs + 16 * digitals {
        name(body)?;
    }
    let (scales, place, class, window, frequency) = (12 * phasors + 8 * analogs + 4 * digitals, 12, 1, 8, 4);
    body.skip(scales + place + class + window + frequency)?;
    Some(station)
}

fn name<'a>(body: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = body.u8()?;
    body.take(length.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;

    const COMMAND_5: &[u8] = b"\xaa\x41\x00\x12\x00\x64\x65\x53\xf1\x03\x00\x00\x00\x00\x00\x05\xf8\x91";

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut data = vec![0xaa, kind, 0, (SHORTEST + body.len()) as u8, 0, 7];
        data.extend_from_slice(&[0; 8]);
        data.extend_from_slice(body);
        data.extend_from_slice(&[0xab, 0xcd]);
        data
    }

    fn second() -> Vec<u8> {
        let mut body = b"\x00\x0f\x42\x40\x00\x01DeltaPMU        \x01\x2c\x00\x0f\x00\x01\x00\x00\x00\x00".to_vec();
        body.extend_from_slice(b"Phasor1         \x00\x00\x00\x01\x00\x00\x00\x01\xff\xfe");
        frame(0x31, &body)
    }

    fn third() -> Vec<u8> {
        let mut body = b"\x00\x00\x00\x0f\x42\x40\x00\x01\x03One".to_vec();
        body.extend_from_slice(&[0; 20]);
        body.extend_from_slice(b"\x00\x01\x00\x00\x00\x00\x03PH0");
        body.extend_from_slice(&[0; 12 + 25]);
        body.extend_from_slice(b"\x00\x1e");
        frame(0x52, &body)
    }

    #[test]
    fn a_stream_may_be_cut_at_each_byte() {
        let stream = [COMMAND_5.to_vec(), second(), third()].concat();
        for cut in COMMAND_5.len()..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 4712);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            assert_eq!(harness.protocols, ["synchrophasor"]);
            assert_eq!(harness.texts(&FRAME_TYPE), ["command", "cfg2", "cfg3"]);
            assert_eq!(harness.texts(&STATION), ["DeltaPMU", "One"]);
            assert_eq!(harness.ints(&COMMAND), [5]);
            assert_eq!(harness.ints(&DATA_RATE), [-2, 30]);
            assert_eq!(harness.ints(&ID_CODE), [100, 7]);
        }
    }

    #[test]
    fn datagrams_are_read_one_by_one() {
        let mut harness = Harness::new(Transport::Udp, 5001);
        harness.data(Direction::Client, COMMAND_5);
        harness.data(Direction::Server, &second());
        assert_eq!(harness.texts(&FRAME_TYPE), ["command", "cfg2"]);
        assert_eq!(harness.ints(&UNITS), [1]);
    }

    #[test]
    fn a_frame_cut_or_spoilt_anywhere_does_no_harm() {
        for whole in [second(), third()] {
            for at in 0..whole.len() {
                let mut spoilt = whole.clone();
                spoilt[at] = 0xff;
                for transport in [Transport::Tcp, Transport::Udp] {
                    let mut harness = Harness::new(transport, 4712);
                    harness.data(Direction::Client, COMMAND_5);
                    harness.data(Direction::Client, &spoilt);
                    harness.data(Direction::Server, &whole[..at]);
                }
            }
        }
    }

    #[test]
    fn one_magic_byte_is_not_enough() {
        let mut harness = Harness::new(Transport::Tcp, 80);
        harness.data(Direction::Client, b"\xaa\x41\x00\x12\x00\x64\x65\x53\xf1\x03\x00\x00\x00\x00\x00\x05\xf8\x91x");
        assert!(harness.protocols.is_empty());
    }
}
