//! TDS, spoken by Sybase and Microsoft's SQL Server: who logs on.

use super::frames::{Frames, Length};
use super::ntlm::{self, utf16le};
use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};

pub static PROTOCOL: Protocol = Protocol {
    name: "tds",
    fields: &[],
    signatures: &[
        Signature::Tcp(0, b"\x02", begin),
        Signature::Tcp(0, b"\x10\x01", begin),
        Signature::Tcp(0, b"\x12\x01", begin),
    ],
};

const HEADER: usize = 8;
const LOGIN: u8 = 2;
const ANSWER: u8 = 4;
const LOGIN7: u8 = 0x10;
const SSPI: u8 = 0x11;
/// Bytes of a name in a login of version 5, before its length.
const NAME: usize = 30;
/// Where a login of version 7 tells the offset and length of the user's name.
const USER7: usize = HEADER + 40;

fn begin(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    // Channel and window are zero, packets count from zero or one.
    let sane = matches!(data.get(1..8), Some(&[0 | 1, _, _, 0, 0, 0 | 1, 0]));
    let Length::Known(total) = length(data) else { return };
    let fits = total == data.len() || (data[0] == LOGIN && (total == 512 || flow.ends.port(1433)));
    if sane && fits && !flow.has_protocol("tds") {
        flow.protocol("tds");
        flow.attach(Box::new(Tds { client: direction, frames: Frames::default() }));
    }
}

fn length(data: &[u8]) -> Length {
    match data.first_chunk::<4>() {
        None => Length::More,
        Some(&[kind, status, a, b]) if kind <= 0x17 && status <= 0x0f => match u16::from_be_bytes([a, b]) {
            total if usize::from(total) >= HEADER => Length::Known(total.into()),
            _ => Length::Bad,
        },
        Some(_) => Length::Bad,
    }
}

struct Tds {
    client: Direction,
    frames: Frames,
}

fn packet(flow: &mut Flow<'_>, data: &[u8], client: bool) -> Option<()> {
    match *data.first()? {
        LOGIN if client => {
            let field = data.get(HEADER + NAME + 1..)?.get(..NAME + 1)?;
            let (name, length) = field.split_at(NAME);
            flow.user(name.get(..usize::from(*length.first()?))?);
        }
        LOGIN7 if client => {
            let mut reader = Reader::at(data, USER7);
            let (offset, length) = (u16::from_le_bytes(reader.array()?), u16::from_le_bytes(reader.array()?));
            let name = data.get(HEADER + usize::from(offset)..)?.get(..2 * usize::from(length))?;
            flow.user(utf16le(name).as_bytes());
            ntlm::find(flow, data);
        }
        SSPI | ANSWER => drop(ntlm::find(flow, data)),
        _ => {}
    }
    Some(())
}

impl Parser for Tds {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let client = direction == self.client;
        let good = self.frames.feed(direction, data, length, |data| {
            packet(flow, data, client);
        });
        if good { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::Client;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Transport, USER};

    #[test]
    fn a_login_of_version_5_tells_the_user_however_it_is_cut() {
        let mut login = b"\x02\0\x02\0\0\0\0\0".to_vec();
        login.resize(HEADER + NAME + 1, 0);
        login.extend(b"Joe");
        login.resize(HEADER + 2 * NAME + 1, 0);
        login.push(3);
        login.resize(512, 0);
        for cut in 8..login.len() {
            let mut harness = Harness::new(Transport::Tcp, 3106);
            harness.data(Client, &login[..cut]);
            harness.data(Client, &login[cut..]);
            assert_eq!(harness.texts(&USER), ["joe"], "cut at {cut}");
        }
    }
}
