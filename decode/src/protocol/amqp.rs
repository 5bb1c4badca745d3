//! AMQP 0-9-1 (RabbitMQ): who logs on, and the exchanges and queues used. Other versions are only named.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::tls::vectors::Vectors;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::Term;

crate::declare_fields! {
    MECHANISM = Field::set("amqp.mechanism", "amqp.mechanism", Term, "Ways of logging on");
    VIRTUAL_HOST = Field::set("amqp.vhost", "amqp.vhost", Term, "Virtual hosts opened");
    EXCHANGE = Field::set("amqp.exchange", "amqp.exchange", Term, "Exchanges declared or published to");
    QUEUE = Field::set("amqp.queue", "amqp.queue", Term, "Queues declared or read");
    ROUTING_KEY = Field::set("amqp.routingKey", "amqp.routingKey", Term, "Routing keys of what is published");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "amqp",
    fields: FIELDS,
    signatures: &[
        Signature::Tcp(0, b"AMQP\x00\x00\x09\x01", begin),
        Signature::Tcp(0, b"AMQP\x00", crate::name_only!("amqp")),
        Signature::Tcp(0, b"AMQP\x01", crate::name_only!("amqp")),
        Signature::Tcp(0, b"AMQP\x03", crate::name_only!("amqp")),
    ],
};

/// The bytes a client begins with.
const GREETING: usize = 8;
const METHOD_FRAME: u8 = 1;

fn begin(flow: &mut Flow<'_>, direction: Direction, _data: &[u8]) {
    if !flow.has_protocol("amqp") {
        flow.protocol("amqp");
        flow.attach(Box::new(Amqp { client: direction, skip: GREETING, frames: Frames::default() }));
    }
}

struct Amqp {
    client: Direction,
    skip: usize,
    frames: Frames,
}

/// Type, channel and length, then the payload and a closing byte.
fn length(data: &[u8]) -> Length {
    match (data.first(), Reader::at(data, 3).u32()) {
        (Some(1..=4 | 8), Some(length)) => Length::sum(8, length),
        (Some(1..=4 | 8) | None, None) => Length::More,
        _ => Length::Bad,
    }
}

fn method(flow: &mut Flow<'_>, frame: &[u8]) -> Option<()> {
    let mut reader = Reader::at(frame, 7);
    match (reader.u16()?, reader.u16()?) {
        (10, 11) => start(flow, reader)?,
        (10, 40) => flow.fields.bytes(&VIRTUAL_HOST, reader.vector(1)?),
        (40, 10 | 20) => flow.fields.bytes(&EXCHANGE, named(&mut reader)?),
        (50, 10 | 20 | 40) | (60, 20 | 70) => flow.fields.bytes(&QUEUE, named(&mut reader)?),
        (60, 40) => {
            flow.fields.bytes(&EXCHANGE, named(&mut reader)?);
            flow.fields.bytes(&ROUTING_KEY, reader.vector(1)?);
        }
        _ => {}
    }
    Some(())
}

/// A name behind a number that is no longer used.
fn named<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    reader.skip(2)?;
    reader.vector(1)
}

/// The client's properties, how it logs on, and with what.
fn start(flow: &mut Flow<'_>, mut reader: Reader<'_>) -> Option<()> {
    reader.vector(4)?;
    let mechanism = reader.vector(1)?;
    flow.fields.bytes(&MECHANISM, mechanism);
    let response = reader.vector(4)?;
    if mechanism == b"PLAIN" {
        flow.user(response.split(|byte| *byte == 0).nth(1)?);
    }
    Some(())
}

impl Parser for Amqp {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if direction != self.client {
            return Status::More;
        }
        let skipped = self.skip.min(data.len());
        self.skip -= skipped;
        let good = self.frames.feed(direction, data.get(skipped..).unwrap_or_default(), length, |frame| {
            if frame.first() == Some(&METHOD_FRAME) {
                _ = method(flow, frame);
            }
        });
        if !good {
            flow.anomaly("amqp-frame-malformed");
            return Status::Done;
        }
        Status::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{ANOMALY, Transport, USER};

    fn frame(payload: &[u8]) -> Vec<u8> {
        [&[METHOD_FRAME, 0, 1], &(payload.len() as u32).to_be_bytes()[..], payload, &[0xce]].concat()
    }

    fn stream() -> Vec<u8> {
        [
            b"AMQP\0\0\x09\x01".to_vec(),
            frame(b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x08\0joe\0pwd\x05en_US"),
            frame(b"\0\x0a\0\x28\x01/\0\0"),
            frame(b"\0\x32\0\x0a\0\0\x04jobs\0\0\0\0\0"),
            frame(b"\0\x3c\0\x28\0\0\x03log\x04warn\0"),
        ]
        .concat()
    }

    #[test]
    fn users_and_queues_are_told_however_the_stream_is_cut() {
        for at in GREETING..stream().len() {
            let mut harness = Harness::new(Transport::Tcp, 5672);
            harness.data(Direction::Client, &stream()[..at]);
            harness.data(Direction::Client, &stream()[at..]);
            assert_eq!(harness.protocols, ["amqp"]);
            assert_eq!((harness.texts(&USER), harness.texts(&MECHANISM)), (vec!["joe"], vec!["PLAIN"]));
            assert_eq!((harness.texts(&VIRTUAL_HOST), harness.texts(&QUEUE)), (vec!["/"], vec!["jobs"]));
            assert_eq!((harness.texts(&EXCHANGE), harness.texts(&ROUTING_KEY)), (vec!["log"], vec!["warn"]));
            assert!(harness.texts(&ANOMALY).is_empty());
        }
    }

    #[test]
    fn what_is_no_frame_shows() {
        let mut harness = Harness::new(Transport::Tcp, 5672);
        harness.data(Direction::Client, b"AMQP\0\0\x09\x01\x09\0\0\0\0\0\0\0");
        assert_eq!(harness.texts(&ANOMALY), ["amqp-frame-malformed"]);
    }
}
