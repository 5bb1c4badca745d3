//! NetBIOS name service: names asked for and names told, in a form borrowed from DNS.

use std::net::Ipv4Addr;

use super::reader::{Reader, chunks};
use super::{Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

use Kind::{Ip, Term};

crate::declare_fields! {
    HOST = Field::set("nbns.host", "nbns.host", Term, "Names told with their addresses");
    IPS = Field::set("nbns.ip", "nbns.ip", Ip, "Addresses told");
    NAME = Field::set("nbns.name", "nbns.name", Term, "All names");
    QUERY_HOST = Field::set("nbns.queryHost", "nbns.queryHost", Term, "Names asked for");
    QUERY_TYPE = Field::set("nbns.queryType", "nbns.queryType", Term, "Record types asked for");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "nbns",
    fields: FIELDS,
    signatures: &[
        Signature::UdpPort(137, |flow, _, data| begin(flow, data)),
        Signature::UdpPort(138, |flow, _, data| begin_datagrams(flow, data)),
    ],
};

const HEADER: usize = 12;
/// A NetBIOS name's one label: 16 bytes, each as two letters.
const LABEL: u8 = 32;
/// Questions and records of one message that are read.
const MOST: usize = 100;
/// Where a datagram's own data begin: after its head and two names.
const DATAGRAM_DATA: usize = 14 + 34 + 34;
const NB: u16 = 0x20;
const NBSTAT: u16 = 0x21;

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    let mut reader = Reader::at(data, HEADER);
    if name(&mut reader).is_some() {
        each::begin(flow, "nbns", read);
    }
}

/// The datagram service beside it: messages to names, most of them of SMB.
fn begin_datagrams(flow: &mut Flow<'_>, data: &[u8]) {
    let [kind @ 0x10..=0x16, flags, ..] = data else { return };
    if flags & 0xf0 != 0 {
        return;
    }
    flow.protocol("nbds");
    if *kind <= 0x12 && data.get(DATAGRAM_DATA..).is_some_and(|message| message.starts_with(b"\xffSMB")) {
        flow.protocol("smb");
    }
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    if message(flow, data).is_none() {
        flow.anomaly("nbns-message-malformed");
    }
}

fn message(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    let mut reader = Reader::at(data, 4);
    let questions = usize::from(reader.u16()?);
    let records: usize = (0..3).map_while(|_| reader.u16()).map(usize::from).sum();
    for _ in 0..questions.min(MOST) {
        let host = name(&mut reader)?;
        let kind = reader.u16()?;
        reader.skip(2)?;
        flow.fields.bytes(&QUERY_HOST, &host);
        flow.fields.bytes(&NAME, &host);
        match kind {
            NB => flow.fields.text(&QUERY_TYPE, "NB"),
            NBSTAT => flow.fields.text(&QUERY_TYPE, "NBSTAT"),
            other => flow.fields.text(&QUERY_TYPE, &other.to_string()),
        }
    }
    for _ in 0..records.min(MOST) {
        record(flow, &mut reader)?;
    }
    Some(())
}

fn record(flow: &mut Flow<'_>, reader: &mut Reader<'_>) -> Option<()> {
    let host = name(reader)?;
    let kind = reader.u16()?;
    reader.skip(6)?;
    let length = usize::from(reader.u16()?);
    let value = reader.take(length)?;
    flow.fields.bytes(&HOST, &host);
    flow.fields.bytes(&NAME, &host);
    if kind == NB {
        for [_, _, a, b, c, d] in chunks(value) {
            flow.fields.ip(&IPS, Ipv4Addr::new(a, b, c, d).into());
        }
    }
    Some(())
}

/// The name at the cursor, without its padding and its service byte.
fn name(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let first = reader.u8()?;
    if first >= 0xc0 {
        let target = usize::from(first & 0x3f) << 8 | usize::from(reader.u8()?);
        // A pointer to a pointer is refused: nothing legitimate needs it.
        return label(&mut Reader::at(reader.whole(), target)).filter(|_| target >= HEADER);
    }
    let name = label(&mut Reader::at(reader.whole(), reader.position() - 1))?;
    reader.skip(usize::from(LABEL))?;
    // The scope: labels of which nothing is told.
    loop {
        match reader.u8()? {
            0 => return Some(name),
            length @ 1..=63 => reader.skip(usize::from(length))?,
            _ => return reader.skip(1).map(|()| name),
        }
    }
}

fn label(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let letters = reader.u8().filter(|length| *length == LABEL).and_then(|length| reader.take(usize::from(length)))?;
    let nibble = |letter: u8| letter.checked_sub(b'A').filter(|n| *n < 16);
    let pair = |[high, low]: [u8; 2]| Some(nibble(high)? << 4 | nibble(low)?);
    let bytes: Vec<u8> = chunks(letters).map(pair).collect::<Option<_>>()?;
    let text = bytes.get(..15)?;
    let padding = |byte: &u8| *byte <= b' ';
    let start = text.iter().position(|b| !padding(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !padding(b)).map_or(start, |at| at + 1);
    text.get(start..end).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};
    use crate::values::Values;

    fn registration() -> Vec<u8> {
        let mut data = b"\x00\x04\x29\x00\x00\x01\x00\x00\x00\x00\x00\x01".to_vec();
        data.push(LABEL);
        for byte in b"\x01\x02__MSBROWSE__\x02\x01" {
            data.extend_from_slice(&[b'A' + (byte >> 4), b'A' + (byte & 15)]);
        }
        data.extend_from_slice(
            b"\x00\x00\x20\x00\x01\xc0\x0c\x00\x20\x00\x01\x00\x04\x93\xe0\x00\x06\x80\x00\xc0\xa8\xef\x81",
        );
        data
    }

    #[test]
    fn a_registration_asks_and_tells() {
        let mut harness = Harness::new(Transport::Udp, 137);
        harness.data(Direction::Client, &registration());
        assert_eq!(harness.protocols, ["nbns"]);
        for field in [&HOST, &NAME, &QUERY_HOST] {
            assert_eq!(harness.texts(field), ["__MSBROWSE__"]);
        }
        assert_eq!(harness.texts(&QUERY_TYPE), ["NB"]);
        assert!(matches!(harness.fields.get(&IPS), Some(Values::Ips(ips)) if ips.len() == 1));
    }

    #[test]
    fn a_message_cut_or_spoilt_anywhere_does_no_harm() {
        let whole = registration();
        for at in 0..whole.len() {
            let mut harness = Harness::new(Transport::Udp, 137);
            harness.data(Direction::Client, &whole);
            harness.data(Direction::Client, &whole[..at]);
            for byte in [0, 0x20, 0xc0, 0xff] {
                let mut spoilt = whole.clone();
                spoilt[at] = byte;
                harness.data(Direction::Client, &spoilt);
            }
        }
    }
}
