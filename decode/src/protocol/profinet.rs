//! PROFINET on Ethernet: the discovery protocol (DCP) by which stations are found, named and given addresses.

use std::net::Ipv4Addr;

use super::reader::Reader;
use super::{Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

use Kind::{Ip, Term};

crate::declare_fields! {
    SERVICE = Field::set("profinet.service", "profinet.service", Term, "Services of the discovery protocol");
    STATION = Field::set("profinet.station", "profinet.station", Term, "Names of stations");
    VENDOR = Field::set("profinet.vendor", "profinet.vendor", Term, "Kinds of stations, as their makers call them");
    ADDRESS = Field::set("ip.profinet", "profinet.ip", Ip, "Addresses of stations");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "profinet",
    fields: FIELDS,
    signatures: &[Signature::EtherType(0x8892, |flow, _, _| each::begin(flow, "profinet", read))],
};

/// Frames of the discovery protocol; all others carry process data or alarms, whose form the project decides.
const DISCOVERY: std::ops::RangeInclusive<u16> = 0xfefc..=0xfeff;
const SET: u8 = 4;

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let mut reader = Reader::new(data);
    let Some(frame) = reader.u16() else { return };
    if DISCOVERY.contains(&frame) && discovery(flow, reader).is_none() {
        flow.anomaly("profinet-message-malformed");
    }
}

fn discovery(flow: &mut Flow<'_>, mut reader: Reader<'_>) -> Option<()> {
    let [service, kind] = reader.array()?;
    // The exchange's number, and how long to wait.
    reader.skip(6)?;
    let length = reader.u16()?;
    let name = match service {
        3 => "Get",
        SET => "Set",
        5 => "Identify",
        6 => "Hello",
        _ => return None,
    };
    let response = kind & 1 != 0;
    flow.fields.text(&SERVICE, &format!("{name} {}", if response { "response" } else { "request" }));
    let mut blocks = Reader::new(reader.take(usize::from(length).min(reader.left()))?);
    while blocks.left() >= 4 {
        let (option, size) = (blocks.array::<2>()?, usize::from(blocks.u16()?));
        // Responses have a word about the block before its value, settings have one about how to keep it.
        let word = if response || service == SET || service == 6 { 2 } else { 0 };
        let value = blocks.take(size)?.get(word..).unwrap_or_default();
        block(flow, option, value);
        if size % 2 == 1 && !blocks.is_empty() {
            blocks.skip(1)?;
        }
    }
    Some(())
}

fn block(flow: &mut Flow<'_>, option: [u8; 2], value: &[u8]) {
    match (option, value) {
        ([1, 2], [a, b, c, d, ..]) => flow.fields.ip(&ADDRESS, Ipv4Addr::new(*a, *b, *c, *d).into()),
        ([2, 1], name) => flow.fields.bytes(&VENDOR, name),
        ([2, 2], name) => flow.fields.bytes(&STATION, name),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{ANOMALY, Direction, Transport};
    use crate::values::Values;

    const ANSWER: &[u8] = b"\xfe\xff\x05\x01\0\0\0\x01\0\0\0\x1e\x02\x02\0\x07\0\0plc-1\0\
        \x01\x02\0\x0e\0\x01\xc0\0\x02\x05\xff\xff\xff\0\0\0\0\0";

    #[test]
    fn an_answer_tells_the_station_and_any_cut_shows() {
        let mut harness = Harness::new(Transport::Ethernet(0x8892), 0);
        harness.data(Direction::Client, b"\xfe\xfe\x05\0\0\0\0\x01\0\x01\0\x04\xff\xff\0\0");
        harness.data(Direction::Client, ANSWER);
        assert_eq!(harness.protocols, ["profinet"]);
        assert_eq!(harness.texts(&SERVICE), ["Identify request", "Identify response"]);
        assert_eq!(harness.texts(&STATION), ["plc-1"]);
        assert!(matches!(harness.fields.get(&ADDRESS), Some(Values::Ips(ips)) if ips.len() == 1));
        assert!(harness.texts(&ANOMALY).is_empty());
        for at in 0..ANSWER.len() {
            harness.data(Direction::Client, &ANSWER[..at]);
        }
        assert_eq!(harness.texts(&ANOMALY), ["profinet-message-malformed"]);
    }
}
