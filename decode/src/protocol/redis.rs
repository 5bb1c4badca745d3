//! Redis: the commands sent, and who logs on.

use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::UpperTerm;

crate::declare_fields! {
    COMMAND = Field::set("redis.command", "redis.command", UpperTerm, "Commands");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "redis",
    fields: FIELDS,
    signatures: &[
        Signature::Tcp(0, b"*", begin),
        Signature::Tcp(0, b"+PONG\r\n", crate::name_only!("redis")),
        Signature::Tcp(0, b"-NOAUTH ", crate::name_only!("redis")),
    ],
};

/// Bytes of a command's name; the longest has 20.
const MAX_COMMAND: usize = 32;

fn begin(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let mut rest = data;
    if number(&mut rest, b'*').is_some() && rest.starts_with(b"$") && !flow.has_protocol("redis") {
        flow.protocol("redis");
        flow.attach(Box::new(Redis { client: direction }));
    }
}

/// Commands are looked for where a piece of the stream begins with one: values in between may be of any size, and
/// holding them would tell nothing more.
struct Redis {
    client: Direction,
}

/// The number behind `mark`, with its line.
fn number(data: &mut &[u8], mark: u8) -> Option<usize> {
    let rest = data.strip_prefix(&[mark])?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    *data = rest[digits..].strip_prefix(b"\r\n")?;
    Some(value)
}

/// The next string of an array.
fn string<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(data, b'$')?;
    let (text, rest) = data.split_at_checked(length)?;
    *data = rest.strip_prefix(b"\r\n")?;
    Some(text)
}

/// One command, whole.
fn command(flow: &mut Flow<'_>, data: &mut &[u8]) -> Option<()> {
    let count = number(data, b'*').filter(|count| *count > 0)?;
    let name = string(data)?;
    if name.len() > MAX_COMMAND || !name.iter().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    flow.fields.bytes(&COMMAND, name);
    for at in 1..count {
        let value = string(data)?;
        // With a password only, it is the default user.
        if at == 1 && count == 3 && name.eq_ignore_ascii_case(b"auth") {
            flow.user(value);
        }
    }
    Some(())
}

impl Parser for Redis {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, mut data: &[u8]) -> Status {
        if direction == self.client {
            while command(flow, &mut data).is_some() {}
        }
        Status::More
    }

    fn gap(&mut self, _flow: &mut Flow<'_>, _direction: Direction, _bytes: u64) -> Status {
        Status::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Transport, USER};

    const COMMANDS: &[u8] =
        b"*3\r\n$4\r\nAUTH\r\n$3\r\njoe\r\n$3\r\npwd\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n";

    #[test]
    fn commands_in_a_row_are_told_with_the_user() {
        let mut harness = Harness::new(Transport::Tcp, 6379);
        harness.data(Direction::Client, COMMANDS);
        assert_eq!(harness.protocols, ["redis"]);
        assert_eq!(harness.texts(&COMMAND), ["AUTH", "GET", "PING"]);
        assert_eq!(harness.texts(&USER), ["joe"]);
    }

    #[test]
    fn a_cut_anywhere_does_no_harm() {
        for at in 5..COMMANDS.len() {
            let mut harness = Harness::new(Transport::Tcp, 6379);
            harness.data(Direction::Client, &COMMANDS[..at]);
            harness.data(Direction::Client, &COMMANDS[at..]);
            harness.data(Direction::Client, b"*1\r\n$99999999999999999999\r\nx");
            assert_eq!(harness.protocols, ["redis"], "cut at {at}");
        }
    }
}
