//! DNS over TCP: messages with their length before them, many in flight, cut anywhere.

use super::message::{HEADER, Header, long_enough};
use super::transaction::{Outcome, Transactions};
use crate::protocol::{Direction, Flow, Parser, Status};

/// One direction.
#[derive(Default)]
struct Side {
    /// The beginning of a message whose rest has not come; empty between messages.
    held: Vec<u8>,
    /// Bytes were lost: where the next message begins is unknown.
    lost: bool,
}

/// Both directions of a TCP session.
pub struct Stream {
    sides: [Side; 2],
    transactions: Transactions,
}

/// The first message of `data` and what follows it, if it is complete.
fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

impl Stream {
    pub fn new() -> Stream {
        Stream { sides: Default::default(), transactions: Transactions::new(false) }
    }

    /// Whether `data`, as far as it goes, may begin a message.
    pub fn fits(data: &[u8]) -> bool {
        let Some((length, message)) = data.split_first_chunk::<2>() else { return !data.is_empty() };
        long_enough(usize::from(u16::from_be_bytes(*length)))
            && (message.len() < HEADER || Header::read(message, false).is_some_and(|h| h.is_plausible()))
    }

    fn messages<'a>(&mut self, flow: &mut Flow<'_>, mut data: &'a [u8]) -> &'a [u8] {
        while let Some((message, rest)) = split(data) {
            data = rest;
            if self.transactions.message(flow, message) == Outcome::Foreign {
                flow.anomaly("dns-message-malformed");
            }
        }
        data
    }
}

impl Parser for Stream {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let side = &mut self.sides[direction as usize];
        if side.lost {
            return Status::More;
        }
        let mut held = std::mem::take(&mut side.held);
        if held.is_empty() {
            let rest = self.messages(flow, data);
            held.extend_from_slice(rest);
        } else {
            // At most one message of 64 KiB is held, for its length says when it is complete.
            held.extend_from_slice(data);
            let rest = self.messages(flow, &held).len();
            held.drain(..held.len() - rest);
        }
        self.sides[direction as usize].held = held;
        Status::More
    }

    fn gap(&mut self, _flow: &mut Flow<'_>, direction: Direction, _bytes: u64) -> Status {
        self.sides[direction as usize] = Side { held: Vec::new(), lost: true };
        if self.sides.iter().all(|side| side.lost) { Status::Done } else { Status::More }
    }

    fn finish(&mut self, _flow: &mut Flow<'_>) {
        self.transactions.forget();
    }
}
