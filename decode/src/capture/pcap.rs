//! The classic format: a header, then records. Microseconds or nanoseconds, either byte order.

use std::io::{self, Read};

use super::lookup::{OwnedPacket, no_packet};
use super::{Buffer, Item, Order, RawPacket, not_a_capture};
use crate::limits::MAX_PACKET;

/// Bytes of the file's header.
pub(super) const HEADER: usize = 24;

pub(super) struct Pcap {
    order: Order,
    linktype: u16,
    /// Nanoseconds in a unit of the records' fraction.
    unit: u64,
    /// Bytes of a record's header (16; 24 in the "modified" form).
    record: usize,
    done: bool,
}

impl Pcap {
    pub fn new(buffer: &mut Buffer) -> io::Result<Pcap> {
        let format = Pcap::from_header(buffer.peek(HEADER)?)?;
        buffer.consume(HEADER);
        Ok(format)
    }

    /// Reads the file's 24-byte header.
    pub fn from_header(header: &[u8]) -> io::Result<Pcap> {
        let (big, unit, record) = match header.get(..4) {
            Some([0xd4, 0xc3, 0xb2, 0xa1]) => (false, 1000, 16),
            Some([0xa1, 0xb2, 0xc3, 0xd4]) => (true, 1000, 16),
            Some([0x4d, 0x3c, 0xb2, 0xa1]) => (false, 1, 16),
            Some([0xa1, 0xb2, 0x3c, 0x4d]) => (true, 1, 16),
            Some([0x34, 0xcd, 0xb2, 0xa1]) => (false, 1000, 24),
            Some([0xa1, 0xb2, 0xcd, 0x34]) => (true, 1000, 24),
            _ => return Err(not_a_capture("neither pcap nor pcapng by its first bytes")),
        };
        if header.len() < HEADER {
            return Err(not_a_capture("the pcap header is cut short"));
        }
        let order = Order { big };
        // The upper bits tell of a frame check sequence; the type is in the lower 16.
        let linktype = (order.u32(header, 20) & 0xffff) as u16;
        Ok(Pcap { order, linktype, unit, record, done: false })
    }

    /// Reads the record that begins at the source's place.
    pub fn record_at(&self, source: &mut impl Read, position: u64) -> io::Result<OwnedPacket> {
        let fill = |source: &mut dyn Read, length: usize| {
            let mut bytes = vec![0; length];
            match source.read_exact(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(no_packet(position)),
                done => done.map(|()| bytes),
            }
        };
        let header = fill(source, self.record)?;
        let captured = self.order.u32(&header, 8) as usize;
        if captured > MAX_PACKET {
            return Err(no_packet(position));
        }
        let data = fill(source, captured)?;
        let (time_ns, wire_length) = (self.time_ns(&header), self.order.u32(&header, 12));
        Ok(OwnedPacket { time_ns, linktype: self.linktype, wire_length, data })
    }

    /// Bytes that the packet's record takes in the file.
    pub fn record_bytes(&self, packet: &OwnedPacket) -> i64 {
        (self.record + packet.data.len()) as i64
    }

    fn time_ns(&self, header: &[u8]) -> u64 {
        let (seconds, fraction) = (self.order.u32(header, 0), self.order.u32(header, 4));
        u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit
    }

    pub fn next<'b>(&mut self, buffer: &'b mut Buffer) -> io::Result<Item<'b>> {
        if self.done {
            return Ok(Item::End(None));
        }
        let position = buffer.position();
        let header = buffer.peek(self.record)?;
        if header.len() < self.record {
            self.done = true;
            return Ok(Item::End((!header.is_empty()).then_some("truncated-file")));
        }
        let time_ns = self.time_ns(header);
        let captured = self.order.u32(header, 8) as usize;
        let wire_length = self.order.u32(header, 12);
        if captured > MAX_PACKET {
            self.done = true;
            return Ok(Item::End(Some("corrupt-record")));
        }
        let whole = self.record + captured;
        if buffer.peek(whole)?.len() < whole {
            self.done = true;
            return Ok(Item::End(Some("truncated-file")));
        }
        let data = &buffer.consume(whole)[self.record..];
        Ok(Item::Packet(RawPacket { time_ns, linktype: self.linktype, wire_length, position, data }))
    }
}
