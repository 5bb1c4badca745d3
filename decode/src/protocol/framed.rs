//! TCP protocols whose messages say how long they are: cuts the stream into them, one function reads each.

use super::{Direction, Flow, Parser, Status};
use crate::limits::MAX_MESSAGE;

/// What the beginning of a message tells of its length.
pub enum Frame {
    /// Nothing yet.
    Wait,
    /// The message has this many bytes, its head included.
    Whole(usize),
    /// This is no message of the protocol.
    Bad,
}

/// How a protocol's messages are cut and read.
#[derive(Clone, Copy)]
pub struct Rules {
    pub length: fn(&[u8]) -> Frame,
    pub read: fn(&mut Flow<'_>, &[u8]),
    /// The anomaly that names what is no message.
    pub anomaly: &'static str,
}

struct Framed {
    rules: Rules,
    /// For each direction, the beginning of a message whose rest has not come.
    held: [Vec<u8>; 2],
    /// Where the next message begins is no longer known.
    lost: [bool; 2],
}

/// Names the protocol and reads its messages from the data just seen on; once a session.
pub fn begin(flow: &mut Flow<'_>, name: &'static str, rules: Rules) {
    if !flow.has_protocol(name) {
        flow.protocol(name);
        flow.attach(Box::new(Framed { rules, held: Default::default(), lost: [false; 2] }));
    }
}

impl Framed {
    /// Reads the whole messages of `data`; gives what is left, or `None` if no message begins there.
    fn messages<'a>(&self, flow: &mut Flow<'_>, mut data: &'a [u8]) -> Option<&'a [u8]> {
        loop {
            let length = match (self.rules.length)(data) {
                Frame::Wait if data.len() <= MAX_MESSAGE => return Some(data),
                Frame::Whole(length @ 1..=MAX_MESSAGE) => length,
                _ => return None,
            };
            let Some((message, rest)) = data.split_at_checked(length) else { return Some(data) };
            (self.rules.read)(flow, message);
            data = rest;
        }
    }
}

impl Parser for Framed {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let side = direction as usize;
        if self.lost[side] {
            return Status::More;
        }
        let mut held = std::mem::take(&mut self.held[side]);
        let rest = if held.is_empty() {
            self.messages(flow, data).map(|rest| held.extend_from_slice(rest))
        } else {
            held.extend_from_slice(data);
            self.messages(flow, &held).map(<[u8]>::len).map(|rest| drop(held.drain(..held.len() - rest)))
        };
        self.held[side] = held;
        if rest.is_none() {
            flow.anomaly(self.rules.anomaly);
            return self.gap(flow, direction, 0);
        }
        Status::More
    }

    fn gap(&mut self, _flow: &mut Flow<'_>, direction: Direction, _bytes: u64) -> Status {
        self.held[direction as usize] = Vec::new();
        self.lost[direction as usize] = true;
        if self.lost == [true; 2] { Status::Done } else { Status::More }
    }
}
