//! Vectors that begin with their own length, as TLS, SSH, QUIC and AMQP write them.

use crate::protocol::reader::Reader;

/// Reads vectors whose length takes `n` bytes, most significant first; `n` is at most 8.
pub trait Vectors<'a> {
    /// A number of `n` bytes.
    fn number(&mut self, n: usize) -> Option<u64>;

    /// The next vector, if all of it is there.
    fn vector(&mut self, n: usize) -> Option<&'a [u8]>;

    /// Like `vector`, but as much as is there when the length says more.
    fn most(&mut self, n: usize) -> &'a [u8];
}

impl<'a> Vectors<'a> for Reader<'a> {
    fn number(&mut self, n: usize) -> Option<u64> {
        Some(self.take(n)?.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
    }

    fn vector(&mut self, n: usize) -> Option<&'a [u8]> {
        let length = self.number(n)?;
        self.take(usize::try_from(length).ok()?)
    }

    fn most(&mut self, n: usize) -> &'a [u8] {
        let length = self.number(n).unwrap_or(0).min(self.left() as u64) as usize;
        self.take(length).unwrap_or_default()
    }
}

/// The 16-bit numbers that `bytes` is made of.
pub fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}
