//! One direction of an HTTP connection: lines of heads, bytes of bodies, in turn.

use super::body::Body;
use super::fields::*;
use super::head::{Framing, Head};
use crate::limits::MAX_MESSAGE;
use crate::protocol::Flow;
use crate::protocol::lines::{Line, Lines};

/// Where in a message a direction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Start,
    Headers,
    /// Bytes left.
    Fixed(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    UntilClose,
    /// What follows is not HTTP: a tunnel or another protocol.
    Switched,
    /// What came could not be understood.
    Dead,
}

/// What a step of a direction brought about.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// All data is used up.
    Wait,
    Going,
    /// The first line of a request or response was read.
    Started,
    /// The head is whole.
    Head,
}

/// One direction.
#[derive(Default)]
pub struct Side {
    pub state: State,
    pub head: Head,
    lines: Lines,
    body: Option<Box<Body>>,
}

impl Side {
    /// Reads on in `data`; `request` tells whose headers and bodies these are.
    pub fn step(&mut self, flow: &mut Flow<'_>, request: bool, data: &mut &[u8]) -> Step {
        match self.state {
            State::Fixed(left) => {
                let left = self.take_body(flow, data, left);
                match left {
                    0 => self.end(flow),
                    left => self.state = State::Fixed(left),
                }
                Step::Going
            }
            State::Chunk(left) => {
                self.state = match self.take_body(flow, data, left) {
                    0 => State::ChunkEnd,
                    left => State::Chunk(left),
                };
                Step::Going
            }
            State::UntilClose => {
                self.take_body(flow, data, u64::MAX);
                Step::Wait
            }
            State::Switched => Step::Going,
            State::Dead => {
                *data = &[];
                Step::Wait
            }
            _ => self.line(flow, request, data),
        }
    }

    fn line(&mut self, flow: &mut Flow<'_>, request: bool, data: &mut &[u8]) -> Step {
        let line = match self.lines.next(data, MAX_MESSAGE) {
            Line::Whole(line) => line,
            Line::Wait => return Step::Wait,
            Line::TooLong => return self.die(flow, "http-line-too-long"),
        };
        match self.state {
            State::Start if line.is_empty() => Step::Going,
            State::Start => self.start(flow, &line),
            State::Headers if line.is_empty() => {
                self.head.flush(flow, request);
                Step::Head
            }
            State::Headers if !self.head.line(flow, request, &line) => self.die(flow, "http-header-malformed"),
            State::ChunkSize => self.chunk_size(flow, &line),
            State::ChunkEnd => {
                self.state = State::ChunkSize;
                Step::Going
            }
            State::Trailer if line.is_empty() => {
                self.end(flow);
                Step::Going
            }
            _ => Step::Going,
        }
    }

    fn start(&mut self, flow: &mut Flow<'_>, line: &[u8]) -> Step {
        self.head = Head::default();
        let good = match line.starts_with(b"HTTP/") {
            true => self.status_line(flow, line),
            false => self.request_line(flow, line),
        };
        match good {
            Some(()) => {
                self.state = State::Headers;
                Step::Started
            }
            None if has_spaced_target(line) => {
                self.give_up(flow);
                Step::Going
            }
            None => self.die(flow, "http-start-malformed"),
        }
    }

    fn status_line(&mut self, flow: &mut Flow<'_>, line: &[u8]) -> Option<()> {
        let mut words = line.split(|&b| b == b' ').filter(|w| !w.is_empty());
        let version = version(words.next()?)?;
        let code = words.next().filter(|w| w.len() == 3 && w.iter().all(u8::is_ascii_digit))?;
        self.head.status = std::str::from_utf8(code).ok()?.parse().ok()?;
        flow.fields.int(&STATUS_CODE, i64::from(self.head.status));
        flow.fields.bytes(&SERVER_VERSION, version);
        Some(())
    }

    fn request_line(&mut self, flow: &mut Flow<'_>, line: &[u8]) -> Option<()> {
        let mut words = line.split(|&b| b == b' ').filter(|w| !w.is_empty());
        let method = method(words.next()?)?;
        let uri = words.next()?;
        let version = match (words.next(), words.next()) {
            (Some(word), None) => version(word),
            (None, None) => Some(&b"0.9"[..]),
            _ => None,
        };
        let Some(version) = version else {
            flow.fields.bytes(&URI, uri);
            return None;
        };
        self.head.method = Some(method);
        self.head.uri.extend_from_slice(uri);
        flow.fields.text(&METHOD, method);
        flow.fields.bytes(&CLIENT_VERSION, version);
        Some(())
    }

    fn chunk_size(&mut self, flow: &mut Flow<'_>, line: &[u8]) -> Step {
        let digits = line.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
        let size = std::str::from_utf8(digits).ok().and_then(|d| u64::from_str_radix(d, 16).ok());
        self.state = match size {
            Some(0) => State::Trailer,
            Some(size) => State::Chunk(size),
            None => return self.die(flow, "http-chunk-malformed"),
        };
        Step::Going
    }

    /// Begins a body, or goes on to the next message when there is none.
    pub fn begin_body(&mut self, request: bool, framing: Framing) {
        self.body = (framing != Framing::None).then(|| Box::new(Body::new(request)));
        self.state = match framing {
            Framing::None => State::Start,
            Framing::Length(length) => State::Fixed(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
    }

    fn take_body(&mut self, flow: &mut Flow<'_>, data: &mut &[u8], left: u64) -> u64 {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        let (part, rest) = data.split_at(take);
        *data = rest;
        if let Some(body) = &mut self.body {
            body.add(flow, part);
        }
        left - take as u64
    }

    fn end(&mut self, flow: &mut Flow<'_>) {
        if let Some(body) = self.body.take() {
            body.end(flow);
        }
        self.state = State::Start;
    }

    fn die(&mut self, flow: &mut Flow<'_>, anomaly: &'static str) -> Step {
        flow.anomaly(anomaly);
        self.give_up(flow);
        Step::Going
    }

    fn give_up(&mut self, flow: &mut Flow<'_>) {
        self.state = State::Dead;
        self.lines.clear();
        if let Some(body) = self.body.take() {
            body.break_off(flow);
        }
    }

    /// Bytes were lost: a body of known length goes on after them without its hashes, anything else cannot.
    pub fn gap(&mut self, flow: &mut Flow<'_>, bytes: u64) {
        match self.state {
            State::Fixed(left) if left >= bytes => {
                if let Some(body) = self.body.take() {
                    body.break_off(flow);
                }
                self.state = if left == bytes { State::Start } else { State::Fixed(left - bytes) };
            }
            State::Chunk(left) if left > bytes => {
                if let Some(body) = self.body.take() {
                    body.break_off(flow);
                }
                self.state = State::Chunk(left - bytes);
            }
            _ => self.give_up(flow),
        }
    }

    /// No more will come.
    pub fn finish(&mut self, flow: &mut Flow<'_>) {
        match self.state {
            State::UntilClose => self.end(flow),
            _ => self.give_up(flow),
        }
    }
}

fn method(word: &[u8]) -> Option<&'static str> {
    if word == b"PRI" {
        return Some("PRI");
    }
    super::known_method(word)
}

/// Whether all is well but that the target has spaces, which careless clients send.
fn has_spaced_target(line: &[u8]) -> bool {
    let mut words = line.split(|&b| b == b' ');
    words.next().and_then(method).is_some() && words.next_back().and_then(version).is_some()
}

/// The version in `HTTP/1.1`.
fn version(word: &[u8]) -> Option<&[u8]> {
    let version = word.strip_prefix(b"HTTP/")?;
    matches!(version, [a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit()).then_some(version)
}
