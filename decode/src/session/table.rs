//! Open sessions: found by their ends, in order of last use, so that the idle ones are at the front.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::Session;
use crate::layers::Address;

/// What tells sessions apart: both ends in a fixed order, the protocol, the provider's VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub low: (Address, u16),
    pub high: (Address, u16),
    /// Class and protocol number or EtherType.
    pub kind: u32,
    /// 802.1ad tags.
    pub provider: u32,
}

const NONE: u32 = u32::MAX;

struct Slot {
    session: Option<Box<Session>>,
    previous: u32,
    next: u32,
    list: u8,
}

#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

/// Number of use-ordered lists: one for each idle time.
pub const LISTS: usize = 5;

/// The table. Handles are indices of slots; a slot is used again after `remove`.
pub struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: HashTable<u32>,
    lists: [List; LISTS],
    hasher: foldhash::fast::RandomState,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            lists: [List { first: NONE, last: NONE }; LISTS],
            hasher: foldhash::fast::RandomState::default(),
        }
    }
}

impl Table {
    /// The number of open sessions.
    pub fn open(&self) -> usize {
        self.index.len()
    }

    /// The handle of the session with this key.
    pub fn find(&self, key: &Key) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |&at| self.key(at) == Some(key)).copied()
    }

    fn key(&self, at: u32) -> Option<&Key> {
        self.slots[at as usize].session.as_ref().map(|s| &s.key)
    }

    /// The session of a live handle.
    pub fn get(&mut self, at: u32) -> Option<&mut Session> {
        self.slots.get_mut(at as usize)?.session.as_deref_mut()
    }

    /// Adds a session at the end of `list`.
    pub fn insert(&mut self, session: Box<Session>, list: u8) -> u32 {
        let hash = self.hasher.hash_one(session.key);
        let slot = Slot { session: Some(session), previous: NONE, next: NONE, list };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, at, |&i| {
            slots[i as usize].session.as_ref().map_or(0, |held| hasher.hash_one(held.key))
        });
        self.link(at, list);
        at
    }

    /// Takes a session out.
    pub fn remove(&mut self, at: u32) -> Option<Box<Session>> {
        self.unlink(at);
        let session = self.slots[at as usize].session.take()?;
        let hash = self.hasher.hash_one(session.key);
        if let Ok(entry) = self.index.find_entry(hash, |&i| i == at) {
            entry.remove();
        }
        self.free.push(at);
        Some(session)
    }

    /// Marks a session as just used, in `list`.
    pub fn touch(&mut self, at: u32, list: u8) {
        if self.lists[list as usize].last != at || self.slots[at as usize].list != list {
            self.unlink(at);
            self.link(at, list);
        }
    }

    /// The session of `list` that was used longest ago.
    pub fn oldest(&self, list: u8) -> Option<(u32, &Session)> {
        let at = self.lists[list as usize].first;
        Some((at, self.slots.get(at as usize)?.session.as_deref()?))
    }

    fn link(&mut self, at: u32, list: u8) {
        let ends = &mut self.lists[list as usize];
        let last = std::mem::replace(&mut ends.last, at);
        if last == NONE {
            ends.first = at;
        } else {
            self.slots[last as usize].next = at;
        }
        let slot = &mut self.slots[at as usize];
        (slot.previous, slot.next, slot.list) = (last, NONE, list);
    }

    fn unlink(&mut self, at: u32) {
        let Slot { previous, next, list, .. } = self.slots[at as usize];
        let ends = &mut self.lists[list as usize];
        if previous == NONE {
            ends.first = next;
        }
        if next == NONE {
            ends.last = previous;
        }
        if previous != NONE {
            self.slots[previous as usize].next = next;
        }
        if next != NONE {
            self.slots[next as usize].previous = previous;
        }
    }
}
