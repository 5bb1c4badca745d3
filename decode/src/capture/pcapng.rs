//! The next generation format: sections of blocks; packets refer to interfaces, which tell link type and clock.

use std::io::{self, Read};
use std::ops::Range;

use super::lookup::{OwnedPacket, no_packet};
use super::{Buffer, Item, Order, RawPacket, not_a_capture};
use crate::limits::{MAX_PACKET, MAX_SECRETS_BLOCK};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const SECRETS: u32 = 10;
/// "TLSK": the secrets are a TLS key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Interfaces of one section; each costs memory.
const MAX_INTERFACES: usize = 4096;
/// Largest block but secrets that is read whole; others (name tables) are passed over in pieces.
const MAX_BLOCK: usize = MAX_PACKET + 65_536;

#[derive(Clone, Copy, Debug)]
struct Interface {
    linktype: u16,
    snaplen: u32,
    /// Units in a second.
    rate: u64,
    offset_seconds: i64,
}

#[derive(Default)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    done: bool,
    begun: bool,
    packets: bool,
    /// Whether a section or an interface came after the first packet.
    scattered: bool,
}

impl Pcapng {
    /// Whether what precedes the first packet is all that packets refer to, so far.
    pub fn seekable(&self) -> bool {
        !self.scattered
    }

    /// Reads what precedes the first packet, and no more than the head of that.
    pub fn from_head(source: &mut impl Read) -> io::Result<Pcapng> {
        let mut format = Pcapng::default();
        loop {
            let mut head = [0; 12];
            source.read_exact(&mut head)?;
            let Some((kind, length)) = format.block(&head) else { return Err(not_a_capture("a damaged block")) };
            if is_packet(kind) {
                return Ok(format);
            }
            let mut rest = source.by_ref().take(length as u64 - 12);
            if kind == INTERFACE && length <= MAX_BLOCK {
                let mut block = head.to_vec();
                rest.read_to_end(&mut block)?;
                format.describe(block.get(8..length - 4).unwrap_or_default());
            } else {
                io::copy(&mut rest, &mut io::sink())?;
            }
        }
    }

    /// Reads the block that begins at the source's place; also its length.
    pub fn packet_at(&mut self, source: &mut impl Read, position: u64) -> io::Result<(OwnedPacket, i64)> {
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => no_packet(position),
            _ => error,
        };
        let mut block = vec![0; 12];
        source.read_exact(&mut block).map_err(missing)?;
        let order = self.order;
        let (kind, length) = (order.u32(&block, 0), order.u32(&block, 4) as usize);
        if !is_packet(kind) || !(16..=MAX_BLOCK).contains(&length) || !length.is_multiple_of(4) {
            return Err(no_packet(position));
        }
        block.resize(length, 0);
        source.read_exact(&mut block[12..]).map_err(missing)?;
        if order.u32(&block, length - 4) as usize != length {
            return Err(no_packet(position));
        }
        let raw = self.packet(kind, &block[8..length - 4], position).ok_or_else(|| no_packet(position))?;
        Ok((OwnedPacket::from(&raw), length as i64))
    }

    /// Kind and length of the block that `head` (12 bytes) begins; None when it is damaged.
    fn block(&mut self, head: &[u8]) -> Option<(u32, usize)> {
        if head.starts_with(&SECTION.to_be_bytes()) {
            match &head[8..12] {
                [0x1a, 0x2b, 0x3c, 0x4d] => self.order.big = true,
                [0x4d, 0x3c, 0x2b, 0x1a] => self.order.big = false,
                _ => return None,
            }
            self.scattered |= self.begun;
            self.begun = true;
            self.interfaces.clear();
        }
        let length = self.order.u32(head, 4) as usize;
        (length >= 12 && length.is_multiple_of(4)).then(|| (self.order.u32(head, 0), length))
    }

    fn describe(&mut self, body: &[u8]) {
        self.scattered |= self.packets;
        if self.interfaces.len() < MAX_INTERFACES {
            self.interfaces.push(interface(self.order, body));
        }
    }

    pub fn next<'b>(&mut self, buffer: &'b mut Buffer) -> io::Result<Item<'b>> {
        loop {
            if self.done {
                return Ok(Item::End(None));
            }
            let head = buffer.peek(12)?;
            if head.len() < 12 {
                let cut = !head.is_empty();
                return Ok(self.end(cut.then_some("truncated-file")));
            }
            let mut first = [0; 12];
            first.copy_from_slice(head);
            let Some((kind, length)) = self.block(&first) else { return Ok(self.end(Some("corrupt-block"))) };
            if kind == SECRETS && length <= MAX_SECRETS_BLOCK {
                if buffer.peek(length)?.len() < length {
                    return Ok(self.end(Some("truncated-file")));
                }
                if let Some(place) = key_log(self.order, buffer.peek(length)?) {
                    return Ok(Item::Secrets(buffer.consume(length).get(place)));
                }
                buffer.consume(length);
                continue;
            }
            if length > MAX_BLOCK {
                if !pass_over(buffer, length)? {
                    return Ok(self.end(Some("truncated-file")));
                }
                if kind == SECRETS {
                    return Ok(Item::Secrets(None));
                }
                continue;
            }
            if buffer.peek(length)?.len() < length {
                return Ok(self.end(Some("truncated-file")));
            }
            if is_packet(kind) {
                self.packets = true;
                let position = buffer.position();
                let body = &buffer.consume(length)[8..length - 4];
                match self.packet(kind, body, position) {
                    Some(packet) => return Ok(Item::Packet(packet)),
                    None => return Ok(self.end(Some("corrupt-block"))),
                }
            }
            if kind == INTERFACE {
                self.describe(&buffer.peek(length)?[8..length - 4]);
            }
            buffer.consume(length);
        }
    }

    fn end(&mut self, why: Option<&'static str>) -> Item<'static> {
        self.done = true;
        Item::End(why)
    }

    fn packet<'b>(&self, kind: u32, body: &'b [u8], position: u64) -> Option<RawPacket<'b>> {
        let o = self.order;
        let (id, time, captured, wire_length, start) = match kind {
            SIMPLE_PACKET if body.len() >= 4 => {
                let wire = o.u32(body, 0);
                let snaplen = self.interfaces.first().map_or(0, |i| i.snaplen);
                let limit = if snaplen == 0 { u32::MAX } else { snaplen };
                (0, 0, wire.min(limit) as usize, wire, 4)
            }
            OBSOLETE_PACKET if body.len() >= 20 => {
                (u32::from(o.u16(body, 0)), time_units(o, body), o.u32(body, 12) as usize, o.u32(body, 16), 20)
            }
            ENHANCED_PACKET if body.len() >= 20 => {
                (o.u32(body, 0), time_units(o, body), o.u32(body, 12) as usize, o.u32(body, 16), 20)
            }
            _ => return None,
        };
        let interface = self.interfaces.get(id as usize)?;
        let data = body.get(start..)?.get(..captured)?;
        let time_ns = nanoseconds(time, interface);
        Some(RawPacket { time_ns, linktype: interface.linktype, wire_length, position, data })
    }
}

fn is_packet(kind: u32) -> bool {
    matches!(kind, ENHANCED_PACKET | SIMPLE_PACKET | OBSOLETE_PACKET)
}

/// Where the key log stands in a block of secrets that holds one.
fn key_log(order: Order, block: &[u8]) -> Option<Range<usize>> {
    let start = 16;
    let end = start + order.u32(block, 12) as usize;
    (order.u32(block, 8) == TLS_KEY_LOG && end + 4 <= block.len()).then_some(start..end)
}

fn time_units(order: Order, body: &[u8]) -> u64 {
    u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8))
}

fn nanoseconds(units: u64, interface: &Interface) -> u64 {
    let ns = (u128::from(units) * 1_000_000_000 / u128::from(interface.rate)) as i128;
    (ns + i128::from(interface.offset_seconds) * 1_000_000_000).clamp(0, i128::from(u64::MAX)) as u64
}

fn interface(order: Order, body: &[u8]) -> Interface {
    let mut found =
        Interface { linktype: order.u16(body, 0), snaplen: order.u32(body, 4), rate: 1_000_000, offset_seconds: 0 };
    let mut rest = body.get(8..).unwrap_or_default();
    while rest.len() >= 4 {
        let (code, length) = (order.u16(rest, 0), usize::from(order.u16(rest, 2)));
        let Some(value) = rest.get(4..4 + length) else { break };
        match code {
            0 => break,
            9 if length >= 1 => found.rate = rate(value[0]),
            14 if length >= 8 => {
                let halves = [u64::from(order.u32(value, 0)), u64::from(order.u32(value, 4))];
                let (high, low) = if order.big { (halves[0], halves[1]) } else { (halves[1], halves[0]) };
                found.offset_seconds = (high << 32 | low) as i64;
            }
            _ => {}
        }
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// The `if_tsresol` option: a power of ten, or of two when the top bit is set.
fn rate(option: u8) -> u64 {
    let exponent = u32::from(option & 0x7f);
    let base: u64 = if option & 0x80 != 0 { 2 } else { 10 };
    base.checked_pow(exponent).unwrap_or(1_000_000)
}

fn pass_over(buffer: &mut Buffer, mut length: usize) -> io::Result<bool> {
    while length > 0 {
        let step = length.min(MAX_BLOCK);
        if buffer.peek(step)?.len() < step {
            return Ok(false);
        }
        buffer.consume(step);
        length -= step;
    }
    Ok(true)
}
