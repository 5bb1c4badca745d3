//! Telephone signalling over IP: M2UA and M3UA, and the SCCP, ISUP and TUP that they carry.

use super::{M3UA_SI, SCCP_DST, SCCP_SRC, tcap};
use crate::protocol::Flow;
use crate::protocol::reader::Reader;

/// Version, reserved, class, type, length.
const HEADER: usize = 8;
/// Class and type of messages that carry data.
const M2UA_DATA: [u8; 2] = [6, 1];
const M3UA_DATA: [u8; 2] = [1, 1];

/// Users of the network, by service indicator.
const SCCP: u8 = 3;
const TUP: u8 = 4;
const ISUP: u8 = 5;

/// Class and type, and the parameters, of a message of either.
fn message(data: &[u8]) -> Option<([u8; 2], Reader<'_>)> {
    let [version, reserved, class, kind] = Reader::new(data).array()?;
    let parameters = Reader::at(data, HEADER);
    (version == 1 && reserved == 0 && data.len() >= HEADER).then_some(([class, kind], parameters))
}

fn parameter<'a>(reader: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let tag = reader.u16()?;
    let length = usize::from(reader.u16()?).checked_sub(4)?;
    let value = reader.take(length.min(reader.left()))?;
    reader.skip((length.next_multiple_of(4) - length).min(reader.left()))?;
    Some((tag, value))
}

/// MTP level 2's user adaptation: whole messages of level 3.
pub fn m2ua(flow: &mut Flow<'_>, data: &[u8]) {
    let Some((kind, mut parameters)) = message(data) else { return };
    flow.protocol("m2ua");
    while let Some((tag, value)) = parameter(&mut parameters).filter(|_| kind == M2UA_DATA) {
        match (tag, value) {
            (0x0300, message) => level3(flow, message),
            // The Japanese form has a priority first.
            (0x0301, [_, message @ ..]) => level3(flow, message),
            _ => {}
        }
    }
}

/// MTP level 3's user adaptation: what level 3 carries, with the routing label in fields of its own.
pub fn m3ua(flow: &mut Flow<'_>, data: &[u8]) {
    let Some((kind, mut parameters)) = message(data) else { return };
    flow.protocol("m3ua");
    while let Some((tag, value)) = parameter(&mut parameters).filter(|_| kind == M3UA_DATA) {
        match (tag, value) {
            (0x0210, [_, _, _, _, _, _, _, _, indicator, _, _, _, payload @ ..]) => user(flow, *indicator, payload),
            // Drafts of the standard carried whole messages of level 3.
            (0x0002, message) => level3(flow, message),
            _ => {}
        }
    }
}

/// A message of level 3: the service and a routing label of four bytes, then the user's own.
fn level3(flow: &mut Flow<'_>, message: &[u8]) {
    if let [service, _, _, _, _, payload @ ..] = message {
        user(flow, service & 0xf, payload);
    }
}

fn user(flow: &mut Flow<'_>, indicator: u8, payload: &[u8]) {
    flow.fields.int(&M3UA_SI, i64::from(indicator));
    match indicator {
        SCCP => sccp(flow, payload),
        TUP => flow.protocol("tup"),
        ISUP => flow.protocol("isup"),
        _ => {}
    }
}

fn sccp(flow: &mut Flow<'_>, data: &[u8]) {
    flow.protocol("sccp");
    if parts(flow, data).is_none() {
        flow.anomaly("sccp-message-malformed");
    }
}

/// Connectionless messages: pointers to the called address, the calling address and the data.
fn parts(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    let mut reader = Reader::new(data);
    match reader.u8()? {
        0x09 | 0x0a => reader.skip(1)?,
        0x11 | 0x12 => reader.skip(2)?,
        _ => return Some(()),
    }
    let mut part = || {
        let at = reader.position();
        let start = at + usize::from(reader.u8()?);
        let mut part = Reader::at(data, start);
        let length = usize::from(part.u8()?);
        part.take(length.min(part.left()))
    };
    let (called, calling, carried) = (part()?, part()?, part()?);
    for (field, address) in [(&SCCP_DST, called), (&SCCP_SRC, calling)] {
        if let Some(code) = point_code(address) {
            flow.fields.int(field, i64::from(code));
        }
    }
    tcap::message(flow, carried);
    Some(())
}

/// The point code of an address, if its indicator says that there is one.
fn point_code(address: &[u8]) -> Option<u16> {
    match address {
        [indicator, low, high, ..] if indicator & 1 != 0 => Some(u16::from_le_bytes([*low, *high]) & 0x3fff),
        _ => None,
    }
}
