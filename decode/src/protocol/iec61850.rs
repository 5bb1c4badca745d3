//! IEC 61850's messages on Ethernet: GOOSE (events of a substation) and sampled values.

use super::ber::{Element, Elements};
use super::reader::Reader;
use super::{Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    APP_ID = Field::set("goose.appId", "goose.appId", Integer, "Application ids");
    CONTROL_BLOCK = Field::set("goose.controlBlock", "goose.controlBlock", Term, "Control blocks that send");
    DATA_SET = Field::set("goose.dataSet", "goose.dataSet", Term, "Data sets sent");
    ID = Field::set("goose.id", "goose.id", Term, "Ids of GOOSE messages");
    SAMPLES_ID = Field::set("sv.id", "sv.id", Term, "Ids of streams of sampled values");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "iec61850",
    fields: FIELDS,
    signatures: &[
        Signature::EtherType(0x88b8, |flow, _, _| each::begin(flow, "goose", goose)),
        Signature::EtherType(0x88ba, |flow, _, _| each::begin(flow, "sv", samples)),
    ],
};

/// Application id, length, and two reserved numbers come before the message.
const HEAD: usize = 8;
const GOOSE: u32 = 0x61;
const SAMPLES: u32 = 0x60;
/// Within sampled values: the list of data units.
const UNITS: u32 = 0xa2;

fn message(data: &[u8], tag: u32) -> Option<Element<'_>> {
    Elements::new(data.get(HEAD..)?).next().filter(|element| element.tag == tag)
}

fn goose(flow: &mut Flow<'_>, data: &[u8]) {
    let Some(message) = message(data, GOOSE) else { return flow.anomaly("goose-message-malformed") };
    if let Some(id) = Reader::new(data).u16() {
        flow.fields.int(&APP_ID, i64::from(id));
    }
    for element in message.elements() {
        match element.tag {
            0x80 => flow.fields.bytes(&CONTROL_BLOCK, element.value),
            0x82 => flow.fields.bytes(&DATA_SET, element.value),
            0x83 => flow.fields.bytes(&ID, element.value),
            _ => {}
        }
    }
}

fn samples(flow: &mut Flow<'_>, data: &[u8]) {
    let Some(message) = message(data, SAMPLES) else { return flow.anomaly("sv-message-malformed") };
    let units = message.elements().filter(|element| element.tag == UNITS).flat_map(|list| list.elements());
    for id in units.flat_map(|unit| unit.elements()).filter(|element| element.tag == 0x80) {
        flow.fields.bytes(&SAMPLES_ID, id.value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    const EVENT: &[u8] = b"\x00\x01\0\x1e\0\0\0\0\x61\x14\x80\x05LD/gc\x81\x01\x64\x82\x02ds\x83\x04trip";
    const SAMPLE: &[u8] = b"\x40\x00\0\x19\0\0\0\0\x60\x0f\x80\x01\x01\xa2\x0a\x30\x08\x80\x02s1\x82\x02\0\x01";

    #[test]
    fn an_event_tells_its_control_block_and_any_cut_does_no_harm() {
        let mut harness = Harness::new(Transport::Ethernet(0x88b8), 0);
        harness.data(Direction::Client, EVENT);
        assert_eq!(harness.protocols, ["goose"]);
        assert_eq!(harness.ints(&APP_ID), [1]);
        assert_eq!(harness.texts(&CONTROL_BLOCK), ["LD/gc"]);
        assert_eq!((harness.texts(&DATA_SET), harness.texts(&ID)), (vec!["ds"], vec!["trip"]));
        for at in 0..EVENT.len() {
            harness.data(Direction::Client, &EVENT[..at]);
        }
    }

    #[test]
    fn sampled_values_tell_their_stream() {
        let mut harness = Harness::new(Transport::Ethernet(0x88ba), 0);
        harness.data(Direction::Client, SAMPLE);
        assert_eq!(harness.protocols, ["sv"]);
        assert_eq!(harness.texts(&SAMPLES_ID), ["s1"]);
    }
}
