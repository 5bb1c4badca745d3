//! IP datagrams put together from fragments, within bounds of number, size and time.

use std::collections::VecDeque;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{Address, Packet, Part};
use crate::limits::{MAX_DATAGRAM, MAX_FRAGMENTED};

/// Datagrams whose fragments stop coming are given up after this long (RFC 791's order of magnitude).
const WAIT_NS: u64 = 60 * 1_000_000_000;
/// Fragments of one datagram; 64 KiB in 68-byte pieces would be more than any real path makes.
const MAX_PIECES: usize = 1_400;

/// One fragment of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    pub id: u32,
    pub offset: usize,
    pub more: bool,
    pub protocol: u8,
    pub data: &'a [u8],
}

type Key = (Address, Address, u32, u8);

#[derive(Default)]
struct Pending {
    pieces: Vec<(usize, Vec<u8>)>,
    held: usize,
    parts: SmallVec<[Part; 1]>,
    /// Length of the whole, once the last fragment came.
    total: Option<usize>,
}

/// Datagrams waiting for the rest of their fragments.
#[derive(Default)]
pub struct Fragments {
    pending: HashMap<Key, Pending, foldhash::quality::RandomState>,
    order: VecDeque<(u64, Key)>,
    /// Datagrams given up.
    pub abandoned: u64,
}

impl Fragments {
    /// Takes a fragment; gives the datagram's payload and its records when it is whole.
    pub fn add(&mut self, fragment: &Fragment<'_>, packet: &Packet<'_>) -> Option<(Vec<u8>, SmallVec<[Part; 1]>)> {
        self.expire(packet.time_ns);
        let key = (packet.source, packet.destination, fragment.id, fragment.protocol);
        if !self.pending.contains_key(&key) {
            self.order.push_back((packet.time_ns, key));
        }
        let pending = self.pending.entry(key).or_default();
        pending.parts.extend(packet.parts.iter().copied());
        let end = fragment.offset + fragment.data.len();
        pending.held += fragment.data.len();
        if end > MAX_DATAGRAM || pending.held > 2 * MAX_DATAGRAM || pending.pieces.len() >= MAX_PIECES {
            self.pending.remove(&key);
            self.abandoned += 1;
            return None;
        }
        pending.pieces.push((fragment.offset, fragment.data.to_vec()));
        if !fragment.more {
            pending.total = Some(end);
        }
        let whole = pending.assemble()?;
        let parts = self.pending.remove(&key)?.parts;
        Some((whole, parts))
    }

    /// Datagrams that never became whole.
    pub fn incomplete(&self) -> u64 {
        self.abandoned + self.pending.len() as u64
    }

    fn expire(&mut self, now: u64) {
        while let Some(&(since, key)) = self.order.front() {
            let room = self.pending.len() < MAX_FRAGMENTED && self.order.len() < 4 * MAX_FRAGMENTED;
            if room && now.saturating_sub(since) < WAIT_NS {
                return;
            }
            self.order.pop_front();
            if self.pending.remove(&key).is_some() {
                self.abandoned += 1;
            }
        }
    }
}

impl Pending {
    /// The payload when no hole is left; where fragments overlap, the first to come counts.
    fn assemble(&mut self) -> Option<Vec<u8>> {
        let total = self.total?;
        if self.held < total {
            return None;
        }
        let mut whole = vec![0; total];
        let mut filled = vec![false; total];
        for (offset, data) in &self.pieces {
            for (at, byte) in (*offset..total).zip(data) {
                if !std::mem::replace(&mut filled[at], true) {
                    whole[at] = *byte;
                }
            }
        }
        filled.into_iter().all(|f| f).then_some(whole)
    }
}
