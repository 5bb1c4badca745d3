//! QUIC: the client's hello, out of first packets whose keys anyone can derive, and Google's QUIC before the standard.

mod google;
mod initial;
mod stream;
#[cfg(test)]
mod tests;

use super::tls::client;
use super::tls::fingerprint::Carrier;
use super::tls::hello::ClientHello;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};
use initial::{Keys, Packet};
use stream::Stream;

crate::declare_fields! {
    HOST = Field::set("host.quic", "quic.host", Kind::LowerTerm, "Host names in Google's hello").aliases(&["quic.host"]);
    USER_AGENT = Field::set("quic.user-agent", "quic.useragent", Kind::Term, "User agents in Google's hello");
    VERSION = Field::set("quic.version", "quic.version", Kind::Term, "Versions of Google's QUIC");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "quic",
    fields: FIELDS,
    signatures: &[
        Signature::Udp(1, b"\x00\x00\x00\x01", begin),
        Signature::Udp(1, b"\x6b\x33\x43\xcf", begin),
        Signature::Udp(1, b"\xff\x00\x00", begin),
        Signature::Udp(1, b"\xfa\xce\xb0", begin),
        Signature::Udp(1, b"Q05", begin),
        Signature::Udp(1, b"T05", begin),
        Signature::Udp(1, b"Q0", google::begin_long),
        Signature::Udp(9, b"Q0", google::begin),
        Signature::Tcp(0, b"1QTV", google::begin_zero),
    ],
};

/// Datagrams of the client that may pass before its hello is whole.
const MAX_DATAGRAMS: u8 = 16;
/// Packets that we open in one datagram.
const MAX_COALESCED: usize = 8;

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if Packet::split(data).is_some_and(|(packet, _)| packet.initial) && !flow.has_protocol("quic") {
        flow.attach(Box::new(Quic::default()));
    }
}

#[derive(Default)]
struct Quic {
    keys: Option<Keys>,
    stream: Stream,
    datagrams: u8,
}

impl Parser for Quic {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if direction == Direction::Server {
            return Status::More;
        }
        self.datagrams += 1;
        let mut rest = data;
        for _ in 0..MAX_COALESCED {
            let Some((packet, after)) = Packet::split(rest) else { break };
            if packet.initial && self.packet(flow, &packet) == Status::Done {
                return Status::Done;
            }
            rest = after;
        }
        if self.datagrams < MAX_DATAGRAMS { Status::More } else { Status::Done }
    }
}

impl Quic {
    fn packet(&mut self, flow: &mut Flow<'_>, packet: &Packet<'_>) -> Status {
        let Some(version) = initial::version(packet.version) else { return Status::Done };
        let Some(frames) = self.open(&version, packet) else { return Status::More };
        flow.protocol("quic");
        if version.google {
            flow.fields.bytes(&VERSION, &version.number.to_be_bytes());
            google::find(flow, &frames);
            return Status::Done;
        }
        let stream = &mut self.stream;
        let mut fits = true;
        let read = initial::crypto(&frames, |offset, piece| fits &= stream.add(offset, piece));
        if read.is_none() || !fits {
            flow.anomaly("quic-bad-frame");
        }
        self.hello(flow)
    }

    /// Opens with the keys that worked before, or with those of this packet: a retry changes the connection's id.
    fn open(&mut self, version: &initial::Version, packet: &Packet<'_>) -> Option<Vec<u8>> {
        if let Some(frames) = self.keys.as_ref().and_then(|keys| keys.open(packet)) {
            return Some(frames);
        }
        let keys = Keys::of_client(version, packet.destination)?;
        let frames = keys.open(packet)?;
        self.keys = Some(keys);
        self.stream = Stream::default();
        Some(frames)
    }

    fn hello(&self, flow: &mut Flow<'_>) -> Status {
        let head = self.stream.head();
        let Some(&[kind, a, b, c]) = head.first_chunk() else { return Status::More };
        if kind != 1 {
            return Status::Done;
        }
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let Some(body) = head.get(4..4 + length) else { return Status::More };
        match ClientHello::parse(body, false) {
            Some(hello) => client(flow, &hello, Carrier::Quic),
            None => flow.anomaly("tls-bad-client-hello"),
        }
        Status::Done
    }
}
