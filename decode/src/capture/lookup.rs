//! Single packets read back from a capture by position.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::pcap::{HEADER, Pcap};
use super::pcapng::Pcapng;
use super::{Capture, Item, RawPacket};

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

impl From<&RawPacket<'_>> for OwnedPacket {
    fn from(raw: &RawPacket<'_>) -> OwnedPacket {
        let (time_ns, linktype, wire_length) = (raw.time_ns, raw.linktype, raw.wire_length);
        OwnedPacket { time_ns, linktype, wire_length, data: raw.data.to_vec() }
    }
}

/// The packets at `positions` (ascending or not, each once), in the order asked. `InvalidData` when a position
/// holds no packet.
pub fn packets(path: &Path, positions: &[u64], seekable: bool) -> io::Result<Vec<OwnedPacket>> {
    packets_of(File::open(path)?, positions, seekable)
}

/// Like `packets`, of anything that can be sought. Of a classic pcap only the places asked for are read, and of a
/// pcapng that is known to be `seekable` (as `Capture::seekable` says at its end), those and what precedes its packets.
pub fn packets_of(
    mut source: impl Read + Seek + Send + 'static,
    positions: &[u64],
    seekable: bool,
) -> io::Result<Vec<OwnedPacket>> {
    source.seek(SeekFrom::Start(0))?;
    let mut header = Vec::with_capacity(HEADER);
    source.by_ref().take(HEADER as u64).read_to_end(&mut header)?;
    if let Ok(format) = Pcap::from_header(&header) {
        return seek(source, HEADER as i64, positions, |file, position| {
            let packet = format.record_at(file, position)?;
            let length = format.record_bytes(&packet);
            Ok((packet, length))
        });
    }
    source.seek(SeekFrom::Start(0))?;
    if seekable && header.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        let mut format = Pcapng::from_head(&mut BufReader::with_capacity(NEAR, &mut source))?;
        source.seek(SeekFrom::Start(0))?;
        return seek(source, 0, positions, |file, position| format.packet_at(file, position));
    }
    scan(Capture::new(super::undone(source)?)?, positions)
}

/// Reads packet by packet; the source stands at `at`, where packets may begin. `read` also tells a record's length.
fn seek<S: Read + Seek>(
    source: S,
    mut at: i64,
    positions: &[u64],
    mut read: impl FnMut(&mut BufReader<S>, u64) -> io::Result<(OwnedPacket, i64)>,
) -> io::Result<Vec<OwnedPacket>> {
    let mut file = BufReader::with_capacity(NEAR, source);
    let least = at;
    let mut found = Vec::with_capacity(positions.len());
    for &position in positions {
        let target = i64::try_from(position).ok().filter(|place| *place >= least);
        let target = target.ok_or_else(|| no_packet(position))?;
        file.seek_relative(target - at)?;
        let (packet, length) = read(&mut file, position)?;
        at = target + length;
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
        let raw = match capture.next_item()? {
            Item::Packet(raw) => raw,
            Item::Secrets(_) => continue,
            Item::End(_) => break,
        };
        while wanted.get(next).is_some_and(|(position, _)| *position <= raw.position) {
            let (position, at) = wanted[next];
            if position == raw.position {
                found[at] = Some(OwnedPacket::from(&raw));
            }
            next += 1;
        }
    }
    found.into_iter().zip(positions).map(|(packet, position)| packet.ok_or_else(|| no_packet(*position))).collect()
}

pub(super) fn no_packet(position: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no packet at position {position}"))
}
