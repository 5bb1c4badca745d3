//! What a fuzz target runs: any bytes through the file readers, a link layer, reassembly or a protocol, by name.
//!
//! The tests below run the same with bytes of their own, so that each new protocol is tried without being told here.

use std::io::Cursor;

use crate::capture::RawPacket;
use crate::layers::{Fragments, LINK_LAYERS, dissect};
use crate::limits::MAX_HELD_TOTAL;
use crate::output::json;
use crate::pipeline::{Decoder, Pipeline};
use crate::protocol::registry::PROTOCOLS;
use crate::protocol::testing::Harness;
use crate::protocol::websocket::WebSocket;
use crate::protocol::{Direction, Protocol, Signature, Transport, cert, mail, ntlm};
use crate::records::{Promised, Reader};
use crate::secrets::LABELS;
use crate::session::record::{Origin, Record};
use crate::streams::Streams;

/// A capture of any format.
pub fn capture(data: &[u8]) {
    let Ok(mut decoder) = Decoder::new(Box::new(Cursor::new(data.to_vec())), Origin::default()) else { return };
    loop {
        let batch = decoder.next_batch(100);
        batch.iter().for_each(told);
        if batch.is_empty() {
            return;
        }
    }
}

/// A records file.
pub fn records(data: &[u8]) {
    let promised = Promised { size: 1 << 20 };
    let Ok(mut reader) = Reader::new(Cursor::new(data.to_vec()), Origin::default(), promised) else { return };
    while let Ok(batch) = reader.next_batch(100) {
        batch.iter().for_each(told);
        if batch.is_empty() {
            return;
        }
    }
}

/// Frames of the named link layer, or of the one that the first byte chooses.
pub fn link(name: Option<&str>, data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let chosen = LINK_LAYERS.iter().position(|(known, _)| Some(*known) == name);
    let (_, linktype) = LINK_LAYERS[chosen.unwrap_or(usize::from(choice) % LINK_LAYERS.len())];
    let mut pipeline = Pipeline::new(Origin::default());
    let mut fragments = Fragments::default();
    let mut streams = Streams::new(None);
    let mut pieces = Vec::new();
    let mut input = Input(data);
    let mut time_ns = 0;
    while let Some((control, frame)) = input.message() {
        time_ns += u64::from(control) << 30;
        let wire_length = frame.len() as u32;
        let raw = RawPacket { time_ns, linktype, wire_length, position: time_ns, data: frame };
        dissect(&raw, &mut fragments, &mut |packet| pipeline.packet(packet));
        streams.packet(&raw, &mut pieces);
    }
    streams.finish(&mut pieces);
    pipeline.finish();
    pipeline.done.iter().for_each(told);
}

/// TCP segments and IP fragments in any order, of two connections between the same hosts.
pub fn reassembly(data: &[u8]) {
    let mut frames = vec![0];
    let mut input = Input(data);
    while let Some((control, body)) = input.message() {
        let Some((place, payload)) = body.split_first_chunk::<3>() else { continue };
        let frame = segment(control, *place, payload);
        // As `Input` reads them: a control byte with a length of two bytes.
        frames.push(2 | control & 0x0c);
        frames.extend((frame.len() as u16).to_be_bytes());
        frames.extend(frame);
    }
    link(Some("ipv4"), &frames);
}

/// IPv4 and TCP around a payload; the control's bits choose direction, connection, flags and fragmentation.
fn segment(control: u8, [flags, high, low]: [u8; 3], payload: &[u8]) -> Vec<u8> {
    let ends = if control & 1 == 0 { [1, 2] } else { [2, 1] };
    let fragment = if control & 0x10 != 0 { [flags & 0x3f, high] } else { [0, 0] };
    let ports = [[156, 64 | control >> 7], [0, 80]];
    let (from, to) = if control & 1 == 0 { (ports[0], ports[1]) } else { (ports[1], ports[0]) };
    let mut packet = vec![0x45, 0];
    packet.extend((40 + payload.len() as u16).to_be_bytes());
    packet.extend([0, control >> 5, fragment[0], fragment[1], 64, 6, 0, 0, 10, 0, 0, ends[0], 10, 0, 0, ends[1]]);
    packet.extend(from);
    packet.extend(to);
    packet.extend([
        0,
        if control & 0x20 != 0 { 1 } else { 0 },
        high,
        low,
        0,
        0,
        high,
        low,
        0x50,
        flags,
        1,
        0,
        0,
        0,
        0,
        0,
    ]);
    packet.extend(payload);
    packet
}

/// One session of the named protocol, or of the one that the first byte chooses, as its signatures begin it.
pub fn protocol(name: Option<&str>, data: &[u8]) {
    let Some(([choice, which], data)) = data.split_first_chunk::<2>() else { return };
    let named = PROTOCOLS.iter().find(|protocol| Some(protocol.name) == name);
    let protocol = named.unwrap_or(&PROTOCOLS[usize::from(*choice) % PROTOCOLS.len()]);
    let signature = protocol.signatures.get(usize::from(*which) % protocol.signatures.len().max(1));
    let (transport, port, offset, prefix) = signature.map_or((Transport::Tcp, 80, 0, &b""[..]), opening);
    let mut harness = Harness::new(transport, port);
    let logged = LABELS.map(|(label, _)| format!("{label} {:064x} {}\n", 0, "00".repeat(48))).concat();
    let _ = harness.secrets.add(logged.as_bytes());
    let mut input = Input(data);
    let mut first = true;
    while let Some((control, body)) = input.message() {
        let direction = if control & 1 == 0 { Direction::Client } else { Direction::Server };
        let mut body = body.to_vec();
        if std::mem::take(&mut first) {
            let end = offset + prefix.len();
            body.resize(body.len().max(end), 0);
            body[offset..end].copy_from_slice(prefix);
            called(protocol, &mut harness, &body);
        }
        if control & 0x80 != 0 {
            harness.gap(direction, body.len() as u64);
        } else {
            harness.data(direction, &body);
        }
    }
    harness.finish();
}

/// What has no signature of its own is called by others.
fn called(protocol: &Protocol, harness: &mut Harness, data: &[u8]) {
    harness.with(|flow| match protocol.name {
        "cert" => cert::add(flow, data),
        "ntlm" => _ = ntlm::find(flow, data),
        "email" => {
            let mut message = mail::Message::default();
            data.split(|byte| *byte == b'\n').for_each(|line| message.line(flow, line));
            message.end(flow);
        }
        "websocket" => flow.attach(Box::new(WebSocket::new(0))),
        _ => {}
    });
}

/// Transport, port, and the first bytes with their place, that make a session the signature's.
fn opening(signature: &Signature) -> (Transport, u16, usize, &'static [u8]) {
    match *signature {
        Signature::Tcp(offset, bytes, _) => (Transport::Tcp, 80, offset, bytes),
        Signature::Udp(offset, bytes, _) => (Transport::Udp, 53, offset, bytes),
        Signature::TcpPort(port, _) => (Transport::Tcp, port, 0, b""),
        Signature::UdpPort(port, _) => (Transport::Udp, port, 0, b""),
        Signature::SctpPort(port, _) => (Transport::Sctp, port, 0, b""),
        Signature::TcpAny(_) => (Transport::Tcp, 4444, 0, b""),
        Signature::UdpAny(_) => (Transport::Udp, 4444, 0, b""),
        Signature::SctpAny(_) => (Transport::Sctp, 4444, 0, b""),
        Signature::IpProtocol(number, _) => (Transport::Ip(number), 0, 0, b""),
        Signature::EtherType(kind, _) => (Transport::Ethernet(kind), 0, 0, b""),
    }
}

/// Bytes as messages: a control byte, a length of one byte (of two when bit 1 of the control is set), and so many bytes.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn message(&mut self) -> Option<(u8, &'a [u8])> {
        let (&control, rest) = self.0.split_first()?;
        let (wanted, rest) = if control & 2 == 0 {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        } else {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        };
        let (body, rest) = rest.split_at(wanted.min(rest.len()));
        self.0 = rest;
        Some((control, body))
    }
}

/// A session can be told, and no parser of it failed.
fn told(record: &Record) {
    let mut text = String::new();
    json::document(record, true, &mut text);
    assert!(!text.contains("\"decoder-fault\""), "{text}");
    assert!(text.len() < MAX_HELD_TOTAL, "a session's document is bounded");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xorshift: the same bytes in every run.
    fn bytes(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    /// Mostly small numbers and whole lengths, for what only looks at the rest when its head makes sense.
    fn likely(seed: u64, length: usize) -> Vec<u8> {
        let mut data = bytes(seed, length);
        data.iter_mut()
            .enumerate()
            .filter(|(at, _)| !(at + seed as usize).is_multiple_of(3))
            .for_each(|(_, b)| *b &= 7);
        data
    }

    #[test]
    fn every_protocol_survives_any_bytes() {
        for protocol in PROTOCOLS {
            let signatures = protocol.signatures.len().max(1);
            for seed in 0..200 + signatures as u64 {
                for mut data in [bytes(seed, 400), likely(seed, 400)] {
                    data[1] = seed as u8;
                    super::protocol(Some(protocol.name), &data);
                }
            }
        }
    }

    #[test]
    fn every_link_layer_survives_any_bytes() {
        for (name, _) in LINK_LAYERS {
            for seed in 0..300 {
                link(Some(name), &bytes(seed, 300));
                link(Some(name), &likely(seed, 300));
            }
        }
    }

    #[test]
    fn reassembly_survives_any_order() {
        for seed in 0..500 {
            reassembly(&bytes(seed, 600));
            reassembly(&likely(seed, 600));
        }
    }
}
