//! One direction's bytes come in chunks of any size, records hold parts of messages: both are put together here.

use super::vectors::Vectors;
use crate::limits::MAX_MESSAGE;
use crate::protocol::reader::Reader;

/// A whole record, as it came or opened.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub kind: u8,
    pub head: [u8; 5],
    pub body: &'a [u8],
}

pub const CHANGE_CIPHER: u8 = 20;
pub const HANDSHAKE: u8 = 22;
pub const APPLICATION: u8 = 23;

/// Goes on, stops, or names an anomaly.
pub type Outcome = Result<bool, &'static str>;

/// One direction's bytes on their way to records.
#[derive(Default)]
pub struct Records {
    /// The beginning of a record whose end has not come.
    held: Vec<u8>,
}

const HEADER: usize = 5;
/// 2^14 bytes of plain text and what ciphers may add (RFC 5246, 6.2.3).
const MAX_RECORD: usize = (1 << 14) + 2048;

impl Records {
    /// Takes bytes and hands out records until one says to stop. Errors are names of anomalies.
    pub fn push(&mut self, data: &[u8], on: &mut dyn FnMut(Record<'_>) -> Outcome) -> Outcome {
        if self.held.is_empty() {
            let Some(used) = records(data, on)? else { return Ok(false) };
            self.held.extend_from_slice(data.get(used..).unwrap_or_default());
            return Ok(true);
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(data);
        let Some(used) = records(&held, on)? else { return Ok(false) };
        held.drain(..used);
        self.held = held;
        Ok(true)
    }
}

/// The number of bytes whole records took; none when one said to stop.
fn records(data: &[u8], on: &mut dyn FnMut(Record<'_>) -> Outcome) -> Result<Option<usize>, &'static str> {
    let mut used = 0;
    while let Some(&head) = data.get(used..).and_then(|d| d.first_chunk::<HEADER>()) {
        let [kind, major, _, high, low] = head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if major != 3 || !(20..=24).contains(&kind) {
            return Err("tls-bad-record");
        }
        if length > MAX_RECORD {
            return Err("tls-record-too-long");
        }
        let Some(body) = data.get(used + HEADER..used + HEADER + length) else { break };
        used += HEADER + length;
        if !on(Record { kind, head, body })? {
            return Ok(None);
        }
    }
    Ok(Some(used))
}

/// One direction's handshake records on their way to messages.
#[derive(Default)]
pub struct Messages {
    /// The beginning of a message whose end has not come.
    held: Vec<u8>,
}

impl Messages {
    /// Takes a record's body and hands out type and body of each message.
    pub fn push(&mut self, body: &[u8], on: &mut dyn FnMut(u8, &[u8])) -> Result<(), &'static str> {
        if self.held.is_empty() {
            let rest = messages(body, on)?;
            self.held.extend_from_slice(rest);
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(body);
        let used = held.len() - messages(&held, on)?.len();
        held.drain(..used);
        self.held = held;
        Ok(())
    }
}

/// Hands out whole messages; returns the rest.
fn messages<'a>(data: &'a [u8], on: &mut dyn FnMut(u8, &[u8])) -> Result<&'a [u8], &'static str> {
    let mut rest = data;
    loop {
        let mut reader = Reader::new(rest);
        let (Some(kind), Some(length)) = (reader.u8(), reader.number(3)) else { return Ok(rest) };
        if length > MAX_MESSAGE as u64 {
            return Err("tls-handshake-too-long");
        }
        let Some(body) = reader.take(length as usize) else { return Ok(rest) };
        rest = reader.rest();
        on(kind, body);
    }
}
