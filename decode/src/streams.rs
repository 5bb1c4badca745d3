//! What was said in one session: the payloads of its packets, each direction's in order, for whoever reads or searches.

use crate::capture::RawPacket;
use crate::layers::{Address, Class, Fragments, Packet, dissect};
use crate::protocol::Direction;
use crate::session::tcp::{Chunk, State};

/// Bytes of one direction that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub direction: Direction,
    /// Time of the packet that made them known in order.
    pub time_ns: u64,
    /// Bytes before these that were never captured.
    pub missing: u64,
    pub data: Vec<u8>,
}

/// A session's packets on their way to pieces; they are fed in the order in which the session has them.
#[derive(Default)]
pub struct Streams {
    source: Option<(Address, u16)>,
    fragments: Fragments,
    tcp: State,
    missing: [u64; 2],
    last_ns: u64,
}

impl Streams {
    /// The client is `source`, or else whoever sends first.
    pub fn new(source: Option<(Address, u16)>) -> Streams {
        Streams { source, ..Streams::default() }
    }

    /// Adds to `found` what a packet makes known in order.
    pub fn packet(&mut self, raw: &RawPacket<'_>, found: &mut Vec<Piece>) {
        let mut fragments = std::mem::take(&mut self.fragments);
        dissect(raw, &mut fragments, &mut |packet| self.dissected(packet, found));
        self.fragments = fragments;
    }

    /// Adds what still waited for bytes that never came.
    pub fn finish(&mut self, found: &mut Vec<Piece>) {
        for direction in [Direction::Client, Direction::Server] {
            let (time_ns, missing) = (self.last_ns, &mut self.missing[direction as usize]);
            self.tcp.flush(direction, &mut |chunk| piece(chunk, direction, time_ns, missing, found));
            if *missing > 0 {
                found.push(Piece { direction, time_ns, missing: std::mem::take(missing), data: Vec::new() });
            }
        }
    }

    /// Which side sent a packet; none for a fragment, whose ports are not known.
    pub fn direction_of(&mut self, raw: &RawPacket<'_>) -> Option<Direction> {
        let mut direction = None;
        dissect(raw, &mut Fragments::default(), &mut |packet| direction = Some(self.direction(packet)));
        direction
    }

    fn dissected(&mut self, packet: &Packet<'_>, found: &mut Vec<Piece>) {
        let direction = self.direction(packet);
        let time_ns = packet.time_ns;
        self.last_ns = self.last_ns.max(time_ns);
        let missing = &mut self.missing[direction as usize];
        if packet.class == Class::Tcp {
            self.tcp.payload(packet, direction, &mut |chunk| piece(chunk, direction, time_ns, missing, found));
        } else if !packet.payload.is_empty() {
            piece(Chunk::Data(packet.payload), direction, time_ns, missing, found);
        }
    }

    fn direction(&mut self, packet: &Packet<'_>) -> Direction {
        let here = (packet.source, packet.source_port);
        let there = (packet.destination, packet.destination_port);
        let syn_ack = packet.class == Class::Tcp && packet.tcp.flags & 0x12 == 0x12;
        let source = *self.source.get_or_insert(if syn_ack { there } else { here });
        if here == source || !packet.has_ip { Direction::Client } else { Direction::Server }
    }
}

fn piece(chunk: Chunk<'_>, direction: Direction, time_ns: u64, missing: &mut u64, found: &mut Vec<Piece>) {
    match chunk {
        Chunk::Gap(bytes) => *missing += bytes,
        Chunk::Data(data) => {
            found.push(Piece { direction, time_ns, missing: std::mem::take(missing), data: data.to_vec() });
        }
    }
}
