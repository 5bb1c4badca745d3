//! Capture files to packets: pcap and pcapng, plain, gzip or zstd, from anything that can be read in order.

mod input;
mod lookup;
mod pcap;
mod pcapng;

use std::io;

use input::Buffer;
pub use input::{open, undone};
pub use lookup::{OwnedPacket, packets, packets_of};

/// One captured packet; `data` lives until the next one is read.
#[derive(Clone, Copy, Debug)]
pub struct RawPacket<'a> {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// LINKTYPE_ number of the interface.
    pub linktype: u16,
    /// Length on the wire, bytes.
    pub wire_length: u32,
    /// Offset of the packet's record in the (uncompressed) file.
    pub position: u64,
    pub data: &'a [u8],
}

/// What the reader found next.
#[derive(Debug)]
pub enum Item<'a> {
    Packet(RawPacket<'a>),
    /// A key log that the file brings; none when it is too long to be read.
    Secrets(Option<&'a [u8]>),
    /// The file ends; the name of what is wrong with its end, if anything is.
    End(Option<&'static str>),
}

enum Format {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
}

/// A capture being read.
pub struct Capture {
    buffer: Buffer,
    format: Format,
}

impl Capture {
    /// Reads the file's header. `InvalidData` when it is no capture; an empty file is one too.
    pub fn new(source: Box<dyn io::Read + Send>) -> io::Result<Capture> {
        let mut buffer = Buffer::new(source);
        let format = match buffer.peek(4)? {
            [0x0a, 0x0d, 0x0d, 0x0a] => Format::Pcapng(pcapng::Pcapng::default()),
            magic if magic.len() == 4 => Format::Pcap(pcap::Pcap::new(&mut buffer)?),
            _ => return Err(not_a_capture("shorter than a capture's header")),
        };
        Ok(Capture { buffer, format })
    }

    /// `pcap` or `pcapng`.
    pub fn format(&self) -> &'static str {
        match self.format {
            Format::Pcap(_) => "pcap",
            Format::Pcapng(_) => "pcapng",
        }
    }

    /// Whether each packet read so far can be read by itself, knowing what precedes the first one.
    pub fn seekable(&self) -> bool {
        match &self.format {
            Format::Pcap(_) => true,
            Format::Pcapng(f) => f.seekable(),
        }
    }

    /// The next packet. Errors are those of the source; a damaged file ends with a name instead.
    pub fn next_item(&mut self) -> io::Result<Item<'_>> {
        match &mut self.format {
            Format::Pcap(f) => f.next(&mut self.buffer),
            Format::Pcapng(f) => f.next(&mut self.buffer),
        }
    }
}

fn not_a_capture(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a capture: {why}"))
}

/// Reads numbers in the file's byte order.
#[derive(Clone, Copy, Debug, Default)]
struct Order {
    big: bool,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let raw = bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).unwrap_or_default();
        if self.big { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) }
    }

    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let raw = bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).unwrap_or_default();
        if self.big { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }
    }
}
