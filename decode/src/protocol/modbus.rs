//! Modbus on TCP: which functions are asked of which units, and what is refused.

use super::framed::{self, Frame, Rules};
use super::reader::Reader;
use super::{Direction, Flow, Protocol, Signature};
use crate::field::{Field, Kind};

use Kind::Integer;

crate::declare_fields! {
    EXCEPTION = Field::set("modbus.exccode", "modbus.exccode", Integer, "Why functions were refused");
    FUNCTION = Field::set("modbus.funccode", "modbus.funccode", Integer, "Functions");
    PROTOCOL_ID = Field::one("modbus.protocolid", "modbus.protocolid", Integer, "Protocol, 0 for Modbus");
    TRANSACTION = Field::set("modbus.transactionid", "modbus.transactionid", Integer, "Transactions");
    UNIT = Field::one("modbus.unitid", "modbus.unitid", Integer, "Unit behind the gateway");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "modbus", fields: FIELDS, signatures: &[Signature::TcpPort(502, begin)] };

const RULES: Rules = Rules { length, read, anomaly: "modbus-message-malformed" };
/// Transaction, protocol and length.
const HEAD: usize = 6;
/// Unit and message, as the standard bounds them.
const LONGEST: usize = 254;
/// The bit of a function that says it was refused; the reason alone is told then.
const REFUSED: u8 = 0x80;
const REFUSAL: usize = 3;

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if data.len() > HEAD + 1 && matches!(length(data), Frame::Whole(_)) {
        framed::begin(flow, "modbus", RULES);
    }
}

fn length(data: &[u8]) -> Frame {
    let mut reader = Reader::at(data, 2);
    let (Some(protocol), Some(length)) = (reader.u16(), reader.u16().map(usize::from)) else { return Frame::Wait };
    if protocol != 0 || !(2..=LONGEST).contains(&length) {
        return Frame::Bad;
    }
    match data.get(HEAD + 1) {
        None => Frame::Wait,
        Some(function) if function & REFUSED != 0 && length != REFUSAL => Frame::Bad,
        Some(_) => Frame::Whole(HEAD + length),
    }
}

fn read(flow: &mut Flow<'_>, message: &[u8]) {
    let Some(&[t0, t1, _, _, _, _, unit, function]) = message.first_chunk() else { return };
    flow.fields.int(&PROTOCOL_ID, 0);
    flow.fields.int(&UNIT, i64::from(unit));
    if function & REFUSED == 0 {
        flow.fields.int(&TRANSACTION, i64::from(u16::from_be_bytes([t0, t1])));
        flow.fields.int(&FUNCTION, i64::from(function));
    } else if let Some(reason) = message.get(HEAD + 2) {
        flow.fields.int(&EXCEPTION, i64::from(*reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{ANOMALY, Transport};

    const REQUEST: &[u8] = b"\x01\x02\0\0\0\x06\x09\x03\0\0\0\x0a";
    const REFUSED_2: &[u8] = b"\x01\x03\0\0\0\x03\x09\x83\x02";

    #[test]
    fn a_stream_may_be_cut_at_each_byte() {
        let stream = [REQUEST, REFUSED_2, REQUEST].concat();
        for cut in HEAD + 2..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 502);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            assert_eq!(harness.protocols, ["modbus"]);
            assert_eq!(harness.ints(&FUNCTION), [3]);
            assert_eq!(harness.ints(&TRANSACTION), [0x102]);
            assert_eq!(harness.ints(&UNIT), [9]);
            assert_eq!(harness.ints(&EXCEPTION), [2]);
            assert!(harness.texts(&ANOMALY).is_empty());
        }
    }

    #[test]
    fn a_refusal_without_its_reason_ends_the_reading_of_a_direction() {
        let mut harness = Harness::new(Transport::Tcp, 502);
        harness.data(Direction::Client, REQUEST);
        harness.data(Direction::Server, b"\x01\x02\0\0\0\x02\x09\x83\x02\x02\0\0\0\x05\x09\x04\x02\0\0");
        assert_eq!(harness.texts(&ANOMALY), ["modbus-message-malformed"]);
        harness.data(Direction::Client, b"\x01\x04\0\0\0\x06\x09\x06\0\0\0\x0a");
        assert_eq!(harness.ints(&FUNCTION), [3, 6]);
    }

    #[test]
    fn another_protocol_at_the_port_is_not_modbus() {
        for data in [&b"what is this?"[..], b"\x01\x02\0\0\0\x00\x09\x03", b"\x01\x02\0\0\x01\x00\x09\x03"] {
            let mut harness = Harness::new(Transport::Tcp, 502);
            harness.data(Direction::Client, data);
            assert!(harness.protocols.is_empty());
        }
    }
}
