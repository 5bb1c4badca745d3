//! IEC 60870-5-104: what a control centre asks of its stations, and what they tell.

use super::framed::{self, Frame, Rules};
use super::reader::Reader;
use super::{Direction, Flow, Protocol, Signature};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    TYPE = Field::set("iec104.type", "iec104.type", Term, "Types of what is told or commanded");
    CAUSE = Field::set("iec104.cause", "iec104.cause", Integer, "Causes of transmission");
    STATION = Field::set("iec104.station", "iec104.station", Integer, "Common addresses: stations, or parts of them");
    OBJECT = Field::set("iec104.object", "iec104.object", Integer, "First information object of each message");
    CONTROL = Field::set("iec104.control", "iec104.control", Term, "Functions that start, stop and test the connection");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "iec104", fields: FIELDS, signatures: &[Signature::Tcp(0, b"\x68", begin)] };

const PORT: u16 = 2404;
const START: u8 = 0x68;
/// Start and length.
const HEAD: usize = 2;
/// Lengths a message may tell: control fields alone, or with the most that fits.
const LENGTHS: std::ops::RangeInclusive<u8> = 4..=253;

const RULES: Rules = Rules { length, read, anomaly: "iec104-message-malformed" };

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    // A connection begins with a control function; one that was joined later is known by its port.
    let control = matches!(data, [START, 4, first, 0, 0, 0, ..] if control_name(*first).is_some());
    let whole = data.get(1).is_some_and(|length| LENGTHS.contains(length) && usize::from(*length) + HEAD <= data.len());
    if control || (whole && flow.ends.port(PORT)) {
        framed::begin(flow, "iec104", RULES);
    }
}

fn length(data: &[u8]) -> Frame {
    match data {
        [] | [START] => Frame::Wait,
        [START, length, ..] if LENGTHS.contains(length) => Frame::Whole(usize::from(*length) + HEAD),
        _ => Frame::Bad,
    }
}

fn control_name(field: u8) -> Option<&'static str> {
    match field {
        0x07 => Some("STARTDT act"),
        0x0b => Some("STARTDT con"),
        0x13 => Some("STOPDT act"),
        0x23 => Some("STOPDT con"),
        0x43 => Some("TESTFR act"),
        0x83 => Some("TESTFR con"),
        _ => None,
    }
}

fn read(flow: &mut Flow<'_>, message: &[u8]) {
    match message.get(HEAD) {
        Some(field) if field & 3 == 3 => {
            if let Some(name) = control_name(*field) {
                flow.fields.text(&CONTROL, name);
            }
        }
        Some(field) if field & 1 == 0 && unit(flow, Reader::at(message, HEAD + 4)).is_none() => {
            flow.anomaly(RULES.anomaly);
        }
        _ => {}
    }
}

/// A data unit: type, number of objects, cause (with who caused it), station, and the first object's address.
fn unit(flow: &mut Flow<'_>, mut reader: Reader<'_>) -> Option<()> {
    let [kind, _, cause, _] = reader.array()?;
    let station = u16::from_le_bytes(reader.array()?);
    let [low, middle, high] = reader.array()?;
    match type_name(kind) {
        Some(name) => flow.fields.text(&TYPE, name),
        None => flow.fields.text(&TYPE, &kind.to_string()),
    }
    flow.fields.int(&CAUSE, i64::from(cause & 0x3f));
    flow.fields.int(&STATION, i64::from(station));
    flow.fields.int(&OBJECT, i64::from(u32::from_le_bytes([low, middle, high, 0])));
    Some(())
}

#[rustfmt::skip]
fn type_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "M_SP_NA_1", 3 => "M_DP_NA_1", 5 => "M_ST_NA_1", 7 => "M_BO_NA_1", 9 => "M_ME_NA_1", 11 => "M_ME_NB_1",
        13 => "M_ME_NC_1", 15 => "M_IT_NA_1", 20 => "M_PS_NA_1", 21 => "M_ME_ND_1", 30 => "M_SP_TB_1", 31 => "M_DP_TB_1",
        32 => "M_ST_TB_1", 33 => "M_BO_TB_1", 34 => "M_ME_TD_1", 35 => "M_ME_TE_1", 36 => "M_ME_TF_1", 37 => "M_IT_TB_1",
        38 => "M_EP_TD_1", 39 => "M_EP_TE_1", 40 => "M_EP_TF_1", 45 => "C_SC_NA_1", 46 => "C_DC_NA_1", 47 => "C_RC_NA_1",
        48 => "C_SE_NA_1", 49 => "C_SE_NB_1", 50 => "C_SE_NC_1", 51 => "C_BO_NA_1", 58 => "C_SC_TA_1", 59 => "C_DC_TA_1",
        60 => "C_RC_TA_1", 61 => "C_SE_TA_1", 62 => "C_SE_TB_1", 63 => "C_SE_TC_1", 64 => "C_BO_TA_1", 70 => "M_EI_NA_1",
        100 => "C_IC_NA_1", 101 => "C_CI_NA_1", 102 => "C_RD_NA_1", 103 => "C_CS_NA_1", 105 => "C_RP_NA_1",
        107 => "C_TS_TA_1", 110 => "P_ME_NA_1", 111 => "P_ME_NB_1", 112 => "P_ME_NC_1", 113 => "P_AC_NA_1",
        120 => "F_FR_NA_1", 121 => "F_SR_NA_1", 122 => "F_SC_NA_1", 123 => "F_LS_NA_1", 124 => "F_AF_NA_1",
        125 => "F_SG_NA_1", 126 => "F_DR_TA_1", 127 => "F_SC_NB_1",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{ANOMALY, Transport};

    /// The connection is started, then a single command is sent to object 5 of station 10.
    const STREAM: &[u8] = b"\x68\x04\x07\0\0\0\x68\x0e\0\0\0\0\x2d\x01\x06\0\x0a\0\x05\0\0\x01";

    #[test]
    fn a_command_is_told_however_the_stream_is_cut() {
        for at in 6..STREAM.len() {
            let mut harness = Harness::new(Transport::Tcp, PORT);
            harness.data(Direction::Client, &STREAM[..at]);
            harness.data(Direction::Client, &STREAM[at..]);
            assert_eq!(harness.protocols, ["iec104"]);
            assert_eq!(harness.texts(&CONTROL), ["STARTDT act"]);
            assert_eq!(harness.texts(&TYPE), ["C_SC_NA_1"]);
            assert_eq!((harness.ints(&CAUSE), harness.ints(&STATION)), (vec![6], vec![10]));
            assert_eq!(harness.ints(&OBJECT), [5]);
        }
    }

    #[test]
    fn what_only_begins_alike_is_something_else() {
        let mut harness = Harness::new(Transport::Tcp, 4000);
        harness.data(Direction::Client, b"hello there");
        assert!(harness.protocols.is_empty());
    }

    #[test]
    fn a_unit_too_short_shows() {
        let mut harness = Harness::new(Transport::Tcp, PORT);
        harness.data(Direction::Client, b"\x68\x05\0\0\0\0\x2d");
        assert_eq!(harness.texts(&ANOMALY), ["iec104-message-malformed"]);
    }
}
