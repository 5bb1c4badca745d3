//! HTTP/1: requests and responses, pipelined or not, and what is inside when they switch to something else.

pub mod body;
pub mod fields;
pub mod head;
mod side;
#[cfg(test)]
mod tests;
pub mod uri;

use std::collections::VecDeque;

use super::websocket::WebSocket;
use super::{Direction, Flow, Parser, Protocol, Signature, Status, http2};
use crate::field::Field;
use fields::{COUNTS, FIELDS, METHODS};
use head::Framing;
use side::{Side, State, Step};

/// Requests that wait for their response; more are not told apart.
const MAX_WAITING: usize = 64;

static ALL: [&Field; FIELDS.len() + COUNTS.len()] = {
    let mut all = [FIELDS[0]; FIELDS.len() + COUNTS.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < FIELDS.len() { FIELDS[at] } else { COUNTS[at - FIELDS.len()] };
        at += 1;
    }
    all
};

macro_rules! methods {
    ($($word:literal)*) => {
        &[
            $(Signature::Tcp(0, $word, begin),)*
            Signature::Tcp(0, b"HTTP/1.", begin),
            Signature::Tcp(0, b"RPC_IN_DATA ", rpc),
            Signature::Tcp(0, b"RPC_OUT_DATA ", rpc),
        ]
    };
}

pub static PROTOCOL: Protocol = Protocol {
    name: "http",
    fields: &ALL,
    signatures: methods!(
        b"GET " b"GET\r\n" b"POST " b"HEAD " b"PUT " b"DELETE " b"CONNECT " b"OPTIONS " b"TRACE " b"PATCH " b"COPY " b"LOCK "
        b"MKCOL " b"MOVE " b"PROPFIND " b"PROPPATCH " b"SEARCH " b"UNLOCK " b"BIND " b"REBIND " b"UNBIND " b"ACL "
        b"REPORT " b"MKACTIVITY " b"CHECKOUT " b"MERGE " b"M-SEARCH " b"NOTIFY " b"SUBSCRIBE " b"UNSUBSCRIBE "
        b"PURGE " b"MKCALENDAR " b"LINK " b"UNLINK " b"SOURCE " b"QUERY " b"PRI * HTTP/2.0"
    ),
};

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    // SIP and RTSP borrowed the words of HTTP.
    let line = data.split(|&b| b == b'\r' || b == b'\n').next().unwrap_or_default();
    let other = [&b" SIP/2.0"[..], b" RTSP/1.0", b" RTSP/2.0"].iter().any(|version| line.ends_with(version));
    if !other && !flow.has_protocol("http") {
        flow.protocol("http");
        flow.attach(Box::new(Http::default()));
    }
}

/// Remote procedure calls through a proxy: each direction of them is one endless request.
fn rpc(flow: &mut Flow<'_>, _direction: Direction, _data: &[u8]) {
    flow.protocol("rpc-over-http");
}

/// The client asks, unless it was seen that the other end does.
#[derive(Default)]
struct Http {
    sides: [Side; 2],
    asker: usize,
    waiting: VecDeque<Option<&'static str>>,
    /// What both ends agreed to speak next.
    switch: Switch,
    classified: [bool; 2],
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Switch {
    #[default]
    Not,
    /// The request asked; the answer decides.
    Asked,
    WebSocket,
    Http2,
    Other,
}

impl Http {
    fn head(&mut self, flow: &mut Flow<'_>, at: usize) {
        let request = at == self.asker;
        if self.sides[at].head.method.is_some() {
            self.request_head(flow, at);
        } else {
            let asked = if request { None } else { self.waiting.pop_front().flatten() };
            self.response_head(flow, at, asked);
        }
    }

    fn request_head(&mut self, flow: &mut Flow<'_>, at: usize) {
        let side = &mut self.sides[at];
        uri::request(flow, &side.head);
        let method = side.head.method;
        let switches = side.head.upgrades();
        if !switches {
            count(flow, method);
        }
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(method);
        }
        match side.head.request_framing() {
            // What follows in either direction is HTTP/2's.
            _ if method == Some("PRI") => self.sides.iter_mut().for_each(|side| side.state = State::Dead),
            Framing::None if switches || method == Some("CONNECT") => {
                side.state = State::Switched;
                self.switch = Switch::Asked;
            }
            framing => side.begin_body(true, framing),
        }
    }

    fn response_head(&mut self, flow: &mut Flow<'_>, at: usize, asked: Option<&'static str>) {
        let side = &mut self.sides[at];
        if !side.head.authenticate.is_empty() {
            let text = side.head.authenticate.trim_ascii();
            if let Some(space) = text.iter().position(|&b| b == b' ') {
                uri::negotiation(flow, &text[..space], text[space..].trim_ascii());
            }
        }
        let status = side.head.status;
        if status == 100 && asked.is_some() {
            self.waiting.push_front(asked);
        }
        let tunnel = asked == Some("CONNECT") && (200..300).contains(&status);
        if tunnel || (status == 101 && side.head.upgrades()) {
            self.switch = match &side.head.upgrade.to_ascii_lowercase()[..] {
                b"websocket" => Switch::WebSocket,
                b"h2c" => Switch::Http2,
                _ => Switch::Other,
            };
            side.state = State::Switched;
            self.sides[at ^ 1].state = State::Switched;
            return;
        }
        side.begin_body(at == self.asker, side.head.response_framing(asked));
        if self.switch == Switch::Asked && status != 100 {
            self.refused();
        }
    }

    /// The other protocol was refused: the asking side goes on with HTTP.
    fn refused(&mut self) {
        self.switch = Switch::Not;
        let side = &mut self.sides[self.asker];
        if side.state == State::Switched {
            side.state = State::Start;
        }
    }

    /// Data after a switch: a WebSocket's frames, or whatever the classification finds.
    fn switched(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        match self.switch {
            Switch::WebSocket => hand_over(flow, Box::new(WebSocket::new(self.asker)), direction, data),
            Switch::Http2 => {
                flow.protocol("http2");
                let client = if self.asker == 0 { Direction::Client } else { Direction::Server };
                hand_over(flow, http2::new(client), direction, data)
            }
            Switch::Other if super::http::is_request(data) => {
                *self = Http::default();
                self.asker = direction as usize;
                self.read(flow, direction, data)
            }
            Switch::Other => {
                if !std::mem::replace(&mut self.classified[direction as usize], true) {
                    flow.classify(direction, data);
                }
                if self.classified == [true; 2] { Status::Done } else { Status::More }
            }
            // What comes before the answer: a client too eager, or an answer that was lost.
            Switch::Not | Switch::Asked => Status::More,
        }
    }

    fn read(&mut self, flow: &mut Flow<'_>, direction: Direction, mut data: &[u8]) -> Status {
        let at = direction as usize;
        while !data.is_empty() {
            if self.sides[at].state == State::Switched {
                return self.switched(flow, direction, data);
            }
            match self.sides[at].step(flow, at == self.asker, &mut data) {
                Step::Wait => break,
                Step::Going => {}
                Step::Started if self.sides[at].head.method.is_some() => self.asker = at,
                Step::Started => {}
                Step::Head => self.head(flow, at),
            }
        }
        if self.sides.iter().all(|side| side.state == State::Dead) { Status::Done } else { Status::More }
    }
}

/// Gives the data at hand and all that follows to `next`.
fn hand_over(flow: &mut Flow<'_>, mut next: Box<dyn Parser>, direction: Direction, data: &[u8]) -> Status {
    if next.data(flow, direction, data) == Status::More {
        flow.attach(next);
    }
    Status::Done
}

/// Counts a request in the field of its method.
pub fn count(flow: &mut Flow<'_>, method: Option<&str>) {
    let Some((_, field)) = METHODS.iter().find(|(name, _)| Some(*name) == method) else { return };
    let before = match flow.fields.get(field) {
        Some(crate::values::Values::Ints(list)) => list.first().copied().unwrap_or(0),
        _ => 0,
    };
    flow.fields.int(field, before + 1);
}

/// The method of that name, if it is one we know.
pub fn known_method(word: &[u8]) -> Option<&'static str> {
    METHODS.iter().map(|(name, _)| *name).find(|name| name.as_bytes() == word)
}

fn is_request(data: &[u8]) -> bool {
    let word = data.split(|&b| b == b' ').next().unwrap_or_default();
    word.len() < data.len() && known_method(word).is_some()
}

impl Parser for Http {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        self.read(flow, direction, data)
    }

    fn gap(&mut self, flow: &mut Flow<'_>, direction: Direction, bytes: u64) -> Status {
        self.sides[direction as usize].gap(flow, bytes);
        Status::More
    }

    fn finish(&mut self, flow: &mut Flow<'_>) {
        self.sides.iter_mut().for_each(|side| side.finish(flow));
    }
}
