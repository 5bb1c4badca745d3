//! Lines out of a TCP stream that comes in pieces of any size; shared by the protocols that speak in lines.

use std::borrow::Cow;

/// Holds the beginning of a line until its end comes.
#[derive(Default)]
pub struct Lines {
    held: Vec<u8>,
}

/// What `Lines::next` found.
pub enum Line<'a> {
    /// A line without its LF or CR LF.
    Whole(Cow<'a, [u8]>),
    /// No end yet; all data was taken.
    Wait,
    /// The line is longer than the limit; it was dropped.
    TooLong,
}

impl Lines {
    /// Takes the next line off `data`; `limit` bounds the bytes of a line.
    pub fn next<'a>(&mut self, data: &mut &'a [u8], limit: usize) -> Line<'a> {
        let Some(at) = data.iter().position(|&b| b == b'\n') else {
            if self.held.len() + data.len() > limit {
                // Taken all the same: a caller that goes on must get further.
                self.held = Vec::new();
                *data = &[];
                return Line::TooLong;
            }
            self.held.extend_from_slice(data);
            *data = &[];
            return Line::Wait;
        };
        let (line, rest) = (&data[..at], data.get(at + 1..).unwrap_or_default());
        *data = rest;
        if self.held.is_empty() {
            return Line::Whole(Cow::Borrowed(line.strip_suffix(b"\r").unwrap_or(line)));
        }
        let mut whole = std::mem::take(&mut self.held);
        if whole.len() + line.len() > limit {
            return Line::TooLong;
        }
        whole.extend_from_slice(line);
        if whole.last() == Some(&b'\r') {
            whole.pop();
        }
        Line::Whole(Cow::Owned(whole))
    }

    /// Forgets the beginning of a line.
    pub fn clear(&mut self) {
        self.held = Vec::new();
    }

    /// Takes the beginning of a line that never ended.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Lines};

    fn all(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            let mut data = *piece;
            while !data.is_empty() {
                match lines.next(&mut data, 10) {
                    Line::Whole(line) => found.push(String::from_utf8_lossy(&line).into_owned()),
                    Line::Wait => {}
                    Line::TooLong => return vec!["too long".into()],
                }
            }
        }
        found
    }

    #[test]
    fn lines_do_not_depend_on_how_the_stream_is_cut() {
        let text: &[u8] = b"one\r\n\r\ntwo\nthree\r\n";
        for at in 0..text.len() {
            let (a, b) = text.split_at(at);
            assert_eq!(all(&[a, b]), ["one", "", "two", "three"], "cut at {at}");
        }
        assert_eq!(all(&[b"0123456", b"789abc\n"]), ["too long"]);
    }
}
