//! DER as it comes: elements are read one by one, so that a certificate broken in one place still tells the rest.

use crate::protocol::reader::Reader;
use crate::protocol::tls::vectors::Vectors;

pub const INTEGER: u8 = 0x02;
pub const OID: u8 = 0x06;
pub const BMP_STRING: u8 = 0x1e;
pub const UTC_TIME: u8 = 0x17;
pub const GENERALIZED_TIME: u8 = 0x18;

/// The next element: its tag and contents. None when it is not whole.
pub fn next<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let tag = reader.u8()?;
    if tag & 0x1f == 0x1f {
        return None; // no certificate has such tags
    }
    let length = match reader.u8()? {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => usize::try_from(reader.number(usize::from(long & 0x7f))?).ok()?,
        _ => return None,
    };
    Some((tag, reader.take(length)?))
}

/// The contents of the next element.
pub fn enter<'a>(reader: &mut Reader<'a>) -> Option<Reader<'a>> {
    next(reader).map(|(_, body)| Reader::new(body))
}

/// Every element of `body`, up to the first that is broken.
pub fn elements(body: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut reader = Reader::new(body);
    std::iter::from_fn(move || next(&mut reader))
}

/// A time's milliseconds since 1970; offsets from UTC, which DER forbids, are understood.
pub fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let (year, rest) = match tag {
        UTC_TIME => {
            let (digits, rest) = text.split_at_checked(2)?;
            let year = number(digits)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (digits, rest) = text.split_at_checked(4)?;
            (number(digits)?, rest)
        }
        _ => return None,
    };
    let mut fields = [1, 1, 0, 0, 0];
    let mut rest = rest;
    for field in &mut fields {
        match rest.split_at_checked(2).and_then(|(digits, tail)| Some((number(digits)?, tail))) {
            Some((value, tail)) => (*field, rest) = (value, tail),
            None => break,
        }
    }
    let [month, day, hour, minute, second] = fields;
    let days = days_since_1970(year, month, day)?;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some((seconds - offset(rest)) * 1000)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, d| d.is_ascii_digit().then(|| sum * 10 + i64::from(d - b'0')))
}

/// Seconds that a local time is ahead of UTC.
fn offset(mut rest: &[u8]) -> i64 {
    if let [b'.', tail @ ..] = rest {
        rest = tail.trim_ascii_start();
        while let [b'0'..=b'9', tail @ ..] = rest {
            rest = tail;
        }
    }
    let (sign, digits) = match rest {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return 0,
    };
    let part = |range: std::ops::Range<usize>| digits.get(range).and_then(number).unwrap_or(0);
    sign * (part(0..2) * 60 + part(2..4)) * 60
}

/// Days from 1 January 1970 of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_forms_and_with_offsets() {
        assert_eq!(time(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, b"491231235959Z"), Some(2_524_607_999_000));
        assert_eq!(time(UTC_TIME, b"500101000000Z"), Some(-631_152_000_000));
        assert_eq!(time(GENERALIZED_TIME, b"20000229120000Z"), Some(951_825_600_000));
        assert_eq!(time(GENERALIZED_TIME, b"20000229120000.5+0130"), Some(951_820_200_000));
        assert_eq!(time(UTC_TIME, b"7001010000Z"), Some(0));
        assert_eq!(time(UTC_TIME, b"700001000000Z"), None);
        assert_eq!(time(UTC_TIME, b"x"), None);
        assert_eq!(time(4, b"700101000000Z"), None);
    }

    #[test]
    fn an_element_longer_than_its_bytes_is_none() {
        assert_eq!(next(&mut Reader::new(&[0x30, 0x03, 1, 2])), None);
        assert_eq!(next(&mut Reader::new(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0])), None);
        assert_eq!(next(&mut Reader::new(&[0x04, 0x81, 0x01, 7])), Some((4, &[7][..])));
    }
}
