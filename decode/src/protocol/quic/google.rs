//! Google's own QUIC before the standard, and Facebook's Zero, which took its hello to TCP: tags with values in clear.

use super::{HOST, USER_AGENT, VERSION};
use crate::protocol::reader::Reader;
use crate::protocol::{Direction, Flow, Parser, Status};

/// Bytes before the hello: the longest public header and frame header.
const MAX_BEFORE: usize = 64;
/// A hello's tags; real ones have about thirty.
const MAX_TAGS: usize = 128;
/// Bytes of a hello over TCP.
const MAX_HELLO: usize = 16 << 10;

/// A version such as `Q043`.
fn is_version(bytes: &[u8]) -> bool {
    matches!(bytes, [b'Q', rest @ ..] if rest.len() == 3 && rest.iter().all(u8::is_ascii_digit))
}

/// A datagram with the old public header: flags, connection, version.
pub fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let versioned = data.first().is_some_and(|flags| flags & 0x81 == 1 && flags & 8 == 8);
    if versioned && data.get(9..13).is_some_and(is_version) {
        named(flow, data, 9);
    }
}

/// A datagram with the long header (from `Q046` on) and a hello that is not encrypted.
pub fn begin_long(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if data.first().is_some_and(|first| first & 0x80 != 0) && data.get(1..5).is_some_and(is_version) {
        named(flow, data, 1);
    }
}

fn named(flow: &mut Flow<'_>, data: &[u8], at: usize) {
    flow.protocol("quic");
    flow.fields.bytes(&VERSION, data.get(at..at + 4).unwrap_or_default());
    find(flow, data);
}

/// Looks for the hello near the beginning of `data`, and reads it.
pub fn find(flow: &mut Flow<'_>, data: &[u8]) {
    let head = data.get(..MAX_BEFORE).unwrap_or(data);
    if let Some(at) = head.windows(4).position(|window| window == b"CHLO") {
        hello(flow, data.get(at..).unwrap_or_default());
    }
}

/// Tags with the ends of their values, then the values; none of it is trusted.
pub fn hello(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    let mut reader = Reader::at(data, 4);
    let count = usize::from(u16::from_le_bytes(reader.array()?));
    reader.skip(2)?;
    if count > MAX_TAGS {
        flow.anomaly("quic-too-many-tags");
        return None;
    }
    let mut tags = Reader::new(reader.take(count * 8)?);
    let mut start = 0;
    while let Some(tag) = tags.array::<4>() {
        let end = u32::from_le_bytes(tags.array()?) as usize;
        let value = reader.rest().get(start..end)?;
        match &tag {
            b"SNI\0" => flow.fields.bytes(&HOST, value),
            b"UAID" => flow.fields.bytes(&USER_AGENT, value),
            _ => {}
        }
        start = end;
    }
    Some(())
}

/// Facebook's Zero: `1QTV`, a version digit, the length, and a hello.
pub fn begin_zero(flow: &mut Flow<'_>, _direction: Direction, _data: &[u8]) {
    if !flow.has_protocol("fbzero") {
        flow.protocol("fbzero");
        flow.protocol("quic");
        flow.attach(Box::new(Zero::default()));
    }
}

#[derive(Default)]
struct Zero {
    held: Vec<u8>,
}

impl Parser for Zero {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if direction == Direction::Server {
            return Status::More;
        }
        self.held.extend_from_slice(data);
        let Some(length) = self.held.get(5..9).and_then(|bytes| bytes.first_chunk()) else { return Status::More };
        let whole = 9 + u32::from_le_bytes(*length) as usize;
        if whole > MAX_HELLO {
            flow.anomaly("fbzero-hello-too-long");
            return Status::Done;
        }
        if self.held.len() < whole {
            return Status::More;
        }
        find(flow, &self.held);
        Status::Done
    }

    fn finish(&mut self, flow: &mut Flow<'_>) {
        find(flow, &self.held);
    }
}
