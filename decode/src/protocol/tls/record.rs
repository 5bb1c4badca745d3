//! Records to handshake messages: one direction's bytes come in chunks of any size, records hold parts of messages.

use super::vectors::Vectors;
use crate::limits::MAX_MESSAGE;
use crate::protocol::reader::Reader;

/// What one direction's records hold.
pub enum Event<'a> {
    /// A handshake message: its type and body.
    Handshake(u8, &'a [u8]),
    /// From here on everything is encrypted.
    ChangeCipher,
    Application,
}

/// One direction.
#[derive(Default)]
pub struct Records {
    /// The beginning of a record whose end has not come.
    held: Vec<u8>,
    /// The beginning of a handshake message whose end has not come.
    message: Vec<u8>,
}

const HEADER: usize = 5;
/// 2^14 bytes of plain text and what ciphers may add (RFC 5246, 6.2.3).
const MAX_RECORD: usize = (1 << 14) + 2048;

impl Records {
    /// Takes bytes and hands out events until one returns false. Errors are names of anomalies.
    pub fn push(&mut self, data: &[u8], on: &mut dyn FnMut(Event<'_>) -> bool) -> Result<bool, &'static str> {
        if self.held.is_empty() {
            let used = match self.records(data, on)? {
                Some(used) => used,
                None => return Ok(false),
            };
            self.held.extend_from_slice(data.get(used..).unwrap_or_default());
            return Ok(true);
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(data);
        let Some(used) = self.records(&held, on)? else { return Ok(false) };
        held.drain(..used);
        self.held = held;
        Ok(true)
    }

    /// The number of bytes whole records took; none when an event said to stop.
    fn records(&mut self, data: &[u8], on: &mut dyn FnMut(Event<'_>) -> bool) -> Result<Option<usize>, &'static str> {
        let mut used = 0;
        while let Some(&[kind, major, _, high, low]) = data.get(used..).and_then(|d| d.first_chunk::<HEADER>()) {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if major != 3 || !(20..=24).contains(&kind) {
                return Err("tls-bad-record");
            }
            if length > MAX_RECORD {
                return Err("tls-record-too-long");
            }
            let Some(body) = data.get(used + HEADER..used + HEADER + length) else { break };
            used += HEADER + length;
            let go_on = match kind {
                22 => self.handshake(body, on)?,
                20 => on(Event::ChangeCipher),
                23 => on(Event::Application),
                _ => true, // alerts and heartbeats
            };
            if !go_on {
                return Ok(None);
            }
        }
        Ok(Some(used))
    }

    fn handshake(&mut self, body: &[u8], on: &mut dyn FnMut(Event<'_>) -> bool) -> Result<bool, &'static str> {
        let mut message = std::mem::take(&mut self.message);
        if message.is_empty() {
            let (rest, go_on) = messages(body, on)?;
            self.message.extend_from_slice(rest);
            return Ok(go_on);
        }
        message.extend_from_slice(body);
        let (rest, go_on) = messages(&message, on)?;
        let used = message.len() - rest.len();
        message.drain(..used);
        self.message = message;
        Ok(go_on)
    }
}

/// Hands out whole messages; returns the rest, and whether to go on.
fn messages<'a>(data: &'a [u8], on: &mut dyn FnMut(Event<'_>) -> bool) -> Result<(&'a [u8], bool), &'static str> {
    let mut rest = data;
    loop {
        let mut reader = Reader::new(rest);
        let (Some(kind), Some(length)) = (reader.u8(), reader.number(3)) else { return Ok((rest, true)) };
        if length > MAX_MESSAGE as u64 {
            return Err("tls-handshake-too-long");
        }
        let Some(body) = reader.take(length as usize) else { return Ok((rest, true)) };
        rest = reader.rest();
        if !on(Event::Handshake(kind, body)) {
            return Ok((rest, false));
        }
    }
}
