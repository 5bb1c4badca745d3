//! MySQL: the server's version, and who connects.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::upgrade::Upgrade;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{LowerTerm, Term};

crate::declare_fields! {
    USER = Field::one("mysql.user", "mysql.user", LowerTerm, "User");
    VERSION = Field::one("mysql.ver", "mysql.version", Term, "Version of the server");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "mysql", fields: FIELDS, signatures: &[Signature::Tcp(3, b"\0\x0a", begin)] };

const PROTOCOL_41: u16 = 0x0200;
const TLS: u16 = 0x0800;
/// Capabilities, size, character set and filler of an answer to the greeting.
const ANSWER: usize = 32;

fn begin(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let Length::Known(total) = length(data) else { return };
    let version = Reader::at(data, 5).until(0).filter(|v| v.len() > 2 && v.iter().all(u8::is_ascii_graphic));
    if let (Some(version), true, false) = (version, total == data.len(), flow.has_protocol("mysql")) {
        let (client, version) = (direction.opposite(), version.to_vec());
        flow.attach(Box::new(MySql { client, version, frames: Frames::default(), tls: None }));
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

impl Parser for MySql {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if let Some(tls) = &mut self.tls {
            return tls.classify(flow, direction, data);
        }
        if direction != self.client {
            return Status::More;
        }
        let mut found = None;
        let good = self.frames.feed(direction, data, length, |data| {
            found = found.or_else(|| Some(answer(flow, data).unwrap_or(false)));
        });
        if found.is_some() {
            flow.protocol("mysql");
            flow.fields.bytes(&VERSION, &self.version);
        }
        self.tls = (found == Some(true)).then(Upgrade::default);
        if found == Some(false) || !good { Status::Done } else { Status::More }
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
            assert_eq!(harness.texts(&VERSION), ["5.5.35"]);
            assert_eq!(harness.texts(&USER), ["joe"], "cut at {cut}");
        }
    }
}
