//! Modbus over TCP: transactions, functions, exceptions.

use super::frames::{Frames, Length};
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::Integer;

crate::declare_fields! {
    EXCEPTION = Field::set("modbus.exccode", "modbus.exccode", Integer, "Codes of exceptions");
    FUNCTION = Field::set("modbus.funccode", "modbus.funccode", Integer, "Codes of functions");
    PROTOCOL_ID = Field::one("modbus.protocolid", "modbus.protocolid", Integer, "Protocol identifier, always zero");
    TRANSACTION = Field::set("modbus.transactionid", "modbus.transactionid", Integer, "Transactions");
    UNIT = Field::one("modbus.unitid", "modbus.unitid", Integer, "Unit behind a gateway");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "modbus", fields: FIELDS, signatures: &[Signature::TcpPort(PORT, begin)] };

const PORT: u16 = 502;
/// Bytes before the counted ones.
const HEADER: usize = 6;
/// Largest message, by the specification.
const MAX_LENGTH: u16 = 254;

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if matches!(length(data), Length::Known(_)) && data.len() > HEADER + 1 && !flow.has_protocol("modbus") {
        flow.protocol("modbus");
        flow.attach(Box::new(Modbus::default()));
    }
}

fn length(data: &[u8]) -> Length {
    match data.first_chunk::<HEADER>() {
        None => Length::More,
        Some(&[_, _, 0, 0, a, b]) => match u16::from_be_bytes([a, b]) {
            length @ 2..=MAX_LENGTH => Length::sum(HEADER, length),
            _ => Length::Bad,
        },
        Some(_) => Length::Bad,
    }
}

/// Requests tell what is done, answers only what went wrong.
fn message(flow: &mut Flow<'_>, data: &[u8], request: bool) {
    let Some(&[a, b, _, _, _, _, unit, function]) = data.first_chunk() else { return };
    flow.fields.int(&PROTOCOL_ID, 0);
    flow.fields.int(&UNIT, unit.into());
    if request {
        flow.fields.int(&TRANSACTION, u16::from_be_bytes([a, b]).into());
        flow.fields.int(&FUNCTION, function.into());
    } else if let (true, Some(&code)) = (function & 0x80 != 0, data.get(8)) {
        flow.fields.int(&EXCEPTION, code.into());
    }
}

#[derive(Default)]
struct Modbus {
    frames: Frames,
}

impl Parser for Modbus {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let sender = match direction {
            Direction::Client => flow.ends.source_port,
            Direction::Server => flow.ends.destination_port,
        };
        let good = self.frames.feed(direction, data, length, |data| message(flow, data, sender != PORT));
        if good { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::{Client, Server};
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn functions_and_exceptions_are_told() {
        let mut harness = Harness::new(Transport::Tcp, 502);
        harness.data(Client, b"\0\x07\0\0\0\x06\x01\x03\0\0\0\x01");
        harness.data(Server, b"\0\x07\0\0\0\x03\x01");
        harness.data(Server, b"\x83\x02");
        assert_eq!(harness.ints(&FUNCTION), [3]);
        assert_eq!(harness.ints(&EXCEPTION), [2]);
        assert_eq!(harness.ints(&TRANSACTION), [7]);
    }
}
