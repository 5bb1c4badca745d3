//! MQTT 3.1 to 5: who connects, and which topics are published and subscribed.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    CLIENT_ID = Field::set("mqtt.clientId", "mqtt.clientId", Term, "Client identifiers");
    CONNACK = Field::set("mqtt.connackCode", "mqtt.connackCode", Integer, "Answers to connecting");
    FLAGS = Field::set("mqtt.flags", "mqtt.flags", Term, "Flags in connecting");
    QOS = Field::set("mqtt.qos", "mqtt.qos", Integer, "Qualities of service of what is published");
    TOPIC = Field::set("mqtt.topic", "mqtt.topic", Term, "Topics");
    TYPE = Field::set("mqtt.type", "mqtt.type", Term, "Kinds of packets");
    VERSION = Field::set("mqtt.version", "mqtt.version", Term, "Versions");
    WILL_TOPIC = Field::set("mqtt.willTopic", "mqtt.willTopic", Term, "Topics of last wills");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "mqtt", fields: FIELDS, signatures: &[Signature::Tcp(0, b"\x10", begin)] };

static TYPES: [&str; 16] = [
    "",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// A topic longer than this is noise.
const MAX_TOPIC: usize = 4_096;
const HAS_USER: u8 = 0x80;
const HAS_PASSWORD: u8 = 0x40;
const HAS_WILL: u8 = 0x04;
const CLEAN_SESSION: u8 = 0x02;

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let Some((_, header)) = variable(data.get(1..).unwrap_or_default()) else { return };
    let name = data.get(1 + header..).unwrap_or_default();
    if (name.starts_with(b"\0\x04MQTT") || name.starts_with(b"\0\x06MQIsdp")) && !flow.has_protocol("mqtt") {
        flow.protocol("mqtt");
        flow.attach(Box::new(Mqtt::default()));
    }
}

/// A number of up to four bytes of seven bits, and the bytes it took.
fn variable(data: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, &byte) in data.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

fn length(data: &[u8]) -> Length {
    match variable(data.get(1..).unwrap_or_default()) {
        Some((value, header)) => Length::sum(1 + header, value),
        None if data.len() > 4 => Length::Bad,
        None => Length::More,
    }
}

#[derive(Default)]
struct Mqtt {
    frames: Frames,
    state: State,
}

#[derive(Default)]
struct State {
    version: u8,
}

fn string<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u16()?;
    reader.take(length.into())
}

impl State {
    fn packet(&mut self, flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
        let (&first, rest) = data.split_first()?;
        let (_, header) = variable(rest)?;
        let mut reader = Reader::at(rest, header);
        flow.fields.text(&TYPE, TYPES[usize::from(first >> 4)]);
        match first >> 4 {
            1 => self.connect(flow, &mut reader),
            2 => {
                reader.skip(1)?;
                flow.fields.int(&CONNACK, reader.u8()?.into());
                Some(())
            }
            3 => {
                let topic = string(&mut reader).filter(|topic| (1..=MAX_TOPIC).contains(&topic.len()))?;
                flow.fields.bytes(&TOPIC, topic);
                flow.fields.int(&QOS, (first >> 1 & 3).into());
                Some(())
            }
            8 => self.topics(flow, &mut reader, 1),
            10 => self.topics(flow, &mut reader, 0),
            _ => Some(()),
        }
    }

    /// Version 5 puts properties after some heads.
    fn properties(&self, reader: &mut Reader<'_>) -> Option<()> {
        if self.version < 5 {
            return Some(());
        }
        let (length, header) = variable(reader.rest())?;
        reader.skip(header.checked_add(length)?)
    }

    fn connect(&mut self, flow: &mut Flow<'_>, reader: &mut Reader<'_>) -> Option<()> {
        string(reader)?;
        self.version = reader.u8()?;
        match self.version {
            3 => flow.fields.text(&VERSION, "3.1"),
            4 => flow.fields.text(&VERSION, "3.1.1"),
            5 => flow.fields.text(&VERSION, "5.0"),
            _ => {}
        }
        let flags = reader.u8()?;
        for (bit, name) in [(CLEAN_SESSION, "cleanSession"), (HAS_WILL, "hasWill"), (HAS_PASSWORD, "hasPassword")] {
            if flags & bit != 0 {
                flow.fields.text(&FLAGS, name);
            }
        }
        reader.skip(2)?;
        self.properties(reader)?;
        flow.fields.bytes(&CLIENT_ID, string(reader)?);
        if flags & HAS_WILL != 0 {
            flow.fields.int(&QOS, (flags >> 3 & 3).into());
            self.properties(reader)?;
            flow.fields.bytes(&WILL_TOPIC, string(reader)?);
            string(reader)?;
        }
        if flags & HAS_USER != 0 {
            flow.user(string(reader)?);
        }
        Some(())
    }

    fn topics(&self, flow: &mut Flow<'_>, reader: &mut Reader<'_>, options: usize) -> Option<()> {
        reader.skip(2)?;
        self.properties(reader)?;
        while !reader.is_empty() {
            flow.fields.bytes(&TOPIC, string(reader)?);
            reader.skip(options)?;
        }
        Some(())
    }
}

impl Parser for Mqtt {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let Mqtt { frames, state } = self;
        let good = frames.feed(direction, data, length, |packet| {
            state.packet(flow, packet);
        });
        if good { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::Client;
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Transport, USER};

    const CONNECT: &[u8] =
        b"\x10\x25\0\x04MQTT\x05\xc6\0\x3c\x03\x21\0\x0a\0\x02id\0\0\x04will\0\x01x\0\x03joe\0\x02pw";
    const SUBSCRIBE: &[u8] = b"\x82\x0b\0\x01\0\0\x05a/b/c\x01\x32\x09\0\x03t/1\0\x07\0x";

    #[test]
    fn packets_do_not_depend_on_how_the_stream_is_cut() {
        for cut in 0..=SUBSCRIBE.len() {
            let mut harness = Harness::new(Transport::Tcp, 1883);
            harness.data(Client, CONNECT);
            harness.data(Client, &SUBSCRIBE[..cut]);
            harness.data(Client, &SUBSCRIBE[cut..]);
            assert_eq!(harness.texts(&CLIENT_ID), ["id"], "cut at {cut}");
            assert_eq!(harness.texts(&USER), ["joe"]);
            assert_eq!(harness.texts(&WILL_TOPIC), ["will"]);
            assert_eq!(harness.texts(&TOPIC), ["a/b/c", "t/1"]);
            assert_eq!(harness.ints(&QOS), [0, 1]);
            assert_eq!(harness.texts(&TYPE), ["CONNECT", "SUBSCRIBE", "PUBLISH"]);
        }
    }
}
