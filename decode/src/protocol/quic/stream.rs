//! The handshake's bytes, whose pieces clients send in any order over several packets.

use crate::limits::MAX_MESSAGE;

/// Pieces apart from each other; clients that scramble their hello make a few dozen.
const MAX_PIECES: usize = 256;

/// What has come, and from where to where.
#[derive(Default)]
pub struct Stream {
    bytes: Vec<u8>,
    /// Runs that are there, in order, none touching another.
    runs: Vec<(usize, usize)>,
}

impl Stream {
    /// Adds a piece; false if it is past what we hold.
    pub fn add(&mut self, offset: usize, piece: &[u8]) -> bool {
        let Some(end) = offset.checked_add(piece.len()).filter(|end| *end <= MAX_MESSAGE) else { return false };
        if self.runs.len() >= MAX_PIECES {
            return false;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(place) = self.bytes.get_mut(offset..end) {
            place.copy_from_slice(piece);
        }
        let (mut start, mut stop) = (offset, end);
        self.runs.retain(|&(a, b)| {
            let apart = b < start || stop < a;
            if !apart {
                (start, stop) = (start.min(a), stop.max(b));
            }
            apart
        });
        let at = self.runs.partition_point(|run| run.0 < start);
        self.runs.insert(at, (start, stop));
        true
    }

    /// What is there without a hole from the beginning.
    pub fn head(&self) -> &[u8] {
        match self.runs.first() {
            Some(&(0, end)) => self.bytes.get(..end).unwrap_or_default(),
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_make_the_whole() {
        let mut stream = Stream::default();
        for (offset, piece) in [(6, "gh"), (2, "cd"), (3, "def"), (0, "ab")] {
            assert!(stream.head().is_empty());
            assert!(stream.add(offset, piece.as_bytes()));
        }
        assert_eq!(stream.head(), b"abcdefgh");
        assert_eq!(stream.runs, [(0, 8)]);
    }

    #[test]
    fn far_and_many_pieces_are_refused() {
        let mut stream = Stream::default();
        assert!(!stream.add(usize::MAX, b"a"));
        assert!(!stream.add(MAX_MESSAGE, b"a"));
        assert!((0..MAX_PIECES).all(|i| stream.add(2 * i, b"a")));
        assert!(!stream.add(3 * MAX_PIECES, b"a"));
    }
}
