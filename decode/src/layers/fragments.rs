//! IP datagrams put together from fragments, within bounds of number, size and time.

use std::collections::VecDeque;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{Address, Class, Packet, Part};
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

struct Pending {
    /// The first fragment's packet, without payload; with the records of all that came.
    packet: Packet<'static>,
    pieces: Vec<(usize, Vec<u8>)>,
    held: usize,
    /// Length of the whole, once the last fragment came.
    total: Option<usize>,
}

/// Datagrams waiting for the rest of their fragments.
#[derive(Default)]
pub struct Fragments {
    pending: HashMap<Key, Pending, foldhash::quality::RandomState>,
    order: VecDeque<(u64, Key)>,
    abandoned: Vec<Packet<'static>>,
}

impl Fragments {
    /// Takes a fragment; gives the datagram's payload and its records when it is whole.
    pub fn add(&mut self, fragment: &Fragment<'_>, packet: &Packet<'_>) -> Option<(Vec<u8>, SmallVec<[Part; 1]>)> {
        self.expire(packet.time_ns);
        let key = (packet.source, packet.destination, fragment.id, fragment.protocol);
        if !self.pending.contains_key(&key) {
            self.order.push_back((packet.time_ns, key));
        }
        let pending = self.pending.entry(key).or_insert_with(|| Pending::new(packet));
        pending.packet.parts.extend(packet.parts.iter().copied());
        let end = fragment.offset + fragment.data.len();
        pending.held += fragment.data.len();
        if end > MAX_DATAGRAM || pending.held > 2 * MAX_DATAGRAM || pending.pieces.len() >= MAX_PIECES {
            self.abandon(&key);
            return None;
        }
        pending.pieces.push((fragment.offset, fragment.data.to_vec()));
        if !fragment.more {
            pending.total = Some(end);
        }
        let whole = pending.assemble()?;
        Some((whole, self.pending.remove(&key)?.packet.parts))
    }

    /// Packets whose datagrams never became whole, since the last call: their fragments count, their payload does not.
    pub fn take_abandoned(&mut self) -> Vec<Packet<'static>> {
        std::mem::take(&mut self.abandoned)
    }

    /// Gives up all that still wait, in the order they began.
    pub fn finish(&mut self) {
        while let Some((_, key)) = self.order.pop_front() {
            self.abandon(&key);
        }
    }

    fn abandon(&mut self, key: &Key) {
        let Some(pending) = self.pending.remove(key) else { return };
        let packet = Packet { class: Class::Ip, anomaly: Some("ip-fragments-incomplete"), ..pending.packet };
        self.abandoned.push(packet);
    }

    fn expire(&mut self, now: u64) {
        while let Some(&(since, key)) = self.order.front() {
            let room = self.pending.len() < MAX_FRAGMENTED && self.order.len() < 4 * MAX_FRAGMENTED;
            if room && now.saturating_sub(since) < WAIT_NS {
                return;
            }
            self.order.pop_front();
            self.abandon(&key);
        }
    }
}

impl Pending {
    fn new(packet: &Packet<'_>) -> Pending {
        Pending { packet: packet.with_datagram(&[], SmallVec::new()), pieces: Vec::new(), held: 0, total: None }
    }

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
