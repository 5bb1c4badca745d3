//! Captures made by hand, byte by byte, and the documents the decoder makes of them.
#![allow(dead_code)]

use std::io::Cursor;

use hayrick_decode::output::json;
use hayrick_decode::pipeline::{Decoder, Summary};
use hayrick_decode::session::record::Origin;
use serde_json::Value;

pub const CLIENT: [u8; 4] = [192, 0, 2, 1];
pub const SERVER: [u8; 4] = [198, 51, 100, 2];
pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;

/// A classic capture: little-endian, microseconds.
pub struct Pcap {
    pub bytes: Vec<u8>,
}

impl Pcap {
    pub fn new(linktype: u32) -> Pcap {
        let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
        bytes.extend(linktype.to_le_bytes());
        Pcap { bytes }
    }

    /// Adds a frame at `ms` milliseconds past 1,700,000,000 s.
    pub fn frame(&mut self, ms: u64, frame: &[u8]) -> &mut Pcap {
        let seconds = 1_700_000_000 + ms / 1000;
        for number in [seconds as u32, (ms % 1000 * 1000) as u32, frame.len() as u32, frame.len() as u32] {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend(frame);
        self
    }

    pub fn decode(&self) -> (Vec<Value>, Summary) {
        decode(&self.bytes)
    }
}

/// Decodes a capture's bytes.
pub fn decode(bytes: &[u8]) -> (Vec<Value>, Summary) {
    let mut decoder = Decoder::new(Box::new(Cursor::new(bytes.to_vec())), Origin::default()).expect("a capture");
    let mut documents = Vec::new();
    loop {
        let batch = decoder.next_batch(100);
        if batch.is_empty() {
            return (documents, decoder.pipeline.summary);
        }
        for record in &batch {
            let mut text = String::new();
            json::document(record, true, &mut text);
            documents.push(serde_json::from_str(&text).expect("JSON"));
        }
    }
}

pub fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// IPv4; `fragment` is the field of flags and offset.
pub fn ipv4(from: [u8; 4], to: [u8; 4], protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(from);
    packet.extend(to);
    packet.extend(payload);
    packet
}

pub fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    for number in [from, to, 8 + payload.len() as u16, 0] {
        datagram.extend(number.to_be_bytes());
    }
    datagram.extend(payload);
    datagram
}

pub fn tcp(ports: (u16, u16), sequence: u32, acknowledgement: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(ports.0.to_be_bytes());
    segment.extend(ports.1.to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledgement.to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    segment
}

/// One TCP connection's frames, sequence numbers kept for both ends.
pub struct Connection {
    pub ports: (u16, u16),
    pub next: [u32; 2],
}

impl Connection {
    pub fn new(port: u16) -> Connection {
        Connection { ports: (40_000, port), next: [1_000, 9_000] }
    }

    /// A segment at an offset from the next sequence number; the number is left as it is.
    pub fn at(&self, client: bool, offset: i64, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (side, other) = if client { (0, 1) } else { (1, 0) };
        let ports = if client { self.ports } else { (self.ports.1, self.ports.0) };
        let (from, to) = if client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let sequence = (i64::from(self.next[side]) + offset) as u32;
        ethernet(0x0800, &ipv4(from, to, 6, 0, &tcp(ports, sequence, self.next[other], flags, payload)))
    }

    /// The next segment in order.
    pub fn send(&mut self, client: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
        let frame = self.at(client, 0, flags, payload);
        let step = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        let side = usize::from(!client);
        self.next[side] = self.next[side].wrapping_add(step);
        frame
    }

    pub fn open(&mut self, pcap: &mut Pcap) {
        for (ms, (client, flags)) in [(true, SYN), (false, SYN | ACK), (true, ACK)].into_iter().enumerate() {
            let frame = self.send(client, flags, b"");
            pcap.frame(ms as u64 * 10, &frame);
        }
    }
}
