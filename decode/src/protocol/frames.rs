//! Whole messages out of a TCP stream, for protocols whose messages begin with their length.

use super::Direction;
use crate::limits::MAX_MESSAGE;

/// What the first bytes of a message tell of its length, in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Known(usize),
    /// Too few bytes to tell.
    More,
    /// This is no message.
    Bad,
}

impl Length {
    /// `Known` of a header's size plus the length it tells.
    pub fn sum(header: usize, body: impl TryInto<usize>) -> Length {
        match body.try_into().ok().and_then(|body| header.checked_add(body)) {
            Some(total) if total > 0 => Length::Known(total),
            _ => Length::Bad,
        }
    }
}

#[derive(Default)]
struct Side {
    held: Vec<u8>,
    /// Bytes of a message too long to hold that are still to come.
    skip: u64,
}

/// Both directions' messages while they come. Of a message longer than `MAX_MESSAGE`, only so much is shown.
#[derive(Default)]
pub struct Frames {
    sides: [Side; 2],
}

impl Frames {
    /// Adds data and shows each message that is whole; `false` when what came is no message.
    pub fn feed(
        &mut self,
        direction: Direction,
        mut data: &[u8],
        length: impl Fn(&[u8]) -> Length,
        mut each: impl FnMut(&[u8]),
    ) -> bool {
        let side = &mut self.sides[direction as usize];
        loop {
            let skipped = usize::try_from(side.skip).unwrap_or(usize::MAX).min(data.len());
            side.skip -= skipped as u64;
            data = &data[skipped..];
            if data.is_empty() {
                return true;
            }
            if side.held.is_empty() {
                match length(data) {
                    Length::Bad | Length::Known(0) => return false,
                    Length::Known(total) if total <= data.len() => {
                        each(&data[..total]);
                        data = &data[total..];
                        continue;
                    }
                    _ => {}
                }
            }
            if !side.hold(&mut data, &length, &mut each) {
                return false;
            }
        }
    }

    /// Shows what is left of messages that never became whole.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        for side in &mut self.sides {
            let held = std::mem::take(&mut side.held);
            if !held.is_empty() {
                each(&held);
            }
        }
    }
}

impl Side {
    /// Moves what the message at hand needs from `data`, and shows it once it is whole.
    fn hold(&mut self, data: &mut &[u8], length: impl Fn(&[u8]) -> Length, each: &mut impl FnMut(&[u8])) -> bool {
        let total = match length(&self.held) {
            Length::Known(total) => total,
            Length::More if self.held.len() < MAX_MESSAGE => self.held.len() + 1,
            _ => return false,
        };
        let wanted = total.min(MAX_MESSAGE).saturating_sub(self.held.len()).min(data.len());
        let (part, rest) = data.split_at(wanted);
        self.held.extend_from_slice(part);
        *data = rest;
        match length(&self.held) {
            Length::Known(total) if self.held.len() >= total.min(MAX_MESSAGE) => {
                each(&self.held);
                self.skip = (total - self.held.len().min(total)) as u64;
                self.held.clear();
                true
            }
            Length::Bad => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(data: &[u8]) -> Length {
        match data.first_chunk() {
            Some(bytes) => Length::sum(2, u16::from_be_bytes(*bytes)),
            None => Length::More,
        }
    }

    #[test]
    fn messages_do_not_depend_on_how_the_stream_is_cut() {
        let stream = b"\0\x03one\0\0\0\x05three\0\x01x";
        for first in 0..stream.len() {
            for second in first..stream.len() {
                let (mut frames, mut seen) = (Frames::default(), Vec::new());
                for part in [&stream[..first], &stream[first..second], &stream[second..]] {
                    assert!(frames.feed(Direction::Client, part, length, |m| seen.push(m[2..].to_vec())));
                }
                assert_eq!(seen, [&b"one"[..], b"", b"three", b"x"], "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_message_too_long_to_hold_is_passed_over() {
        let long = |data: &[u8]| if data[0] == b'L' { Length::Known(MAX_MESSAGE + 10) } else { Length::Known(1) };
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        assert!(frames.feed(Direction::Server, b"L", |d| if d.is_empty() { Length::More } else { long(d) }, |_| ()));
        let rest = vec![b'L'; MAX_MESSAGE + 9];
        for part in [&rest[..], b"xy"] {
            let tell = |d: &[u8]| if d.is_empty() { Length::More } else { long(d) };
            assert!(frames.feed(Direction::Server, part, tell, |m| seen.push(m.len())));
        }
        assert_eq!(seen, [MAX_MESSAGE, 1, 1]);
    }

    #[test]
    fn a_length_of_nothing_ends_it() {
        assert!(!Frames::default().feed(Direction::Client, b"x", |_| Length::Known(0), |_| ()));
        assert!(!Frames::default().feed(Direction::Client, b"x", |_| Length::Bad, |_| ()));
        assert_eq!(Length::sum(4, u64::MAX), Length::Bad);
    }
}
