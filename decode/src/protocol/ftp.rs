//! FTP's control connection: who logs on, the commands, the files named.

use super::lines::{Line, Lines};
use super::upgrade::Upgrade;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};
use crate::limits::MAX_MESSAGE;

use Kind::{Integer, Term, UpperTerm};

crate::declare_fields! {
    BANNER = Field::set("ftp.banner", "ftp.banner", Term, "Greetings of the server");
    COMMAND = Field::set("ftp.command", "ftp.command", UpperTerm, "Commands");
    FILE = Field::set("ftp.filename", "ftp.filename", Term, "Names of files");
    CODE = Field::set("ftp.responseCode", "ftp.responseCode", Integer, "Codes of answers");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "ftp",
    fields: FIELDS,
    signatures: &[
        Signature::Tcp(0, b"220 ", server),
        Signature::Tcp(0, b"220-", server),
        Signature::Tcp(0, b"USER ", client),
    ],
};

/// Commands whose argument is a file's name.
static WITH_FILE: &[&[u8]] =
    &[b"RETR", b"STOR", b"STOU", b"APPE", b"DELE", b"RNFR", b"RNTO", b"SIZE", b"MDTM", b"MLST"];

fn server(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let says = |word: &[u8]| data.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
    if (says(b"ftp") || flow.ends.port(21)) && !says(b"smtp") {
        begin(flow, direction.opposite());
    }
}

fn client(flow: &mut Flow<'_>, direction: Direction, _data: &[u8]) {
    if flow.ends.port(21) {
        begin(flow, direction);
    }
}

fn begin(flow: &mut Flow<'_>, client: Direction) {
    if !flow.has_protocol("ftp") {
        flow.protocol("ftp");
        flow.attach(Box::new(Ftp { client, lines: Default::default(), greeted: false, tls: None }));
    }
}

struct Ftp {
    client: Direction,
    lines: [Lines; 2],
    greeted: bool,
    /// After AUTH TLS: the TLS that follows; anything else goes on as commands.
    tls: Option<Upgrade>,
}

impl Ftp {
    fn command(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        let mut words = line.splitn(2, |&b| b == b' ');
        let command = words.next().unwrap_or_default();
        let argument = words.next().unwrap_or_default();
        if !(3..=4).contains(&command.len()) || !command.iter().all(u8::is_ascii_alphabetic) {
            return;
        }
        flow.fields.bytes(&COMMAND, command);
        if command.eq_ignore_ascii_case(b"USER") {
            flow.user(argument.trim_ascii());
        } else if command.eq_ignore_ascii_case(b"AUTH") {
            self.tls = Some(Upgrade::default());
        } else if WITH_FILE.iter().any(|known| known.eq_ignore_ascii_case(command)) {
            flow.fields.bytes(&FILE, argument);
        }
    }

    fn answer(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        let Some((code, rest)) = line.split_at_checked(3) else { return };
        let Some(number) = std::str::from_utf8(code).ok().and_then(|c| c.parse::<u16>().ok()) else { return };
        if !(100..700).contains(&number) || !matches!(rest.first(), None | Some(b' ' | b'-')) {
            return;
        }
        flow.fields.int(&CODE, number.into());
        if number == 220 && !std::mem::replace(&mut self.greeted, true) {
            flow.fields.bytes(&BANNER, rest.get(1..).unwrap_or_default().trim_ascii());
        }
    }
}

impl Parser for Ftp {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, mut data: &[u8]) -> Status {
        if let Some(status) = self.tls.as_mut().and_then(|tls| tls.tls(flow, direction, data)) {
            return status;
        }
        while !data.is_empty() {
            match self.lines[direction as usize].next(&mut data, MAX_MESSAGE) {
                Line::Whole(line) if direction == self.client => self.command(flow, &line),
                Line::Whole(line) => self.answer(flow, &line),
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
    use crate::protocol::testing::Harness;
    use crate::protocol::{Transport, USER};

    #[test]
    fn a_dialogue_tells_user_commands_and_files() {
        let mut harness = Harness::new(Transport::Tcp, 21);
        harness.data(Server, b"220 Welcome.\r\n220 again\r\n");
        harness.data(Client, b"USER Joe\r\npass x\r\nRETR a b.txt\r\n");
        harness.data(Server, b"331 go\r\n23");
        harness.data(Server, b"0 in\r\n150-x\r\n junk\r\n");
        assert_eq!(harness.texts(&BANNER), ["Welcome."]);
        assert_eq!(harness.texts(&COMMAND), ["USER", "PASS", "RETR"]);
        assert_eq!(harness.texts(&FILE), ["a b.txt"]);
        assert_eq!(harness.texts(&USER), ["joe"]);
        assert_eq!(harness.ints(&CODE), [220, 331, 230, 150]);
    }
}
