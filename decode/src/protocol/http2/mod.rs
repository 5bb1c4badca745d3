//! HTTP/2 (RFC 9113), in the clear or inside decrypted TLS, and the gRPC calls it carries. What requests and responses
//! tell stands in the fields of HTTP/1.

mod hpack;
mod huffman;
mod static_table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::http::body::Body;
use super::http::head::Head;
use super::http::{self, fields as http_fields, uri};
use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};
use crate::limits::MAX_MESSAGE;

use Kind::{Integer, Term};

crate::declare_fields! {
    METHOD = Field::set("grpc.method", "grpc.method", Term, "Methods called by gRPC, with their service");
    MESSAGE = Field::set("grpc.message", "grpc.message", Term, "What gRPC's errors say");
    STATUS = Field::set("grpc.status", "grpc.status", Integer, "Statuses of gRPC calls");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "http2",
    fields: FIELDS,
    signatures: &[Signature::Tcp(0, b"PRI * HTTP/2.0", client), Signature::Tcp(0, b"\x00\x00", server)],
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;
/// Streams whose bodies are looked at a time; each may hold the beginnings of two.
const MAX_STREAMS: usize = 32;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH: u8 = 5;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

fn client(flow: &mut Flow<'_>, direction: Direction, _data: &[u8]) {
    begin(flow, direction);
}

/// A server that greets first: settings of six bytes each, on no stream.
fn server(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    if let Some([0, 0, length, SETTINGS, 0, 0, 0, 0, 0]) = data.first_chunk()
        && length % 6 == 0
    {
        begin(flow, direction.opposite());
    }
}

fn begin(flow: &mut Flow<'_>, client: Direction) {
    if !flow.has_protocol("http2") {
        flow.attach(new(client));
    }
    flow.protocol("http2");
}

/// Reads a connection whose client is known, from its preface on.
pub fn new(client: Direction) -> Box<dyn Parser> {
    Box::new(Http2 { client, preface: PREFACE, sides: Default::default(), streams: BTreeMap::new() })
}

#[derive(Clone, Copy)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    left: usize,
}

#[derive(Default)]
struct Side {
    /// The beginning of a frame's head, or a header's frame whose rest has not come.
    held: Vec<u8>,
    frame: Option<Frame>,
    /// A header block that goes on in the next frame, and its first frame.
    block: Option<(Frame, Vec<u8>)>,
    hpack: hpack::Decoder,
    /// Nothing more of this direction can be read.
    dead: bool,
}

/// What is told of a stream once both its ends have closed it.
#[derive(Default)]
struct Stream {
    grpc: bool,
    bodies: [Option<Box<Body>>; 2],
    over: [bool; 2],
}

struct Http2 {
    client: Direction,
    /// What the client has still to say first.
    preface: &'static [u8],
    sides: [Side; 2],
    streams: BTreeMap<u32, Stream>,
}

impl Http2 {
    /// Takes the next frame's head off `data`; `None` until it is whole.
    fn head(&mut self, at: usize, data: &mut &[u8]) -> Option<Frame> {
        let held = &mut self.sides[at].held;
        let (part, rest) = data.split_at(data.len().min(HEAD - held.len().min(HEAD)));
        held.extend_from_slice(part);
        *data = rest;
        if held.len() < HEAD {
            return None;
        }
        let mut reader = Reader::new(held);
        let left = reader.u24()? as usize;
        let frame = Frame { left, kind: reader.u8()?, flags: reader.u8()?, stream: reader.u32()? & 0x7fff_ffff };
        held.clear();
        Some(frame)
    }

    /// Takes what `data` has of the frame; gives it back while its rest is missing.
    fn frame(&mut self, flow: &mut Flow<'_>, at: usize, mut frame: Frame, data: &mut &[u8]) -> Option<Frame> {
        let (part, rest) = data.split_at(frame.left.min(data.len()));
        *data = rest;
        frame.left -= part.len();
        match frame.kind {
            DATA => self.content(flow, at, frame, part),
            HEADERS | PUSH | CONTINUATION => {
                let side = &mut self.sides[at];
                side.held.extend_from_slice(part);
                if side.held.len() > MAX_MESSAGE {
                    self.give_up(flow, at, "http2-headers-too-long");
                } else if frame.left == 0 {
                    let payload = std::mem::take(&mut side.held);
                    self.headers(flow, at, frame, &payload);
                }
            }
            RESET if frame.left == 0 => {
                if let Some(stream) = self.streams.remove(&frame.stream) {
                    stream.break_off(flow);
                }
            }
            _ => {}
        }
        (frame.left > 0).then_some(frame)
    }

    /// A piece of a body. Padding is rare, and only its first byte tells its length: such bodies are left out.
    fn content(&mut self, flow: &mut Flow<'_>, at: usize, frame: Frame, part: &[u8]) {
        let Some(stream) = self.streams.get_mut(&frame.stream) else { return };
        if frame.flags & PADDED != 0 {
            stream.bodies[at] = None;
        }
        if let Some(body) = &mut stream.bodies[at] {
            body.add(flow, part);
        }
        if frame.left == 0 && frame.flags & END_STREAM != 0 {
            self.end(flow, at, frame.stream);
        }
    }

    fn headers(&mut self, flow: &mut Flow<'_>, at: usize, frame: Frame, payload: &[u8]) {
        let side = &mut self.sides[at];
        let (first, block) = match (frame.kind, side.block.take()) {
            (CONTINUATION, Some((first, mut block))) => {
                block.extend_from_slice(payload);
                (first, block)
            }
            (HEADERS | PUSH, None) => match fragment(&frame, payload) {
                Some(block) => (frame, block.to_vec()),
                None => return self.give_up(flow, at, "http2-frame-malformed"),
            },
            _ => return self.give_up(flow, at, "http2-frame-malformed"),
        };
        if block.len() > MAX_MESSAGE {
            return self.give_up(flow, at, "http2-headers-too-long");
        }
        if frame.flags & END_HEADERS == 0 {
            side.block = Some((first, block));
            return;
        }
        if self.block(flow, at, first, &block).is_none() {
            return self.give_up(flow, at, "http2-headers-malformed");
        }
        if first.flags & END_STREAM != 0 {
            self.end(flow, at, first.stream);
        }
    }

    /// A whole header block: a request, a response, or what comes after a body.
    fn block(&mut self, flow: &mut Flow<'_>, at: usize, frame: Frame, block: &[u8]) -> Option<()> {
        let request = at == self.client as usize || frame.kind == PUSH;
        let mut message = Message::default();
        let hpack = &mut self.sides[at].hpack;
        hpack.decode(block, &mut |name, value| message.header(flow, request, name, value))?;
        let asks = message.head.method.is_some() || !message.head.uri.is_empty();
        if asks {
            flow.fields.text(&http_fields::CLIENT_VERSION, "2.0");
            http::count(flow, message.head.method);
            uri::request(flow, &message.head);
        }
        if asks && message.grpc {
            flow.protocol("grpc");
            flow.fields.bytes(&METHOD, message.head.uri.strip_prefix(b"/").unwrap_or(&message.head.uri));
        }
        if frame.kind == PUSH || !(asks || message.head.status >= 200) {
            return Some(());
        }
        if self.streams.len() < MAX_STREAMS || self.streams.contains_key(&frame.stream) {
            let stream = self.streams.entry(frame.stream).or_default();
            stream.grpc |= message.grpc;
            // gRPC's messages are no files.
            stream.bodies[at] = (!stream.grpc).then(|| Box::new(Body::new(request)));
        }
        Some(())
    }

    /// One end has sent all of the stream.
    fn end(&mut self, flow: &mut Flow<'_>, at: usize, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.over[at] = true;
        if let Some(body) = stream.bodies[at].take() {
            body.end(flow);
        }
        if stream.over == [true; 2] {
            self.streams.remove(&id);
        }
    }

    fn give_up(&mut self, flow: &mut Flow<'_>, at: usize, anomaly: &'static str) {
        flow.anomaly(anomaly);
        self.sides[at] = Side { dead: true, ..Side::default() };
    }
}

impl Stream {
    fn break_off(self, flow: &mut Flow<'_>) {
        self.bodies.into_iter().flatten().for_each(|body| body.break_off(flow));
    }
}

/// The headers' part of a frame, between what may come before and the padding.
fn fragment<'a>(frame: &Frame, payload: &'a [u8]) -> Option<&'a [u8]> {
    let mut reader = Reader::new(payload);
    let padding = if frame.flags & PADDED != 0 { usize::from(reader.u8()?) } else { 0 };
    let before = match frame.kind {
        PUSH => 4,
        _ if frame.flags & PRIORITY != 0 => 5,
        _ => 0,
    };
    reader.skip(before)?;
    let rest = reader.rest();
    rest.get(..rest.len().checked_sub(padding)?)
}

/// What the headers of one block say together.
#[derive(Default)]
struct Message {
    head: Head,
    grpc: bool,
}

impl Message {
    fn header(&mut self, flow: &mut Flow<'_>, request: bool, name: &[u8], value: &[u8]) {
        match name {
            b":method" => {
                self.head.method = http::known_method(value);
                flow.fields.bytes(&http_fields::METHOD, value);
            }
            b":path" => self.head.uri = value.to_vec(),
            b":authority" => self.head.host = value.to_vec(),
            b":status" => {
                if let Some(status) = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()) {
                    self.head.status = status;
                    flow.fields.int(&http_fields::STATUS_CODE, i64::from(status));
                    flow.fields.text(&http_fields::SERVER_VERSION, "2.0");
                }
            }
            [b':', ..] => {}
            b"grpc-status" => {
                if let Some(status) = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()) {
                    flow.fields.int(&STATUS, status);
                }
            }
            b"grpc-message" => flow.fields.bytes(&MESSAGE, value),
            _ => {
                self.grpc |= name == b"content-type" && value.starts_with(b"application/grpc");
                self.head.header(flow, request, name, value);
            }
        }
    }
}

impl Parser for Http2 {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, mut data: &[u8]) -> Status {
        let at = direction as usize;
        if direction == self.client {
            let (now, later) = self.preface.split_at(self.preface.len().min(data.len()));
            data = data.strip_prefix(now).unwrap_or(data);
            self.preface = later;
        }
        while !data.is_empty() && !self.sides[at].dead {
            let Some(frame) = self.sides[at].frame.take().or_else(|| self.head(at, &mut data)) else { break };
            let rest = self.frame(flow, at, frame, &mut data);
            self.sides[at].frame = rest;
        }
        if self.sides.iter().all(|side| side.dead) { Status::Done } else { Status::More }
    }

    fn finish(&mut self, flow: &mut Flow<'_>) {
        std::mem::take(&mut self.streams).into_values().for_each(|stream| stream.break_off(flow));
    }
}
