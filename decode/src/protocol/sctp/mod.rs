//! SCTP: user messages out of its chunks, fragments put together, led on by what they say they carry.

mod sigtran;
mod tcap;
#[cfg(test)]
mod tests;

use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status, diameter};
use crate::field::{Count, Field, Kind};
use crate::limits::MAX_MESSAGE;
use crate::session::fields::{DESTINATION_PAYLOAD8, SOURCE_PAYLOAD8};
use crate::session::record::hex;

use Kind::{Integer, Term};

crate::declare_fields! {
    PROTOCOL_ID = Field::set("sctp.protoId", "sctp.protoId", Integer, "What user messages carry").counted(Count::No);
    M3UA_SI = Field::set("m3ua.si", "m3ua.si", Integer, "Users of the signalling network");
    SCCP_DST = Field::set("sccp.dst", "sccp.dst", Integer, "Point codes called");
    SCCP_SRC = Field::set("sccp.src", "sccp.src", Integer, "Point codes that call");
    TCAP_OPCODE = Field::set("tcap.opcode", "tcap.opcode", Integer, "Operations, by number");
    CAMEL_CALLED = Field::set("camel.called", "camel.called", Term, "Numbers called");
    CAMEL_CALLING = Field::set("camel.calling", "camel.calling", Term, "Numbers that call");
    CAMEL_IMSI = Field::set("camel.imsi", "camel.imsi", Term, "Subscribers");
    CAMEL_OPERATION = Field::set("camel.op", "camel.op", Term, "Operations");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "sctp",
    fields: FIELDS,
    signatures: &[Signature::SctpAny(|flow, direction, _| {
        flow.attach(Box::new(Sctp { direction, fragments: Vec::new() }));
    })],
};

const DATA: u8 = 0;
/// A chunk's type, flags and length; a data chunk's before its message.
const CHUNK_HEAD: usize = 4;
const DATA_HEAD: usize = 16;
const FIRST: u8 = 2;
const LAST: u8 = 1;
/// Fragments of one direction that wait for others.
const MAX_FRAGMENTS: usize = 64;

/// A part of a user message.
struct Fragment {
    number: u32,
    flags: u8,
    data: Vec<u8>,
}

/// One direction, with its fragments: their numbers follow each other, but they may come in any order.
struct Sctp {
    direction: Direction,
    fragments: Vec<Fragment>,
}

impl Parser for Sctp {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let mut reader = Reader::new(if direction == self.direction { data } else { &[] });
        while let Some(chunk) = next_chunk(&mut reader) {
            if chunk.first() == Some(&DATA) && self.chunk(flow, chunk).is_none() {
                flow.anomaly("sctp-chunk-malformed");
            }
        }
        Status::More
    }
}

/// The next chunk, its head included; the last one may be cut.
fn next_chunk<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = usize::from(Reader::at(reader.rest(), 2).u16()?).max(CHUNK_HEAD);
    let chunk = reader.take(length.min(reader.left()))?;
    reader.skip((length.next_multiple_of(4) - length).min(reader.left()))?;
    Some(chunk)
}

impl Sctp {
    fn chunk(&mut self, flow: &mut Flow<'_>, chunk: &[u8]) -> Option<()> {
        let mut reader = Reader::at(chunk, 1);
        let flags = reader.u8()? & (FIRST | LAST);
        reader.skip(2)?;
        let number = reader.u32()?;
        reader.skip(4)?;
        let carried = reader.u32()?;
        let data = chunk.get(DATA_HEAD..)?;
        flow.fields.int(&PROTOCOL_ID, i64::from(carried));
        if flags == FIRST | LAST {
            message(flow, self.direction, carried, data);
            return Some(());
        }
        self.hold(Fragment { number, flags, data: data.to_vec() });
        if let Some(whole) = join(&mut self.fragments, number) {
            message(flow, self.direction, carried, &whole);
        }
        Some(())
    }

    fn hold(&mut self, fragment: Fragment) {
        if self.fragments.iter().all(|held| held.number != fragment.number) {
            self.fragments.push(fragment);
        }
        let mut bytes: usize = self.fragments.iter().map(|held| held.data.len()).sum();
        while self.fragments.len() > MAX_FRAGMENTS || bytes > MAX_MESSAGE {
            bytes -= self.fragments.remove(0).data.len();
        }
    }
}

/// Takes the message that the fragment `number` is part of, if all of it is there.
fn join(held: &mut Vec<Fragment>, number: u32) -> Option<Vec<u8>> {
    let find = |number: u32| held.iter().find(|fragment| fragment.number == number);
    let mut first = number;
    while find(first)?.flags & FIRST == 0 {
        first = first.wrapping_sub(1);
        find(first).filter(|fragment| fragment.flags & LAST == 0)?;
    }
    let mut whole = Vec::new();
    let mut last = first;
    loop {
        let fragment = find(last).filter(|fragment| last == first || fragment.flags & FIRST == 0)?;
        whole.extend_from_slice(&fragment.data);
        if fragment.flags & LAST != 0 || whole.len() > MAX_MESSAGE {
            break;
        }
        last = last.wrapping_add(1);
    }
    let count = last.wrapping_sub(first);
    held.retain(|fragment| fragment.number.wrapping_sub(first) > count);
    Some(whole)
}

/// A user message, by the protocol that it says it carries.
fn message(flow: &mut Flow<'_>, direction: Direction, carried: u32, data: &[u8]) {
    let first = if direction == Direction::Client { &SOURCE_PAYLOAD8 } else { &DESTINATION_PAYLOAD8 };
    if !flow.fields.has(first) {
        flow.fields.text(first, &hex(&data[..data.len().min(8)]));
    }
    match carried {
        2 => sigtran::m2ua(flow, data),
        3 => sigtran::m3ua(flow, data),
        46 | 47 => diameter::datagram(flow, data),
        _ => {}
    }
}
