//! Single packets read back from a capture by position.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Capture, Item};

/// A packet that owns its bytes.
#[derive(Clone, Debug)]
pub struct OwnedPacket {
    pub time_ns: u64,
    pub linktype: u16,
    pub wire_length: u32,
    pub data: Vec<u8>,
}

/// The packets at `positions` (ascending or not, each once), in the order asked. `InvalidData` when a position
/// holds no packet.
pub fn packets(path: &Path, positions: &[u64]) -> io::Result<Vec<OwnedPacket>> {
    let capture = Capture::new(super::open(path)?)?;
    if capture.format() == "pcap" && is_plain(path)? { seek(path, positions) } else { scan(capture, positions) }
}

fn is_plain(path: &Path) -> io::Result<bool> {
    let mut magic = [0; 4];
    File::open(path)?.read_exact(&mut magic)?;
    Ok(magic[..2] != [0x1f, 0x8b] && magic != [0x28, 0xb5, 0x2f, 0xfd])
}

/// Classic pcap: every record stands alone after the header, so each is sought.
fn seek(path: &Path, positions: &[u64]) -> io::Result<Vec<OwnedPacket>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut header = vec![0; 24];
    file.read_exact(&mut header)?;
    let format = super::pcap::Pcap::from_header(&header)?;
    positions
        .iter()
        .map(|&position| {
            file.seek(SeekFrom::Start(position))?;
            format.record_at(&mut file, position)
        })
        .collect()
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
