//! OpenVPN's control channel: packets put in order, and the TLS handshake that they carry.

use super::MAX_PACKET;
use crate::protocol::reader::Reader;
use crate::protocol::tls::{self, fingerprint::Carrier};
use crate::protocol::{Direction, Flow, Parser, Status, Transport};

const CONTROL_V1: u8 = 4;
/// Packets of one direction that wait for an earlier one.
const MAX_HELD: usize = 16;

/// One direction.
#[derive(Default)]
struct Side {
    /// TCP: the beginning of a packet whose rest has not come.
    buffer: Vec<u8>,
    /// The control packet that comes next; the reset was packet 0.
    next: u32,
    /// Control packets that came too early.
    held: Vec<(u32, Vec<u8>)>,
}

/// Both directions of a session.
pub struct Control {
    sides: [Side; 2],
    /// Bytes of MAC and packet id in front of each packet's acknowledgements.
    overhead: usize,
    framed: bool,
    handshake: Box<dyn Parser>,
}

impl Control {
    /// A control channel over this transport, whose packets have that much in front.
    pub fn new(transport: Transport, overhead: usize) -> Control {
        let framed = transport == Transport::Tcp;
        // What the peer says of the handshake: a fingerprint as over QUIC where datagrams carry it.
        let carrier = if framed { Carrier::Tls } else { Carrier::Quic };
        Control { sides: Default::default(), overhead, framed, handshake: tls::carried(carrier) }
    }

    fn packet(&mut self, flow: &mut Flow<'_>, direction: Direction, packet: &[u8]) {
        let Some((number, payload)) = control(packet, self.overhead) else { return };
        let side = &mut self.sides[direction as usize];
        if number > side.next + 1 {
            if side.held.len() < MAX_HELD {
                side.held.push((number, payload.to_vec()));
            }
            return;
        }
        if number <= side.next {
            return;
        }
        side.next = number;
        self.feed(flow, direction, payload);
        while let Some(payload) = self.sides[direction as usize].take_next() {
            self.feed(flow, direction, &payload);
        }
    }

    /// Gives the handshake its bytes; it is the tunnel's own, and does not make the session one of TLS.
    fn feed(&mut self, flow: &mut Flow<'_>, direction: Direction, payload: &[u8]) {
        let named = flow.has_protocol("tls");
        self.handshake.data(flow, direction, payload);
        if !named {
            flow.protocols.retain(|name| *name != "tls");
        }
    }
}

impl Side {
    fn take_next(&mut self) -> Option<Vec<u8>> {
        let at = self.held.iter().position(|(number, _)| *number == self.next + 1)?;
        self.next += 1;
        Some(self.held.swap_remove(at).1)
    }
}

/// Number and payload of a control packet: after opcode, session and overhead come the acknowledgements of others.
fn control(packet: &[u8], overhead: usize) -> Option<(u32, &[u8])> {
    let mut reader = Reader::new(packet);
    reader.u8().filter(|first| first >> 3 == CONTROL_V1)?;
    reader.skip(8 + overhead)?;
    let acknowledged = usize::from(reader.u8()?);
    reader.skip(acknowledged * 4 + if acknowledged > 0 { 8 } else { 0 })?;
    Some((reader.u32().filter(|number| *number < u32::MAX)?, reader.rest()))
}

impl Parser for Control {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if !self.framed {
            self.packet(flow, direction, data);
            return Status::More;
        }
        let mut buffer = std::mem::take(&mut self.sides[direction as usize].buffer);
        buffer.extend_from_slice(data);
        let mut rest = &buffer[..];
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            if !(1..=MAX_PACKET).contains(&length) {
                return Status::Done;
            }
            let Some((packet, following)) = after.split_at_checked(length) else { break };
            self.packet(flow, direction, packet);
            rest = following;
        }
        let left = rest.len();
        buffer.drain(..buffer.len() - left);
        self.sides[direction as usize].buffer = buffer;
        Status::More
    }
}
