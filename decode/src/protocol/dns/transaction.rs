//! Questions and their answers, brought together.

use std::hash::BuildHasher;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::message::{HEADER, Header, Question, Record};
use super::name::{Fault, Name};
use super::*;
use crate::catalogue;
use crate::limits::{MAX_OBJECTS, MAX_SESSION_TEXT};
use crate::protocol::reader::Reader;
use crate::values::{Fields, Values};

const IN: u16 = 1;
const OPT: u16 = 41;

/// Whether a message could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Read,
    /// Not a DNS message.
    Foreign,
}

/// What makes two messages parts of one transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    id: u16,
    opcode: u8,
    kind: u16,
    class: u16,
    name: u64,
}

impl Key {
    fn new(header: Header, question: Option<&Question>) -> Key {
        let hasher = foldhash::quality::FixedState::with_seed(catalogue::seed());
        let name = hasher.hash_one(question.map_or(&[][..], |q| q.name.bytes()));
        let (kind, class) = question.map_or((0, 0), |q| (q.kind, q.class));
        Key { id: header.id, opcode: header.opcode(), kind, class, name }
    }
}

/// The transactions of a session: where each is among the session's objects.
pub struct Transactions {
    keys: Vec<Key>,
    multicast: bool,
    /// Bytes of records the session may still keep: compressed names make much out of little.
    budget: usize,
}

impl Transactions {
    pub fn new(multicast: bool) -> Transactions {
        Transactions { keys: Vec::new(), multicast, budget: MAX_SESSION_TEXT }
    }

    /// The session's objects were written out; begin anew.
    pub fn forget(&mut self) {
        *self = Transactions::new(self.multicast);
    }

    /// Reads one message.
    pub fn message(&mut self, flow: &mut Flow<'_>, data: &[u8]) -> Outcome {
        let Some(header) = Header::read(data, self.multicast) else { return Outcome::Foreign };
        let mut reader = Reader::at(data, HEADER);
        let mut question = None;
        for _ in 0..header.questions {
            match Question::read(&mut reader, self.multicast) {
                Ok(read) => question = question.or(Some(read)),
                Err(fault) if question.is_some() => {
                    flow.anomaly(anomaly(fault));
                    break;
                }
                Err(_) => return Outcome::Foreign,
            }
        }
        let Some(index) = self.find(flow, header, question.as_ref()) else { return Outcome::Read };
        if header.tells_records() {
            self.response(flow, index, header, &mut reader);
        }
        Outcome::Read
    }

    /// The index of the transaction among the session's objects; it is added if it is new and there is room.
    fn find(&mut self, flow: &mut Flow<'_>, header: Header, question: Option<&Question>) -> Option<usize> {
        let before = flow.fields.objects_mut(&DNS).len();
        if before < self.keys.len() {
            self.forget(); // a segment of the session was written out
        }
        let key = Key::new(header, question);
        if let Some(index) = self.keys.iter().rposition(|k| *k == key) {
            return Some(index);
        }
        if before != self.keys.len() || before >= MAX_OBJECTS {
            flow.fields.overflow = true;
            return None;
        }
        flow.fields.object(&DNS, begin(header, question));
        if flow.fields.objects_mut(&DNS).len() == before {
            return None;
        }
        self.keys.push(key);
        Some(before)
    }

    fn response(&mut self, flow: &mut Flow<'_>, index: usize, header: Header, reader: &mut Reader<'_>) {
        let Some(object) = flow.fields.objects_mut(&DNS).get_mut(index) else { return };
        let mut status = header.flags & 0xf;
        let mut fault = None;
        for at in 0..header.records() {
            match Record::read(reader, self.multicast) {
                Ok(record) if record.kind == OPT => status |= (record.ttl >> 24 << 4) as u16,
                Ok(record) => {
                    let update = header.is_update() && at >= usize::from(header.answers);
                    self.record(object, reader.whole(), &record, update);
                }
                Err(found) => {
                    fault = Some(found);
                    break;
                }
            }
        }
        if header.is_response() {
            close(object, header, status);
        }
        if let Some(fault) = fault {
            flow.anomaly(anomaly(fault));
        }
        flow.fields.overflow |= self.budget == 0;
    }

    fn record(&mut self, object: &mut Fields, message: &[u8], record: &Record, update: bool) {
        let length = record.end - record.start;
        if record.class != IN || length == 0 || object.objects_mut(&ANSWERS).len() >= MAX_OBJECTS {
            return;
        }
        // Besides its text a record costs the memory of its fields, and names in its data may unfold.
        let cost = 512 + record.name.bytes().len() + 2 * length;
        let Some(left) = self.budget.checked_sub(cost) else {
            self.budget = 0;
            return;
        };
        self.budget = left;
        if update {
            add_name(object, &record.name);
        }
        let mut answer = Fields::default();
        answer.text(&ANSWER_CLASS, "IN");
        answer.text(&ANSWER_NAME, &record.name.text());
        answer.int(&ANSWER_TTL, i64::from(record.ttl));
        answer.text(&ANSWER_TYPE, &numbers::kind(record.kind));
        if data(object, &mut answer, message, record).is_some() {
            object.object(&ANSWERS, answer);
        }
    }
}

fn anomaly(fault: Fault) -> &'static str {
    match fault {
        Fault::Cut => "dns-message-cut",
        Fault::Loop => "dns-name-loop",
        Fault::Bad => "dns-name-malformed",
    }
}

fn begin(header: Header, question: Option<&Question>) -> Fields {
    let mut object = Fields::default();
    if let Some(opcode) = numbers::opcode(header.opcode()) {
        object.text(&OPCODE, opcode);
    }
    let Some(question) = question else {
        object.text(&QUERY_HOST, name::ROOT);
        return object;
    };
    object.text(&QUERY_HOST, &question.name.text());
    object.text(&QUERY_TYPE, &numbers::kind(question.kind));
    object.text(&QUERY_CLASS, &numbers::class(question.class));
    add_name(&mut object, &question.name);
    object
}

fn close(object: &mut Fields, header: Header, status: u16) {
    object.text(&STATUS, &numbers::status(status));
    for (mask, flag) in numbers::FLAGS {
        if header.flags & mask != 0 {
            object.text(&HEADER_FLAGS, flag);
        }
    }
    let count = object.objects_mut(&ANSWERS).len();
    object.int(&ANSWER_COUNT, count as i64);
}

fn add_name(object: &mut Fields, name: &Name) {
    if name.is_root() {
        return;
    }
    object.text(&HOST, &name.text());
    if let Some(raw) = name.punycode() {
        object.text(&PUNY, raw);
    }
}

fn has(object: &Fields, field: &Field, name: &str) -> bool {
    matches!(object.get(field), Some(Values::Texts(list)) if list.items.iter().any(|item| **item == *name))
}

/// Puts what a record says into `answer`, and what it means for the question into `object`; `None` if it is malformed.
fn data(object: &mut Fields, answer: &mut Fields, message: &[u8], record: &Record) -> Option<()> {
    let rdata = message.get(record.start..record.end)?;
    let mut reader = Reader::at(message.get(..record.end)?, record.start);
    match record.kind {
        1 => address(object, answer, record, Ipv4Addr::from(<[u8; 4]>::try_from(rdata).ok()?).into()),
        28 => address(object, answer, record, Ipv6Addr::from(<[u8; 16]>::try_from(rdata).ok()?).into()),
        2 => host(object, answer, &mut reader, &NS_HOST, &ANSWER_NS)?,
        5 => {
            let target = Name::read(&mut reader).ok()?;
            answer.text(&ANSWER_CNAME, &target.text());
            add_name(object, &target);
        }
        15 => {
            answer.int(&ANSWER_PRIORITY, i64::from(reader.u16()?));
            host(object, answer, &mut reader, &MAIL_HOST, &ANSWER_MX)?;
        }
        16 => rdata::strings(rdata).for_each(|text| answer.bytes(&ANSWER_TXT, text)),
        43 => answer.text(&ANSWER_DS, &rdata::ds(rdata)?),
        46 => answer.text(&ANSWER_RRSIG, &rdata::rrsig(&mut reader)?),
        47 => answer.text(&ANSWER_NSEC, &rdata::nsec(&mut reader, record.end)?),
        64 => answer.text(&ANSWER_HTTPS, &rdata::service("SVCB", &mut reader, record.end)?),
        65 => answer.text(&ANSWER_HTTPS, &rdata::service("HTTPS", &mut reader, record.end)?),
        257 => answer.text(&ANSWER_CAA, &rdata::caa(rdata)?),
        _ => {}
    }
    Some(())
}

fn address(object: &mut Fields, answer: &mut Fields, record: &Record, ip: std::net::IpAddr) {
    let name = record.name.text();
    for (hosts, ips) in [(&HOST, &IPS), (&NS_HOST, &NS_IP), (&MAIL_HOST, &MAIL_IP)] {
        if has(object, hosts, &name) {
            object.ip(ips, ip);
        }
    }
    answer.ip(&ANSWER_IP, ip);
}

fn host(object: &mut Fields, answer: &mut Fields, reader: &mut Reader<'_>, hosts: &Field, told: &Field) -> Option<()> {
    let name = Name::read(reader).ok()?;
    object.text(hosts, &name.text());
    answer.text(told, &name.text());
    Some(())
}
