//! A message's header, question and records, each read when it is asked for.

use super::name::{Fault, Name};
use crate::protocol::reader::Reader;

/// Bytes of a header.
pub const HEADER: usize = 12;
/// A header and the shortest question.
const SHORTEST: usize = 17;
/// More questions than this are no DNS that anyone sends.
const MAX_QUESTIONS: u16 = 10;
const UPDATE: u8 = 5;

/// A message's first twelve bytes.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub id: u16,
    pub flags: u16,
    pub questions: u16,
    pub answers: u16,
    pub authorities: u16,
    pub additionals: u16,
}

impl Header {
    /// Reads it, if this may be DNS at all; `multicast` messages may have no question.
    pub fn read(data: &[u8], multicast: bool) -> Option<Header> {
        let mut reader = Reader::new(data);
        let header = Header {
            id: reader.u16()?,
            flags: reader.u16()?,
            questions: reader.u16()?,
            answers: reader.u16()?,
            authorities: reader.u16()?,
            additionals: reader.u16()?,
        };
        let least = if multicast { 0 } else { 1 };
        let fits = header.opcode() <= UPDATE && (least..=MAX_QUESTIONS).contains(&header.questions);
        fits.then_some(header)
    }

    pub fn opcode(&self) -> u8 {
        (self.flags >> 11 & 0xf) as u8
    }

    pub fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// Whether a question may look so: it has no answers and no status yet. (A TLS hello would pass without this.)
    pub fn is_plausible(&self) -> bool {
        self.is_response() || self.opcode() > 3 || (self.answers == 0 && self.flags & 0xf == 0)
    }

    /// Whether its records are told: those of responses, and of updates, which say what shall be.
    pub fn tells_records(&self) -> bool {
        self.is_response() || self.opcode() == UPDATE
    }

    pub fn is_update(&self) -> bool {
        self.opcode() == UPDATE
    }

    /// Records of all three sections.
    pub fn records(&self) -> usize {
        usize::from(self.answers) + usize::from(self.authorities) + usize::from(self.additionals)
    }
}

/// Whether `length` bytes can hold a message.
pub fn long_enough(length: usize) -> bool {
    length >= SHORTEST
}

/// A question.
pub struct Question {
    pub name: Name,
    pub kind: u16,
    pub class: u16,
}

impl Question {
    /// Reads the question at the cursor; the multicast bit of the class is no part of it.
    pub fn read(reader: &mut Reader<'_>, multicast: bool) -> Result<Question, Fault> {
        let name = Name::read(reader)?;
        let kind = reader.u16().ok_or(Fault::Cut)?;
        let class = reader.u16().ok_or(Fault::Cut)?;
        Ok(Question { name, kind, class: if multicast { class & 0x7fff } else { class } })
    }
}

/// A resource record; its data are `start..end` of the message.
pub struct Record {
    pub name: Name,
    pub kind: u16,
    pub class: u16,
    pub ttl: u32,
    pub start: usize,
    pub end: usize,
}

impl Record {
    /// Reads the record at the cursor, and leaves the cursor behind it.
    pub fn read(reader: &mut Reader<'_>, multicast: bool) -> Result<Record, Fault> {
        let Question { name, kind, class } = Question::read(reader, multicast)?;
        let ttl = reader.u32().ok_or(Fault::Cut)?;
        let length = reader.u16().ok_or(Fault::Cut)?;
        let start = reader.position();
        reader.skip(usize::from(length)).ok_or(Fault::Cut)?;
        Ok(Record { name, kind, class, ttl, start, end: reader.position() })
    }
}
