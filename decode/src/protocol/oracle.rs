//! Oracle's TNS: the service, host and user that a connect string names.

use super::frames::{Frames, Length};
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::LowerTerm;

crate::declare_fields! {
    HOST = Field::one("oracle.host", "oracle.host", LowerTerm, "Host");
    SERVICE = Field::one("oracle.service", "oracle.service", LowerTerm, "Service");
    USER = Field::one("oracle.user", "oracle.user", LowerTerm, "User");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "oracle", fields: FIELDS, signatures: &[Signature::Tcp(2, b"\0\0\x01\0", begin)] };

/// Shortest connect message: its head and the fields before the string.
const CONNECT: usize = 34;

fn begin(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let named =
        data.windows(13).any(|w| w.eq_ignore_ascii_case(b"(DESCRIPTION=") || w.eq_ignore_ascii_case(b"(CONNECT_DATA"));
    let plausible = matches!(length(data), Length::Known(total) if total >= CONNECT);
    if plausible && (named || flow.ends.port(1521)) && !flow.has_protocol("oracle") {
        flow.protocol("oracle");
        flow.attach(Box::new(Oracle { client: direction, frames: Frames::default() }));
    }
}

fn length(data: &[u8]) -> Length {
    match data.first_chunk() {
        Some(bytes) if u16::from_be_bytes(*bytes) >= 8 => Length::Known(u16::from_be_bytes(*bytes).into()),
        Some(_) => Length::Bad,
        None => Length::More,
    }
}

/// What `(NAME=value)` in a connect string says.
fn value<'a>(data: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = data.windows(name.len()).position(|window| window.eq_ignore_ascii_case(name))?;
    let rest = data.get(at + name.len()..)?;
    rest.split(|&b| b == b')').next().filter(|value| !value.contains(&b'('))
}

struct Oracle {
    client: Direction,
    frames: Frames,
}

impl Parser for Oracle {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if direction != self.client {
            return Status::More;
        }
        let good = self.frames.feed(direction, data, length, |data| {
            for (field, names) in
                [(&HOST, &[&b"(HOST="[..]][..]), (&SERVICE, &[b"(SERVICE_NAME=", b"(SID="]), (&USER, &[b"(USER="])]
            {
                if let Some(text) = names.iter().find_map(|name| value(data, name)) {
                    flow.fields.bytes(field, text);
                }
            }
        });
        if good { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::Client;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn a_connect_string_is_read_however_it_is_cut() {
        let text = b"(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=ORCL)(CID=(HOST=Pc)(USER=joe))))";
        let mut connect = vec![0, (58 + text.len()) as u8, 0, 0, 1, 0];
        connect.resize(58, 0);
        connect.extend(text);
        for cut in 6..connect.len() {
            let mut harness = Harness::new(Transport::Tcp, 1521);
            harness.data(Client, &connect[..cut]);
            harness.data(Client, &connect[cut..]);
            assert_eq!(harness.texts(&SERVICE), ["orcl"], "cut at {cut}");
            assert_eq!(harness.texts(&HOST), ["pc"]);
            assert_eq!(harness.texts(&USER), ["joe"]);
        }
    }
}
