//! Single packets read back from a capture by position.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::pcap::{HEADER, Pcap};
use super::{Capture, Item};

/// A packet that owns its bytes.
#[derive(Clone, Debug)]
pub struct OwnedPacket {
    pub time_ns: u64,
    pub linktype: u16,
    pub wire_length: u32,
    pub data: Vec<u8>,
}

/// Bytes of a classic file read at a time: packets of one session often lie close together.
const NEAR: usize = 32 << 10;

/// The packets at `positions` (ascending or not, each once), in the order asked. `InvalidData` when a position
/// holds no packet.
pub fn packets(path: &Path, positions: &[u64]) -> io::Result<Vec<OwnedPacket>> {
    packets_of(File::open(path)?, positions)
}

/// Like `packets`, of anything that can be sought. Of a classic pcap only the places asked for are read.
pub fn packets_of(mut source: impl Read + Seek + Send + 'static, positions: &[u64]) -> io::Result<Vec<OwnedPacket>> {
    source.seek(SeekFrom::Start(0))?;
    let mut header = Vec::with_capacity(HEADER);
    source.by_ref().take(HEADER as u64).read_to_end(&mut header)?;
    if let Ok(format) = Pcap::from_header(&header) {
        return seek(source, &format, positions);
    }
    source.seek(SeekFrom::Start(0))?;
    scan(Capture::new(super::undone(source)?)?, positions)
}

/// Classic pcap: every record stands alone after the header, so each is sought.
fn seek(source: impl Read + Seek, format: &Pcap, positions: &[u64]) -> io::Result<Vec<OwnedPacket>> {
    let mut file = BufReader::with_capacity(NEAR, source);
    let mut at = HEADER as i64;
    let mut found = Vec::with_capacity(positions.len());
    for &position in positions {
        let target = i64::try_from(position).ok().filter(|place| *place >= HEADER as i64);
        let target = target.ok_or_else(|| no_packet(position))?;
        file.seek_relative(target - at)?;
        let packet = format.record_at(&mut file, position)?;
        at = target + format.record_bytes(&packet);
        found.push(packet);
    }
    Ok(found)
}

/// Anything else is read from its start, since interfaces may be described anywhere.
fn scan(mut capture: Capture, positions: &[u64]) -> io::Result<Vec<OwnedPacket>> {
    let mut wanted: Vec<(u64, usize)> = positions.iter().copied().zip(0..).collect();
    wanted.sort_unstable();
    let mut found: Vec<Option<OwnedPacket>> = vec![None; positions.len()];
    let mut next = 0;
    while next < wanted.len() {
        let Item::Packet(raw) = capture.next_item()? else { break };
        while wanted.get(next).is_some_and(|(position, _)| *position <= raw.position) {
            let (position, at) = wanted[next];
            if position == raw.position {
                let (time_ns, linktype, wire_length) = (raw.time_ns, raw.linktype, raw.wire_length);
                found[at] = Some(OwnedPacket { time_ns, linktype, wire_length, data: raw.data.to_vec() });
            }
            next += 1;
        }
    }
    found.into_iter().zip(positions).map(|(packet, position)| packet.ok_or_else(|| no_packet(*position))).collect()
}

pub(super) fn no_packet(position: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no packet at position {position}"))
}
