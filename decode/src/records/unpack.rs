//! Reading msgpack from strangers: nothing is believed, nothing is allocated for a length that is not there.

use std::io;

/// A value as it stands, without what arrays and maps hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    Int(i64),
    Flag(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
    Array(usize),
    Map(usize),
}

/// Takes tokens off a slice.
pub struct Unpacker<'a> {
    rest: &'a [u8],
}

pub fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a records file: {why}"))
}

impl<'a> Unpacker<'a> {
    pub fn new(bytes: &'a [u8]) -> Unpacker<'a> {
        Unpacker { rest: bytes }
    }

    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| damaged("an item is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, length: usize) -> io::Result<u64> {
        Ok(self.take(length)?.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)))
    }

    /// Every element takes a byte at least, so no count may be over what is left.
    fn count(&mut self, count: usize, each: usize) -> io::Result<usize> {
        if count.saturating_mul(each) > self.rest.len() {
            return Err(damaged("a count is over what is there"));
        }
        Ok(count)
    }

    fn string(&mut self, length: usize) -> io::Result<Token<'a>> {
        std::str::from_utf8(self.take(length)?).map(Token::Text).map_err(|_| damaged("a text is not UTF-8"))
    }

    pub fn next(&mut self) -> io::Result<Token<'a>> {
        let tag = self.take(1)?[0];
        Ok(match tag {
            0..=0x7f => Token::Int(i64::from(tag)),
            0x80..=0x8f => Token::Map(self.count(usize::from(tag & 15), 2)?),
            0x90..=0x9f => Token::Array(self.count(usize::from(tag & 15), 1)?),
            0xa0..=0xbf => self.string(usize::from(tag & 31))?,
            0xc2 | 0xc3 => Token::Flag(tag == 0xc3),
            0xc4 => {
                let length = self.number(1)? as usize;
                Token::Bytes(self.take(length)?)
            }
            0xcc => Token::Int(self.number(1)? as i64),
            0xcd => Token::Int(self.number(2)? as i64),
            0xce => Token::Int(self.number(4)? as i64),
            0xcf => Token::Int(i64::try_from(self.number(8)?).map_err(|_| damaged("a number is too large"))?),
            0xd0 => Token::Int(i64::from(self.number(1)? as i8)),
            0xd1 => Token::Int(i64::from(self.number(2)? as i16)),
            0xd2 => Token::Int(i64::from(self.number(4)? as i32)),
            0xd3 => Token::Int(self.number(8)? as i64),
            0xd9 => {
                let length = self.number(1)? as usize;
                self.string(length)?
            }
            0xda => {
                let length = self.number(2)? as usize;
                self.string(length)?
            }
            0xdb => {
                let length = self.number(4)? as usize;
                self.string(length)?
            }
            0xdc => {
                let count = self.number(2)? as usize;
                Token::Array(self.count(count, 1)?)
            }
            0xdd => {
                let count = self.number(4)? as usize;
                Token::Array(self.count(count, 1)?)
            }
            0xde => {
                let count = self.number(2)? as usize;
                Token::Map(self.count(count, 2)?)
            }
            0xe0..=0xff => Token::Int(i64::from(tag as i8)),
            _ => return Err(damaged("a value of an unknown kind")),
        })
    }

    pub fn int(&mut self) -> io::Result<i64> {
        match self.next()? {
            Token::Int(value) => Ok(value),
            _ => Err(damaged("no number where one belongs")),
        }
    }

    pub fn text(&mut self) -> io::Result<&'a str> {
        match self.next()? {
            Token::Text(value) => Ok(value),
            _ => Err(damaged("no text where one belongs")),
        }
    }

    pub fn array(&mut self) -> io::Result<usize> {
        match self.next()? {
            Token::Array(count) => Ok(count),
            _ => Err(damaged("no list where one belongs")),
        }
    }

    pub fn map(&mut self) -> io::Result<usize> {
        match self.next()? {
            Token::Map(count) => Ok(count),
            _ => Err(damaged("no map where one belongs")),
        }
    }

    /// Passes over one value, whatever it holds, without recursion.
    pub fn skip(&mut self) -> io::Result<()> {
        let mut left = 1usize;
        while left > 0 {
            left -= 1;
            left += match self.next()? {
                Token::Array(count) => count,
                Token::Map(count) => 2 * count,
                _ => 0,
            };
        }
        Ok(())
    }
}
