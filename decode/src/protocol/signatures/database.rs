//! Checks of the first TCP data of stores and queues.

use super::tcp::{be32, le32};
use crate::protocol::Flow;
use crate::protocol::reader::Reader;

/// An info request: eight bytes of header with the length, then names in lines.
pub fn aerospike(_: &Flow<'_>, data: &[u8]) -> bool {
    let text = data.get(8..).unwrap_or_default();
    let plain = |b: &u8| b.is_ascii_graphic() || matches!(b, b'\n' | b'\t' | b' ');
    be32(data, 4).is_some_and(|n| n > 0 && n as usize >= text.len()) && !text.is_empty() && text.iter().all(plain)
}

/// A call or reply of the strict binary protocol: the method's name and its length.
fn thrift_message(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let (Some([0x80, 1, 0, 1..=4]), Some(length @ 1..=256)) = (reader.array(), reader.u32()) else { return false };
    let name = reader.take((length as usize).min(reader.left())).unwrap_or_default();
    !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"_:.".contains(b))
}

pub fn thrift(_: &Flow<'_>, data: &[u8]) -> bool {
    thrift_message(data)
}

/// A message behind its length.
pub fn framed_thrift(_: &Flow<'_>, data: &[u8]) -> bool {
    data.first() == Some(&0) && data.get(4..).is_some_and(thrift_message)
}

/// The old interface of Cassandra: a call of it opens with one of these methods.
pub fn cassandra_thrift(_: &Flow<'_>, data: &[u8]) -> bool {
    let name = data.get(12..).unwrap_or_default();
    [&b"set_keyspace"[..], b"describe_", b"set_cql_version", b"execute_cql"].iter().any(|n| name.starts_with(n))
}

/// A frame of the native protocol: version, opcode, and a length that fits.
pub fn cassandra(_: &Flow<'_>, data: &[u8]) -> bool {
    let Some([version, _flags, _, _, opcode]) = data.first_chunk() else { return false };
    (1..=5).contains(&(version & 0x7f))
        && *opcode <= 0x10
        && be32(data, 5).is_some_and(|n| n as usize + 9 >= data.len())
}

/// The exchange of attributes that opens a DB2 connection.
pub fn drda(_: &Flow<'_>, data: &[u8]) -> bool {
    let length = Reader::new(data).u16().map(usize::from);
    matches!(data.get(8..10), Some([0x10, 0x41] | [0x14, 0x43]))
        && length.is_some_and(|n| (10..=data.len()).contains(&n))
}

/// A request with its own length, a known API and version, and a client's name that is text. Without a name only a
/// request to read (which says so by replica -1) or the usual port will do.
pub fn kafka(flow: &Flow<'_>, data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let Some(length @ 10..=0xff_ffff) = reader.u32() else { return false };
    let (Some(api @ 0..=75), Some(0..=18), Some(_correlation), Some(client)) =
        (reader.u16(), reader.u16(), reader.u32(), reader.u16())
    else {
        return false;
    };
    let name = reader.take(usize::from(client)).unwrap_or_default();
    let text = !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"-_. ".contains(b));
    let reading = matches!(api, 1 | 2) && reader.u32() == Some(u32::MAX);
    let whole = length as usize + 4 == data.len();
    length as usize + 4 >= data.len() && ((text && client <= 255) || whole && (reading || flow.ends.port(9092)))
}

/// A message header: its length, no answer's number, a known operation.
pub fn mongo(_: &Flow<'_>, data: &[u8]) -> bool {
    let (Some(length), Some(reply), Some(operation)) = (le32(data, 0), le32(data, 8), le32(data, 12)) else {
        return false;
    };
    (16..48_000_000).contains(&length) && matches!(reply, 0 | u32::MAX) && matches!(operation, 2001..=2013)
}

/// The binary protocol, or a text command of one line.
pub fn memcached(_: &Flow<'_>, data: &[u8]) -> bool {
    let words: &[&[u8]] = &[b"get ", b"gets ", b"set ", b"add ", b"delete ", b"version\r\n", b"VALUE ", b"VERSION "];
    match data {
        [0x80 | 0x81, 0..=0x1c, ..] => data.len() >= 24,
        _ => words.iter().any(|word| data.starts_with(word)),
    }
}
