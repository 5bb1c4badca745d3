//! MySQL: the server's version, who connects, and what is asked.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::upgrade::Upgrade;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{LowerTerm, Term};

crate::declare_fields! {
    QUERY = Field::set("mysql.query", "mysql.query", Term, "Statements sent, their first 1,000 bytes");
    USER = Field::one("mysql.user", "mysql.user", LowerTerm, "User");
    VERSION = Field::one("mysql.ver", "mysql.version", Term, "Version of the server");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "mysql", fields: FIELDS, signatures: &[Signature::Tcp(3, b"\0\x0a", begin)] };

const PROTOCOL_41: u16 = 0x0200;
const TLS: u16 = 0x0800;
/// Capabilities, size, character set and filler of an answer to the greeting.
const ANSWER: usize = 32;
/// Bytes of a statement that are kept; what it does stands at its beginning.
const MAX_QUERY: usize = 1_000;
const QUERIES: [u8; 2] = [0x03, 0x16];

fn begin(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let Length::Known(total) = length(data) else { return };
    let version = Reader::at(data, 5).until(0).filter(|v| v.len() > 2 && v.iter().all(u8::is_ascii_graphic));
    if let (Some(version), true, false) = (version, total == data.len(), flow.has_protocol("mysql")) {
        let (client, version) = (direction.opposite(), version.to_vec());
        flow.attach(Box::new(MySql { client, version, frames: Frames::default(), tls: None, answered: false }));
    }
}

fn length(data: &[u8]) -> Length {
    match data.first_chunk::<4>() {
        Some(&[a, b, c, _]) => Length::sum(4, u32::from_le_bytes([a, b, c, 0])),
        None => Length::More,
    }
}

struct MySql {
    client: Direction,
    /// Told once a client answers: what only greets may be anything.
    version: Vec<u8>,
    frames: Frames,
    tls: Option<Upgrade>,
    /// The client answered the greeting: commands come next.
    answered: bool,
}

/// The client's answer to the greeting; tells whether TLS follows.
fn answer(flow: &mut Flow<'_>, data: &[u8]) -> Option<bool> {
    let mut reader = Reader::at(data, 4);
    let capabilities = u16::from_le_bytes(reader.array()?);
    if capabilities & PROTOCOL_41 != 0 {
        reader = Reader::at(data, 4 + ANSWER);
    } else {
        reader.skip(3)?;
    }
    if reader.is_empty() {
        return Some(capabilities & TLS != 0);
    }
    flow.fields.bytes(&USER, reader.until(0)?);
    Some(false)
}

/// A command begins a new count of packets: what is sent to log on goes on with the old one.
fn command(flow: &mut Flow<'_>, data: &[u8]) {
    if let Some(([_, _, _, 0, kind], statement)) = data.split_first_chunk()
        && QUERIES.contains(kind)
    {
        flow.fields.bytes(&QUERY, &statement[..statement.len().min(MAX_QUERY)]);
    }
}

impl Parser for MySql {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if let Some(tls) = &mut self.tls {
            return tls.classify(flow, direction, data);
        }
        if direction != self.client {
            return Status::More;
        }
        let MySql { version, frames, tls, answered, .. } = self;
        let good = frames.feed(direction, data, length, |data| {
            if std::mem::replace(answered, true) {
                return command(flow, data);
            }
            flow.protocol("mysql");
            flow.fields.bytes(&VERSION, version);
            *tls = answer(flow, data).unwrap_or(false).then(Upgrade::default);
        });
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
    fn version_and_user_are_told_however_it_is_cut() {
        let mut login = b"\x25\0\0\x01\x05\xa6\x0f\0".to_vec();
        login.resize(36, 0);
        login.extend(b"Joe\0x");
        for cut in 0..login.len() {
            let mut harness = Harness::new(Transport::Tcp, 3306);
            harness.data(Server, b"\x0a\0\0\0\x0a5.5.35\0\0\0");
            harness.data(Client, &login[..cut]);
            harness.data(Client, &login[cut..]);
            harness.data(Client, b"\x04\0\0\x03skip\x09\0\0\0\x03SELECT 1");
            assert_eq!(harness.texts(&QUERY), ["SELECT 1"]);
            assert_eq!(harness.texts(&VERSION), ["5.5.35"]);
            assert_eq!(harness.texts(&USER), ["joe"], "cut at {cut}");
        }
    }
}
