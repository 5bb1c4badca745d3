//! SSH: versions, HASSH of both ends, and the server's host key, up to where encryption begins.

mod hassh;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::reader::Reader;
use super::tls::fingerprint::md5_hex;
use super::tls::vectors::Vectors;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};
use crate::limits::MAX_MESSAGE;

crate::declare_fields! {
    HASSH = Field::set("ssh.hassh", "ssh.hassh", Kind::LowerTerm, "HASSH of the client");
    HASSH_SERVER = Field::set("ssh.hasshServer", "ssh.hasshServer", Kind::LowerTerm, "HASSH of the server");
    KEY = Field::set("ssh.key", "ssh.key", Kind::Term, "Host keys, in base64");
    VERSION = Field::set("ssh.ver", "ssh.version", Kind::LowerTerm, "Versions of both ends");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "ssh", fields: FIELDS, signatures: &[Signature::Tcp(0, b"SSH-", begin)] };

fn begin(flow: &mut Flow<'_>, _direction: Direction, _data: &[u8]) {
    if !flow.has_protocol("ssh") {
        flow.protocol("ssh");
        flow.attach(Box::new(Ssh::default()));
    }
}

/// Longest identification line we take; RFC 4253 allows 255.
const MAX_LINE: usize = 1024;
/// Largest packet before encryption; RFC 4253 asks for 35,000 at least.
const MAX_PACKET: usize = MAX_MESSAGE;

const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
/// The reply that holds the host key; in a group exchange it is the group instead.
const KEX_REPLY: u8 = 31;
const GEX_REPLY: u8 = 33;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Version,
    Packets,
    Done,
}

/// One direction.
#[derive(Default)]
struct Side {
    stage: Stage,
    held: Vec<u8>,
}

#[derive(Default)]
struct Ssh {
    sides: [Side; 2],
}

impl Ssh {
    fn status(&self) -> Status {
        if self.sides.iter().all(|side| side.stage == Stage::Done) { Status::Done } else { Status::More }
    }
}

impl Parser for Ssh {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let side = &mut self.sides[direction as usize];
        if side.stage == Stage::Done {
            return Status::More;
        }
        let mut held = std::mem::take(&mut side.held);
        held.extend_from_slice(data);
        let mut used = 0;
        while side.stage != Stage::Done {
            match side.step(flow, direction, held.get(used..).unwrap_or_default()) {
                Some(taken) => used += taken,
                None => break,
            }
        }
        if side.stage != Stage::Done {
            held.drain(..used.min(held.len()));
            side.held = held;
        }
        self.status()
    }

    fn gap(&mut self, _flow: &mut Flow<'_>, direction: Direction, _bytes: u64) -> Status {
        self.sides[direction as usize].stage = Stage::Done;
        self.status()
    }
}

impl Side {
    /// Takes the next line or packet; the number of bytes it took (never 0), or none if more must come.
    fn step(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Option<usize> {
        match self.stage {
            Stage::Version => self.line(flow, data),
            Stage::Packets => self.packet(flow, direction, data),
            Stage::Done => None,
        }
    }

    /// The identification line; servers may send other lines before it.
    fn line(&mut self, flow: &mut Flow<'_>, data: &[u8]) -> Option<usize> {
        let Some(end) = data.iter().take(MAX_LINE).position(|b| *b == b'\n') else {
            if data.len() >= MAX_LINE {
                flow.anomaly("ssh-version-too-long");
                self.stage = Stage::Done;
            }
            return None;
        };
        let line = data.get(..end)?.trim_ascii_end();
        if line.starts_with(b"SSH-") {
            flow.fields.bytes(&VERSION, line);
            let second = line.starts_with(b"SSH-2.") || line.starts_with(b"SSH-1.99");
            self.stage = if second { Stage::Packets } else { Stage::Done };
        }
        Some(end + 1)
    }

    fn packet(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Option<usize> {
        let mut reader = Reader::new(data);
        let length = reader.u32()? as usize;
        if !(2..=MAX_PACKET).contains(&length) {
            flow.anomaly("ssh-packet-length");
            self.stage = Stage::Done;
            return None;
        }
        let mut packet = Reader::new(reader.take(length)?);
        let padding = usize::from(packet.u8()?);
        let payload = packet.take(packet.left().saturating_sub(padding)).unwrap_or_default();
        match payload.split_first() {
            Some((&KEXINIT, lists)) => key_exchange(flow, direction, lists),
            Some((&NEWKEYS, _)) => self.stage = Stage::Done,
            Some((&(KEX_REPLY | GEX_REPLY), reply)) if direction == Direction::Server => host_key(flow, reply),
            _ => {}
        }
        Some(reader.position())
    }
}

fn key_exchange(flow: &mut Flow<'_>, direction: Direction, lists: &[u8]) {
    let Some(text) = hassh::text(lists, direction) else { return flow.anomaly("ssh-bad-kexinit") };
    let field = if direction == Direction::Client { &HASSH } else { &HASSH_SERVER };
    flow.fields.text(field, &md5_hex(&text));
}

/// The host key, if the reply begins with one: a string that begins with the name of its kind.
fn host_key(flow: &mut Flow<'_>, reply: &[u8]) {
    let Some(key) = Reader::new(reply).vector(4) else { return };
    let kind = Reader::new(key).vector(4).unwrap_or_default();
    if !kind.is_empty() && kind.iter().all(|b| b.is_ascii_graphic()) {
        flow.fields.text(&KEY, &STANDARD.encode(key));
    }
}
