//! PostgreSQL: which user connects to which database, with what program, and what is asked.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::upgrade::Upgrade;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::Term;

crate::declare_fields! {
    APPLICATION = Field::one("postgresql.app", "postgresql.app", Term, "Name of the program");
    DATABASE = Field::one("postgresql.db", "postgresql.db", Term, "Database");
    QUERY = Field::set("postgresql.query", "postgresql.query", Term, "Statements sent, their first 1,000 bytes");
    USER = Field::one("postgresql.user", "postgresql.user", Term, "User");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "postgresql",
    fields: FIELDS,
    signatures: &[Signature::Tcp(4, VERSION, begin), Signature::Tcp(4, SSL, begin), Signature::Tcp(4, GSS, begin)],
};

const VERSION: &[u8] = b"\0\x03\0\0";
const SSL: &[u8] = b"\x04\xd2\x16\x2f";
const GSS: &[u8] = b"\x04\xd2\x16\x30";
/// Largest start-up message, as the server has it.
const MAX_STARTUP: usize = 10_000;
/// Bytes of a statement that are kept; what it does stands at its beginning.
const MAX_QUERY: usize = 1_000;

fn begin(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let length = data.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize);
    // A start names its first parameter; a request for encryption is alone.
    let fits = data.get(8).map_or(length >= 8, |byte| length > 8 && byte.is_ascii_alphabetic());
    if fits && length <= MAX_STARTUP && !flow.has_protocol("postgresql") {
        flow.attach(Box::new(Postgres { client: direction, held: Vec::new(), asked: None, session: None }));
    }
}

struct Postgres {
    client: Direction,
    held: Vec<u8>,
    /// The client asked for encryption.
    asked: Option<Upgrade>,
    /// Messages after the start.
    session: Option<Frames>,
}

impl Postgres {
    /// The client's messages of the session proper.
    fn messages(&mut self, flow: &mut Flow<'_>, data: &[u8]) -> Status {
        let Some(frames) = &mut self.session else { return Status::Done };
        let good = frames.feed(self.client, data, length, |data| message(flow, data));
        if good { Status::More } else { Status::Done }
    }

    /// The messages before the session proper: requests for encryption, then the start.
    fn start(&mut self, flow: &mut Flow<'_>) -> Status {
        loop {
            let mut reader = Reader::new(&self.held);
            let (Some(length), Some(code)) = (reader.u32(), reader.array::<4>()) else { return Status::More };
            let Some(rest) = (length as usize).checked_sub(8).filter(|rest| *rest <= MAX_STARTUP) else {
                return Status::Done;
            };
            let Some(content) = reader.take(rest) else { return Status::More };
            match &code[..] {
                VERSION => {
                    flow.protocol("postgresql");
                    parameters(flow, content);
                    let rest = self.held.split_off(reader.position());
                    self.held = Vec::new();
                    self.session = Some(Frames::default());
                    return self.messages(flow, &rest);
                }
                SSL | GSS => {
                    flow.protocol("postgresql");
                    self.asked = Some(Upgrade::default());
                }
                _ => return Status::Done,
            }
            self.held.drain(..length as usize);
        }
    }
}

/// A type and a length, which counts itself.
fn length(data: &[u8]) -> Length {
    match (data.first(), Reader::at(data, 1).u32()) {
        (Some(kind), Some(length @ 4..)) if kind.is_ascii_alphabetic() => Length::sum(1, length),
        (Some(kind), None) if kind.is_ascii_alphabetic() => Length::More,
        (None, _) => Length::More,
        _ => Length::Bad,
    }
}

fn message(flow: &mut Flow<'_>, data: &[u8]) {
    let mut reader = Reader::at(data, 5);
    // A prepared statement has a name first.
    let named = data.first() == Some(&b'P') && reader.until(0).is_some();
    if named || data.first() == Some(&b'Q') {
        let text = reader.rest();
        let text = text.split(|byte| *byte == 0).next().unwrap_or(text);
        flow.fields.bytes(&QUERY, &text[..text.len().min(MAX_QUERY)]);
    }
}

fn parameters(flow: &mut Flow<'_>, content: &[u8]) {
    let mut reader = Reader::new(content);
    while let (Some(name), Some(value)) = (reader.until(0), reader.until(0)) {
        match name {
            b"user" => flow.fields.bytes(&USER, value),
            b"database" => flow.fields.bytes(&DATABASE, value),
            b"application_name" => flow.fields.bytes(&APPLICATION, value),
            _ => {}
        }
    }
}

impl Parser for Postgres {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if let Some(status) = self.asked.as_mut().and_then(|tls| tls.tls(flow, direction, data)) {
            return status;
        }
        if direction != self.client {
            return Status::More;
        }
        if self.session.is_some() {
            return self.messages(flow, data);
        }
        self.held.extend_from_slice(data);
        self.start(flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::{Client, Server};
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn the_start_follows_a_refused_encryption_however_it_is_cut() {
        let start = b"\0\0\0\x20\0\x03\0\0user\0joe\0database\0d\0\0\0\0\0";
        for cut in 0..start.len() {
            let mut harness = Harness::new(Transport::Tcp, 5432);
            harness.data(Client, b"\0\0\0\x08\x04\xd2\x16\x2f");
            harness.data(Server, b"N");
            harness.data(Client, &start[..cut]);
            harness.data(Client, &start[cut..]);
            harness.data(Client, b"Q\0\0\0\x0dSELECT 1\0P\0\0\0\x10s1\0SELECT 2\0");
            assert_eq!(harness.texts(&QUERY), ["SELECT 1", "SELECT 2"]);
            assert_eq!(harness.texts(&USER), ["joe"], "cut at {cut}");
            assert_eq!(harness.texts(&DATABASE), ["d"]);
        }
    }
}
