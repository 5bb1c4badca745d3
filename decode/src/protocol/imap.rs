//! IMAP: who logs on, the folders opened, and the heads of the messages fetched.

use super::lines::{Line, Lines};
use super::mail::header::{self, Header};
use super::mail::{DESTINATION, FOLDER, SOURCE, address};
use super::sasl::Sasl;
use super::upgrade::Upgrade;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::limits::MAX_MESSAGE;

pub static PROTOCOL: Protocol = Protocol {
    name: "imap",
    fields: &[],
    signatures: &[Signature::Tcp(0, b"* OK ", server), Signature::Tcp(0, b"* PREAUTH ", server)],
};

fn server(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let says = data.windows(4).any(|word| word.eq_ignore_ascii_case(b"imap"));
    if (says || flow.ends.port(143)) && !flow.has_protocol("imap") {
        flow.protocol("imap");
        flow.attach(Box::new(Imap::new(direction.opposite())));
    }
}

struct Imap {
    client: Direction,
    lines: [Lines; 2],
    sasl: Option<Sasl>,
    tls: Option<Upgrade>,
    literal: Literal,
}

/// Bytes that the server announced with `{n}`.
#[derive(Default)]
struct Literal {
    left: u64,
    lines: Lines,
    /// The head of a message, until its end.
    header: Option<Header>,
}

/// The argument at the front, quoted or not.
fn argument(text: &[u8]) -> &[u8] {
    match text.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|&b| b == b'"').next().unwrap_or(quoted),
        None => text.split(|&b| b == b' ').next().unwrap_or(text),
    }
}

fn write(flow: &mut Flow<'_>, (name, value): &header::Pair) {
    match &name[..] {
        b"from" => address::list(flow, &SOURCE, value),
        b"to" | b"cc" => address::list(flow, &DESTINATION, value),
        b"subject" => header::subject(flow, value),
        _ => {}
    }
}

impl Literal {
    fn data(&mut self, flow: &mut Flow<'_>, data: &mut &[u8]) {
        let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(data.len());
        let (mut part, rest) = data.split_at(take);
        *data = rest;
        self.left -= take as u64;
        while let (Some(header), false) = (&mut self.header, part.is_empty()) {
            let Line::Whole(line) = self.lines.next(&mut part, MAX_MESSAGE) else { break };
            let pair = if line.is_empty() { header.take() } else { header.line(&line) };
            if line.is_empty() {
                self.header = None;
            }
            if let Some(pair) = pair {
                write(flow, &pair);
            }
        }
        if self.left == 0 {
            if let Some(pair) = self.header.take().and_then(|mut header| header.take()) {
                write(flow, &pair);
            }
            self.lines.clear();
        }
    }
}

impl Imap {
    fn new(client: Direction) -> Imap {
        Imap { client, lines: Default::default(), sasl: None, tls: None, literal: Literal::default() }
    }

    fn command(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        if let Some(sasl) = self.sasl {
            self.sasl = sasl.client(flow, line);
            return;
        }
        let mut words = line.splitn(3, |&b| b == b' ').skip(1);
        let command = words.next().unwrap_or_default().to_ascii_uppercase();
        let rest = words.next().unwrap_or_default();
        match &command[..] {
            b"LOGIN" => flow.user(argument(rest)),
            b"SELECT" | b"EXAMINE" => flow.fields.bytes(&FOLDER, argument(rest)),
            b"STARTTLS" => self.tls = Some(Upgrade::default()),
            b"AUTHENTICATE" => {
                let mut words = rest.split(|&b| b == b' ');
                let sasl = Sasl::new(words.next().unwrap_or_default());
                self.sasl = match words.next() {
                    Some(first) => sasl.client(flow, first),
                    None => Some(sasl),
                };
            }
            _ => {}
        }
    }

    fn answer(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        if let Some(sasl) = self.sasl {
            match line.strip_prefix(b"+") {
                Some(challenge) => sasl.server(flow, challenge),
                None => self.sasl = None,
            }
        }
        let Some(open) = line.strip_suffix(b"}").and_then(|l| l.iter().rposition(|&b| b == b'{')) else { return };
        let digits = line.get(open + 1..line.len() - 1).and_then(|d| std::str::from_utf8(d).ok());
        self.literal.left = digits.and_then(|d| d.trim_end_matches('+').parse().ok()).unwrap_or(0);
        let says = |word: &[u8]| line.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
        let message = says(b"BODY[HEADER") || says(b"BODY[]") || says(b"RFC822");
        self.literal.header = message.then(Header::default);
    }
}

impl Parser for Imap {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, mut data: &[u8]) -> Status {
        if let Some(status) = self.tls.as_mut().and_then(|tls| tls.tls(flow, direction, data)) {
            return status;
        }
        while !data.is_empty() {
            if self.literal.left > 0 && direction != self.client {
                self.literal.data(flow, &mut data);
                continue;
            }
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
    use crate::protocol::mail::SUBJECT;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Transport, USER};

    const FETCHED: &[u8] =
        b"* 1 FETCH (BODY[HEADER] {40}\r\nFrom: a@b\r\nSubject: x\r\n\r\nTo: body@not\r\n)\r\na3 OK\r\n";

    #[test]
    fn heads_of_messages_do_not_depend_on_how_the_stream_is_cut() {
        for cut in 0..FETCHED.len() {
            let mut harness = Harness::new(Transport::Tcp, 143);
            harness.data(Server, b"* OK IMAP4rev1\r\n");
            harness.data(Client, b"a1 LOGIN \"Joe\" pw\r\na2 SELECT \"In box\"\r\na3 FETCH 1 BODY[HEADER]\r\n");
            harness.data(Server, &FETCHED[..cut]);
            harness.data(Server, &FETCHED[cut..]);
            assert_eq!(harness.texts(&USER), ["joe"]);
            assert_eq!(harness.texts(&FOLDER), ["In box"]);
            assert_eq!(harness.texts(&SOURCE), ["a@b"], "cut at {cut}");
            assert_eq!(harness.texts(&SUBJECT), ["x"], "cut at {cut}");
            assert!(harness.texts(&DESTINATION).is_empty());
        }
    }
}
