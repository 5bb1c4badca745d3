//! What a session holds: its fields' values, kept small because there are many sessions.

use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::HashTable;
use smallvec::{SmallVec, smallvec};

use crate::catalogue;
use crate::field::{Field, Kind, Shape};
use crate::limits::{MAX_OBJECTS, MAX_SESSION_TEXT, MAX_TEXT, MAX_VALUES};

/// The values of one field; most fields of most sessions have one, which is kept without a heap.
#[derive(Clone, Debug)]
pub enum Values {
    Ints(SmallVec<[i64; 2]>),
    Texts(Texts),
    Ips(SmallVec<[IpAddr; 1]>),
    Bool(bool),
    Objects(Vec<Fields>),
}

impl Values {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Values::Ints(v) => v.len(),
            Values::Texts(v) => v.items.len(),
            Values::Ips(v) => v.len(),
            Values::Bool(_) => 1,
            Values::Objects(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Texts in order of arrival; past `SMALL` of them a hash table answers "seen before?".
#[derive(Clone, Debug, Default)]
pub struct Texts {
    pub items: SmallVec<[Box<str>; 1]>,
    seen: Option<Box<HashTable<u32>>>,
}

const SMALL: usize = 16;

fn hash(text: &str) -> u64 {
    // Seeded per process: who sends the names must not choose the collisions.
    foldhash::quality::FixedState::with_seed(catalogue::seed()).hash_one(text)
}

impl Texts {
    fn contains(&self, text: &str) -> bool {
        match &self.seen {
            Some(table) => table.find(hash(text), |&i| &*self.items[i as usize] == text).is_some(),
            None => self.items.iter().any(|item| **item == *text),
        }
    }

    fn push(&mut self, text: Box<str>) {
        self.items.push(text);
        let last = self.items.len() - 1;
        match &mut self.seen {
            Some(table) => {
                table.insert_unique(hash(&self.items[last]), last as u32, |&i| hash(&self.items[i as usize]));
            }
            None if self.items.len() > SMALL => {
                let mut table = HashTable::with_capacity(2 * SMALL);
                for (i, item) in self.items.iter().enumerate() {
                    table.insert_unique(hash(item), i as u32, |&i| hash(&self.items[i as usize]));
                }
                self.seen = Some(Box::new(table));
            }
            None => {}
        }
    }
}

/// Fields and their values, in the order of first use; a session or one object in it.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    entries: Vec<(u16, Values)>,
    text_bytes: usize,
    /// A value was left out because a limit was reached.
    pub overflow: bool,
}

impl Fields {
    /// The values of `field`, if any.
    pub fn get(&self, field: &Field) -> Option<&Values> {
        let index = field.index();
        self.entries.iter().find(|(i, _)| *i == index).map(|(_, v)| v)
    }

    /// Whether `field` has a value.
    pub fn has(&self, field: &Field) -> bool {
        self.get(field).is_some()
    }

    /// All entries: catalogue index and values.
    pub fn entries(&self) -> &[(u16, Values)] {
        &self.entries
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sorts the entries by catalogue index, which is the order of documents.
    pub fn sort(&mut self) {
        self.entries.sort_by_key(|(i, _)| *i);
    }

    /// Drops `field`.
    pub fn remove(&mut self, field: &Field) {
        let index = field.index();
        self.entries.retain(|(i, _)| *i != index);
    }

    /// Drops all but `fields`.
    pub fn keep(&mut self, fields: &[&Field]) {
        self.entries.retain(|(i, _)| fields.iter().any(|f| f.index() == *i));
        self.text_bytes = 0;
        self.overflow = false;
    }

    /// What follows is counted from nothing: a session's own fields are told however much its data said.
    pub fn renew_budget(&mut self) {
        self.text_bytes = 0;
    }

    fn slot(&mut self, field: &Field, empty: fn() -> Values) -> &mut Values {
        let index = field.index();
        let at = match self.entries.iter().position(|(i, _)| *i == index) {
            Some(at) => at,
            None => {
                self.entries.push((index, empty()));
                self.entries.len() - 1
            }
        };
        &mut self.entries[at].1
    }

    /// Adds a number (milliseconds for `Kind::Date`).
    pub fn int(&mut self, field: &Field, value: i64) {
        let Values::Ints(list) = self.slot(field, || Values::Ints(SmallVec::new())) else { return };
        match field.shape {
            Shape::One => {
                list.clear();
                list.push(value);
            }
            Shape::Set if list.contains(&value) => {}
            _ if list.len() >= MAX_VALUES => self.overflow = true,
            _ => list.push(value),
        }
    }

    /// Sets a truth value.
    pub fn flag(&mut self, field: &Field, value: bool) {
        *self.slot(field, || Values::Bool(false)) = Values::Bool(value);
    }

    /// Adds an address.
    pub fn ip(&mut self, field: &Field, value: IpAddr) {
        let Values::Ips(list) = self.slot(field, || Values::Ips(SmallVec::new())) else { return };
        match field.shape {
            Shape::One => {
                list.clear();
                list.push(value);
            }
            Shape::Set if list.contains(&value) => {}
            _ if list.len() >= MAX_VALUES => self.overflow = true,
            _ => list.push(value),
        }
    }

    /// Adds text; it is cut at `MAX_TEXT` and cased as the field's kind says. Empty text is left out.
    pub fn text(&mut self, field: &Field, value: &str) {
        if !value.is_empty() {
            self.text_or_empty(field, value);
        }
    }

    /// Adds text even if it is empty, for where that says something (a header without a value).
    pub fn text_or_empty(&mut self, field: &Field, value: &str) {
        let cut = floor_char(value, MAX_TEXT);
        let value = &value[..cut];
        match field.kind {
            Kind::LowerTerm if value.bytes().any(|b| b.is_ascii_uppercase() || b >= 0x80) => {
                self.add_text(field, &value.to_lowercase());
            }
            Kind::UpperTerm if value.bytes().any(|b| b.is_ascii_lowercase() || b >= 0x80) => {
                self.add_text(field, &value.to_uppercase());
            }
            _ => self.add_text(field, value),
        }
    }

    /// Adds bytes as text: UTF-8 as it is, anything else read as Latin-1.
    pub fn bytes(&mut self, field: &Field, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(text) => self.text(field, text),
            Err(_) => self.text(field, &latin1(&value[..value.len().min(MAX_TEXT)])),
        }
    }

    /// Adds bytes as `bytes` does, even if there are none.
    pub fn bytes_or_empty(&mut self, field: &Field, value: &[u8]) {
        if value.is_empty() { self.text_or_empty(field, "") } else { self.bytes(field, value) }
    }

    fn add_text(&mut self, field: &Field, value: &str) {
        if self.text_bytes + value.len() > MAX_SESSION_TEXT {
            self.overflow = true;
            return;
        }
        let Values::Texts(list) = self.slot(field, || Values::Texts(Texts::default())) else { return };
        match field.shape {
            Shape::One => *list = Texts { items: smallvec![value.into()], seen: None },
            Shape::Set if list.contains(value) => return,
            _ if list.items.len() >= MAX_VALUES => {
                self.overflow = true;
                return;
            }
            Shape::Set => list.push(value.into()),
            Shape::List => list.items.push(value.into()),
        }
        self.text_bytes += value.len();
    }

    /// Puts in what was told elsewhere, as it stands; false when the field is there or the values are over a bound.
    pub fn restore(&mut self, field: &Field, values: Values) -> bool {
        let size = match &values {
            Values::Texts(list) => list.items.iter().map(|text| text.len()).sum(),
            Values::Objects(list) => list.iter().map(|object| object.text_bytes).sum(),
            _ => 0,
        };
        self.text_bytes += size;
        // A session's own fields have a budget of their own, hence twice; so has each field's own slack.
        let fits = values.len() <= MAX_VALUES && self.text_bytes <= 2 * MAX_SESSION_TEXT;
        if !fits || self.has(field) {
            return false;
        }
        self.entries.push((field.index(), values));
        true
    }

    /// Adds an object (one DNS transaction, one certificate).
    pub fn object(&mut self, field: &Field, value: Fields) {
        let size = value.text_bytes;
        if self.text_bytes + size > MAX_SESSION_TEXT {
            self.overflow = true;
            return;
        }
        let Values::Objects(list) = self.slot(field, || Values::Objects(Vec::new())) else { return };
        if list.len() >= MAX_OBJECTS {
            self.overflow = true;
            return;
        }
        let left_out = value.overflow;
        list.push(value);
        self.text_bytes += size;
        self.overflow |= left_out;
    }

    /// The objects of `field`, to add to one of them (a DNS answer to its question).
    pub fn objects_mut(&mut self, field: &Field) -> &mut [Fields] {
        let index = field.index();
        match self.entries.iter_mut().find(|(i, _)| *i == index) {
            Some((_, Values::Objects(list))) => list,
            _ => &mut [],
        }
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| b as char).collect()
}

/// The largest character boundary of `text` not past `limit`.
pub fn floor_char(text: &str, limit: usize) -> usize {
    if text.len() <= limit {
        return text.len();
    }
    (0..=limit).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
