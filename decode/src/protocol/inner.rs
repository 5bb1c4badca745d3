//! A stream within a session's stream (what TLS carried, once opened): it has parsers of its own.

use super::{Direction, Flow, Parser, Status};
use crate::limits::{MAX_NESTING, MAX_PARSERS};

/// Both directions; feed them in order, as a session is fed.
#[derive(Default)]
pub struct Inner {
    parsers: Vec<Box<dyn Parser>>,
    /// Protocols found within: what runs around it may be one of them too, and must not hide it.
    protocols: Vec<&'static str>,
    offsets: [u64; 2],
    classified: [bool; 2],
}

impl Inner {
    /// The next bytes of a direction.
    pub fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let at = direction as usize;
        let first = !std::mem::replace(&mut self.classified[at], true);
        self.within(flow, at, |parsers, flow| {
            parsers.retain_mut(|parser| parser.data(flow, direction, data) == Status::More);
            if first {
                flow.classify(direction, data);
            }
        });
        self.offsets[at] += data.len() as u64;
    }

    /// Bytes of a direction were lost, or cannot be read: of how many, nobody knows.
    pub fn gap(&mut self, flow: &mut Flow<'_>, direction: Direction, bytes: u64) {
        self.within(flow, direction as usize, |parsers, flow| {
            parsers.retain_mut(|parser| parser.gap(flow, direction, bytes) == Status::More);
        });
    }

    /// The session ends.
    pub fn finish(&mut self, flow: &mut Flow<'_>) {
        self.within(flow, 0, |parsers, flow| parsers.iter_mut().for_each(|parser| parser.finish(flow)));
    }

    fn within(&mut self, flow: &mut Flow<'_>, at: usize, work: impl FnOnce(&mut Vec<Box<dyn Parser>>, &mut Flow<'_>)) {
        if flow.depth >= MAX_NESTING {
            return;
        }
        let outer = (std::mem::take(&mut flow.added), std::mem::replace(&mut flow.offset, self.offsets[at]));
        std::mem::swap(flow.protocols, &mut self.protocols);
        flow.depth += 1;
        work(&mut self.parsers, flow);
        flow.depth -= 1;
        std::mem::swap(flow.protocols, &mut self.protocols);
        self.parsers.append(&mut flow.added);
        self.parsers.truncate(MAX_PARSERS);
        (flow.added, flow.offset) = outer;
        self.protocols.iter().for_each(|name| flow.protocol(name));
    }
}
