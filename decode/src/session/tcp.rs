//! TCP: flags, handshake, and each direction's bytes in order, once.

use crate::layers::{Packet, Tcp};
use crate::limits::{MAX_HELD_BYTES, MAX_HELD_SEGMENTS};
use crate::protocol::Direction;

const FIN: u16 = 0x01;
const SYN: u16 = 0x02;
const RST: u16 = 0x04;
const PSH: u16 = 0x08;
const ACK: u16 = 0x10;
const URG: u16 = 0x20;
const ECE: u16 = 0x40;
const CWR: u16 = 0x80;
const AE: u16 = 0x100;

/// Counters by flag, as documents tell them.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlagCounts {
    pub syn: u32,
    pub syn_ack: u32,
    pub ack: u32,
    pub psh: u32,
    pub fin: u32,
    pub rst: u32,
    pub urg: u32,
    pub ece: u32,
    pub cwr: u32,
    pub ae: u32,
    pub zero_window: [u32; 2],
}

/// What a direction's stream gives next.
pub enum Chunk<'a> {
    Data(&'a [u8]),
    /// Bytes that were never captured.
    Gap(u64),
}

struct Held {
    sequence: u32,
    length: u32,
    data: Box<[u8]>,
}

/// One direction's stream.
#[derive(Default)]
struct Side {
    next: Option<u32>,
    held: Vec<Held>,
    held_bytes: usize,
    /// The sequence number after its FIN.
    fin: Option<u32>,
    over: bool,
}

/// The state of one TCP session.
#[derive(Default)]
pub struct State {
    sides: [Side; 2],
    pub counts: FlagCounts,
    /// First initial sequence number of the source, and how many different ones came.
    pub source_isn: Option<u32>,
    pub source_isn_count: u32,
    pub destination_isn: Option<u32>,
    /// The SYN-ACK came before any SYN.
    pub syn_ack_first: bool,
    pub syn_validated: bool,
    pub syn_ack_validated: bool,
    syn_ns: Option<u64>,
    ack_ns: Option<u64>,
    reset: bool,
    /// A hole was given up in some direction.
    pub gap: bool,
}

/// Signed distance from `b` to `a` on the sequence circle.
fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

impl State {
    /// Whether the session is over: reset, or ended by both sides.
    pub fn closed(&self) -> bool {
        self.reset || (self.sides[0].over && self.sides[1].over)
    }

    /// A new segment counts its own flags.
    pub fn next_segment(&mut self) {
        self.counts = FlagCounts::default();
    }

    /// Half the handshake's round trip, milliseconds: seconds and the rest of them are subtracted apart, as the peer does.
    pub fn initial_rtt(&self) -> Option<i64> {
        let (syn, ack) = (self.syn_ns?, self.ack_ns?.max(self.syn_ns?));
        let parts = |ns: u64| ((ns / 1_000_000_000) as i64, (ns % 1_000_000_000) as i64);
        let ((syn_s, syn_rest), (ack_s, ack_rest)) = (parts(syn), parts(ack));
        Some(((ack_s - syn_s) * 1000 + (ack_rest - syn_rest) / 1_000_000) / 2)
    }

    /// Whether a SYN with `sequence` opens another connection than this one.
    pub fn is_other_connection(&self, tcp: &Tcp) -> bool {
        tcp.flags & (SYN | ACK) == SYN && self.closed()
    }

    /// Counts the packet's flags and follows the handshake.
    pub fn observe(&mut self, packet: &Packet<'_>, direction: Direction) {
        self.count(&packet.tcp, direction);
        self.handshake(packet, direction);
        self.follow_end(packet, direction);
    }

    /// A direction is over when its FIN was acknowledged.
    fn follow_end(&mut self, packet: &Packet<'_>, direction: Direction) {
        let tcp = &packet.tcp;
        if tcp.flags & RST != 0 {
            self.reset = true;
        }
        if tcp.flags & FIN != 0 {
            let end = tcp.sequence.wrapping_add(packet.payload_length).wrapping_add(1);
            self.sides[direction as usize].fin = Some(end);
        }
        let other = &mut self.sides[direction.opposite() as usize];
        if tcp.flags & ACK != 0 && other.fin.is_some_and(|end| distance(tcp.acknowledgement, end) >= 0) {
            other.over = true;
        }
    }

    fn count(&mut self, tcp: &Tcp, direction: Direction) {
        let c = &mut self.counts;
        let flags = tcp.flags;
        if flags & SYN != 0 {
            *(if flags & ACK != 0 { &mut c.syn_ack } else { &mut c.syn }) += 1;
        } else if flags & (FIN | RST | PSH | ACK) == ACK {
            c.ack += 1;
        }
        for (flag, counter) in [
            (PSH, &mut c.psh),
            (FIN, &mut c.fin),
            (RST, &mut c.rst),
            (URG, &mut c.urg),
            (ECE, &mut c.ece),
            (CWR, &mut c.cwr),
            (AE, &mut c.ae),
        ] {
            *counter += u32::from(flags & flag != 0);
        }
        if tcp.window == 0 && flags & RST == 0 {
            c.zero_window[direction as usize] += 1;
        }
    }

    fn handshake(&mut self, packet: &Packet<'_>, direction: Direction) {
        let tcp = &packet.tcp;
        match (tcp.flags & (SYN | ACK), direction) {
            (SYN, Direction::Client) => {
                match self.source_isn {
                    None => {
                        self.source_isn = Some(tcp.sequence);
                        self.source_isn_count = 1;
                    }
                    Some(first) if first != tcp.sequence => self.source_isn_count += 1,
                    Some(_) => {}
                }
                self.syn_ns.get_or_insert(packet.time_ns);
            }
            (flags, Direction::Server) if flags == SYN | ACK => {
                self.syn_ack_first |= self.source_isn.is_none() && self.destination_isn.is_none();
                self.destination_isn = Some(tcp.sequence);
                if self.source_isn.is_none_or(|isn| isn.wrapping_add(1) == tcp.acknowledgement) {
                    self.syn_validated |= self.source_isn.is_some();
                }
            }
            (ACK, _) => {
                if tcp.flags & (FIN | RST | PSH) == 0 {
                    self.ack_ns.get_or_insert(packet.time_ns);
                }
                if direction == Direction::Client {
                    self.validate_ack(tcp);
                }
            }
            _ => {}
        }
        // A SYN that comes after its SYN-ACK is validated too.
        self.syn_validated |= self.source_isn.is_some() && self.syn_ack_first;
    }

    fn validate_ack(&mut self, tcp: &Tcp) {
        let Some(isn) = self.destination_isn else { return };
        let first = isn.wrapping_add(1);
        let seen = self.sides[Direction::Server as usize].next.unwrap_or(first);
        let from_start = self.source_isn.is_none_or(|source| distance(tcp.sequence, source.wrapping_add(1)) >= 0);
        let client_next = self.sides[Direction::Client as usize].next;
        let in_order = client_next.is_none_or(|next| distance(tcp.sequence, next) <= 0);
        if from_start
            && in_order
            && distance(tcp.acknowledgement, first) >= 0
            && distance(tcp.acknowledgement, seen) <= 0
        {
            self.syn_ack_validated = true;
        }
    }

    /// Puts a packet's payload in its place and hands on what is in order now.
    pub fn payload(&mut self, packet: &Packet<'_>, direction: Direction, sink: &mut dyn FnMut(Chunk<'_>)) {
        let tcp = &packet.tcp;
        let side = &mut self.sides[direction as usize];
        let start = if tcp.flags & SYN != 0 { tcp.sequence.wrapping_add(1) } else { tcp.sequence };
        if side.next.is_none() || (tcp.flags & SYN != 0 && side.held.is_empty()) {
            side.next = Some(start);
        }
        let length = packet.payload_length;
        if length == 0 {
            return;
        }
        side.take(start, length, packet.payload, sink);
        side.drain(sink);
        while side.held_bytes > MAX_HELD_BYTES || side.held.len() > MAX_HELD_SEGMENTS {
            self.gap = true;
            side.give_up(sink);
        }
    }

    /// Hands on everything still held, at the end of the session.
    pub fn flush(&mut self, direction: Direction, sink: &mut dyn FnMut(Chunk<'_>)) {
        let side = &mut self.sides[direction as usize];
        while !side.held.is_empty() {
            self.gap = true;
            side.give_up(sink);
        }
    }

    /// Bytes held out of order, both directions.
    pub fn held_bytes(&self) -> usize {
        self.sides.iter().map(|s| s.held_bytes).sum()
    }
}

impl Side {
    /// Delivers what is next, holds what is ahead, forgets what was seen.
    fn take(&mut self, start: u32, length: u32, data: &[u8], sink: &mut dyn FnMut(Chunk<'_>)) {
        let next = self.next.unwrap_or(start);
        let ahead = distance(start, next);
        if ahead > 0 {
            self.hold(start, length, data);
            return;
        }
        let seen = ahead.unsigned_abs();
        if seen >= length {
            return;
        }
        let fresh = data.get(seen as usize..).unwrap_or_default();
        let missing = u64::from(length - seen) - (fresh.len() as u64).min(u64::from(length - seen));
        self.next = Some(next.wrapping_add(length - seen));
        if !fresh.is_empty() {
            sink(Chunk::Data(fresh));
        }
        if missing > 0 {
            sink(Chunk::Gap(missing));
        }
    }

    fn hold(&mut self, sequence: u32, length: u32, data: &[u8]) {
        let at = self.held.partition_point(|h| distance(h.sequence, sequence) < 0);
        if self.held.get(at).is_some_and(|h| h.sequence == sequence && h.length >= length) {
            return;
        }
        self.held_bytes += data.len();
        self.held.insert(at, Held { sequence, length, data: data.into() });
    }

    fn drain(&mut self, sink: &mut dyn FnMut(Chunk<'_>)) {
        while let (Some(next), Some(first)) = (self.next, self.held.first()) {
            if distance(first.sequence, next) > 0 {
                return;
            }
            let held = self.held.remove(0);
            self.held_bytes -= held.data.len();
            self.take(held.sequence, held.length, &held.data, sink);
        }
    }

    /// Gives up the hole before the first held segment.
    fn give_up(&mut self, sink: &mut dyn FnMut(Chunk<'_>)) {
        let (Some(next), Some(first)) = (self.next, self.held.first()) else { return };
        let missing = distance(first.sequence, next).max(0);
        self.next = Some(next.wrapping_add(missing as u32));
        sink(Chunk::Gap(missing as u64));
        self.drain(sink);
    }
}
