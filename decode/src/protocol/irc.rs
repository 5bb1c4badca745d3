//! IRC: nicknames taken and channels joined.

use super::lines::{Line, Lines};
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};
use crate::limits::MAX_MESSAGE;

crate::declare_fields! {
    CHANNEL = Field::set("irc.channel", "irc.channel", Kind::Term, "Channels joined");
    NICK = Field::set("irc.nick", "irc.nick", Kind::Term, "Nicknames");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "irc",
    fields: FIELDS,
    signatures: &[
        Signature::Tcp(0, b":", server),
        Signature::Tcp(0, b"NOTICE AUTH", begin),
        Signature::Tcp(0, b"NICK ", begin),
        Signature::Tcp(0, b"CAP REQ", begin),
        Signature::Tcp(0, b"CAP LS", begin),
        Signature::Tcp(0, b"USER ", user),
    ],
};

fn server(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let line = data.split(|&b| b == b'\n').next().unwrap_or_default();
    let word = line.split(|&b| b == b' ').nth(1).unwrap_or_default();
    if matches!(word, b"NOTICE" | b"001" | b"002" | b"CAP") {
        begin(flow, direction, data);
    }
}

/// FTP and POP3 know USER too, with one argument.
fn user(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let line = data.split(|&b| b == b'\r' || b == b'\n').next().unwrap_or_default();
    if line.split(|&b| b == b' ').count() >= 5 {
        begin(flow, direction, data);
    }
}

fn begin(flow: &mut Flow<'_>, _direction: Direction, _data: &[u8]) {
    if !flow.has_protocol("irc") {
        flow.protocol("irc");
        flow.attach(Box::new(Irc::default()));
    }
}

#[derive(Default)]
struct Irc {
    lines: [Lines; 2],
}

fn message(flow: &mut Flow<'_>, line: &[u8]) {
    let mut words = line.split(|&b| b == b' ');
    let field = match words.next() {
        Some(b"NICK") => &NICK,
        Some(b"JOIN") => &CHANNEL,
        _ => return,
    };
    let argument = words.next().unwrap_or_default();
    flow.fields.bytes(field, argument.strip_prefix(b":").unwrap_or(argument));
}

impl Parser for Irc {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, mut data: &[u8]) -> Status {
        while !data.is_empty() {
            match self.lines[direction as usize].next(&mut data, MAX_MESSAGE) {
                Line::Whole(line) => message(flow, &line),
                Line::Wait => break,
                Line::TooLong => return Status::Done,
            }
        }
        Status::More
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Client, Server};
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn nicks_and_channels_are_the_clients() {
        let mut harness = Harness::new(Transport::Tcp, 6667);
        harness.data(Server, b":irc NOTICE AUTH :***\r\n");
        harness.data(Client, b"NICK me\r\nJO");
        harness.data(Client, b"IN #one,#two key\r\n");
        harness.data(Server, b":me!x@y JOIN #three\r\n");
        assert_eq!(harness.texts(&NICK), ["me"]);
        assert_eq!(harness.texts(&CHANNEL), ["#one,#two"]);
    }
}
