//! SMTP: who sends what to whom, who logs on, the messages themselves, and what comes after STARTTLS.

use super::lines::{Line, Lines};
use super::mail::{self, Message};
use super::sasl::Sasl;
use super::upgrade::Upgrade;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::limits::MAX_MESSAGE;

pub static PROTOCOL: Protocol = Protocol {
    name: "smtp",
    fields: &[],
    signatures: &[
        Signature::Tcp(0, b"HELO ", client),
        Signature::Tcp(0, b"EHLO ", client),
        Signature::Tcp(0, b"LHLO ", client),
        Signature::Tcp(0, b"MAIL FROM:", client),
        Signature::Tcp(0, b"220 ", server),
        Signature::Tcp(0, b"220-", server),
    ],
};

fn client(flow: &mut Flow<'_>, direction: Direction, _data: &[u8]) {
    begin(flow, direction);
}

fn server(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    if data.windows(4).any(|word| word.eq_ignore_ascii_case(b"smtp")) {
        begin(flow, direction.opposite());
    }
}

fn begin(flow: &mut Flow<'_>, client: Direction) {
    if !flow.has_protocol("smtp") {
        flow.protocol("smtp");
        flow.attach(Box::new(Smtp { client: client as usize, ..Smtp::default() }));
    }
}

/// What the client's next bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Command,
    /// An answer in an AUTH exchange.
    Auth(Sasl),
    /// A message up to a line with a dot.
    Data,
    /// This many bytes of a message (BDAT); `true`: the last ones.
    Chunk(u64, bool),
    /// After STARTTLS: TLS, or, when somebody decrypted it, SMTP again.
    Tls,
}

#[derive(Default)]
struct Smtp {
    client: usize,
    state: State,
    lines: [Lines; 2],
    /// Lines of chunks, whose ends need not be ends of lines.
    chunk_lines: Lines,
    message: Message,
    upgrade: Upgrade,
}

impl Smtp {
    fn client_line(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        match self.state {
            State::Command => self.command(flow, line),
            State::Auth(auth) => self.auth(flow, auth, line),
            State::Data if line == b"." => self.message_end(flow),
            State::Data => self.message.line(flow, line.strip_prefix(b".").unwrap_or(line)),
            State::Chunk(..) => self.message.line(flow, line),
            State::Tls => {}
        }
    }

    fn command(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        let begins = |word: &[u8]| line.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        let rest = |word: &[u8]| line.get(word.len()..).unwrap_or_default().trim_ascii();
        if begins(b"HELO ") || begins(b"EHLO ") || begins(b"LHLO ") {
            flow.fields.bytes(&mail::HELLO, rest(b"HELO "));
        } else if begins(b"MAIL FROM:") {
            flow.fields.bytes(&mail::SOURCE, path(rest(b"MAIL FROM:")));
        } else if begins(b"RCPT TO:") {
            flow.fields.bytes(&mail::DESTINATION, path(rest(b"RCPT TO:")));
        } else if begins(b"DATA") && rest(b"DATA").is_empty() {
            self.state = State::Data;
        } else if begins(b"BDAT ") {
            self.chunk(flow, rest(b"BDAT "));
        } else if begins(b"AUTH ") {
            self.begin_auth(flow, rest(b"AUTH "));
        } else if begins(b"STARTTLS") {
            self.state = State::Tls;
        } else if begins(b"RSET") {
            self.message = Message::default();
        }
    }

    fn chunk(&mut self, flow: &mut Flow<'_>, arguments: &[u8]) {
        let mut words = arguments.split(|&b| b == b' ').filter(|w| !w.is_empty());
        let size = words.next().and_then(|w| std::str::from_utf8(w).ok()).and_then(|w| w.parse().ok());
        let last = words.next().is_some_and(|w| w.eq_ignore_ascii_case(b"LAST"));
        match size {
            Some(0) if last => self.message_end(flow),
            Some(0) | None => {}
            Some(size) => self.state = State::Chunk(size, last),
        }
    }

    fn begin_auth(&mut self, flow: &mut Flow<'_>, arguments: &[u8]) {
        let mut words = arguments.splitn(2, |&b| b == b' ');
        let sasl = Sasl::new(words.next().unwrap_or_default());
        self.state = State::Auth(sasl);
        if let Some(first) = words.next() {
            self.auth(flow, sasl, first);
        }
    }

    fn auth(&mut self, flow: &mut Flow<'_>, sasl: Sasl, line: &[u8]) {
        self.state = sasl.client(flow, line).map_or(State::Command, State::Auth);
    }

    fn message_end(&mut self, flow: &mut Flow<'_>) {
        std::mem::take(&mut self.message).end(flow);
        self.state = State::Command;
    }

    fn server_line(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        match (self.state, line.first_chunk::<3>()) {
            (State::Auth(sasl), Some(b"334")) => sasl.server(flow, &line[3..]),
            // The exchange is over, as the server sees it.
            (State::Auth(_), Some([b'2' | b'4' | b'5', _, _])) => self.state = State::Command,
            (State::Tls, Some([b'4' | b'5', _, _])) => self.state = State::Command,
            _ => {}
        }
    }

    /// A chunk of BDAT: exactly that many bytes, which need not end with a line.
    fn chunk_data(&mut self, flow: &mut Flow<'_>, data: &mut &[u8], left: u64, last: bool) {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        let (mut part, rest) = data.split_at(take);
        *data = rest;
        while let Line::Whole(line) = self.chunk_lines.next(&mut part, MAX_MESSAGE) {
            self.message.line(flow, &line);
        }
        let left = left - take as u64;
        self.state = State::Chunk(left, last);
        if left == 0 {
            self.state = State::Command;
            if last {
                let held = self.chunk_lines.take();
                if !held.is_empty() {
                    self.message.line(flow, &held);
                }
                self.message_end(flow);
            }
        }
    }
}

fn path(text: &[u8]) -> &[u8] {
    match text.strip_prefix(b"<") {
        Some(inner) => inner.split(|&b| b == b'>').next().unwrap_or(inner),
        None => text.split(|&b| b == b' ').next().unwrap_or(text),
    }
}

impl Parser for Smtp {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, mut data: &[u8]) -> Status {
        let at = direction as usize;
        if self.state == State::Tls
            && let Some(status) = self.upgrade.tls(flow, direction, data)
        {
            return status;
        }
        while !data.is_empty() {
            match self.state {
                State::Chunk(left, last) if at == self.client => {
                    self.chunk_data(flow, &mut data, left, last);
                    continue;
                }
                // No TLS came: somebody decrypted the traffic.
                State::Tls if at == self.client => self.state = State::Command,
                _ => {}
            }
            match self.lines[at].next(&mut data, MAX_MESSAGE) {
                Line::Whole(line) if at == self.client => self.client_line(flow, &line),
                Line::Whole(line) => self.server_line(flow, &line),
                Line::Wait => break,
                Line::TooLong => flow.anomaly("smtp-line-too-long"),
            }
        }
        Status::More
    }

    fn finish(&mut self, flow: &mut Flow<'_>) {
        if matches!(self.state, State::Data | State::Chunk(..)) {
            self.message.end(flow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Client, Server};
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Transport, USER};

    const SENT: &[u8] = b"EHLO Me.example\r\nAUTH LOGIN\r\nam9l\r\ncGFzcw==\r\nMAIL FROM:<A@b> SIZE=1\r\n\
        RCPT TO:<c@d>\r\nDATA\r\nSubject: one\r\n\r\n..dot\r\n.\r\nBDAT 15\r\nSubject: two\r\n\rBDAT 3 LAST\r\n\nXXQUIT\r\n";

    #[test]
    fn a_dialogue_does_not_depend_on_how_the_stream_is_cut() {
        for cut in 10..SENT.len() {
            let mut harness = Harness::new(Transport::Tcp, 25);
            harness.data(Server, b"220 mail.example ESMTP\r\n");
            harness.data(Client, &SENT[..cut]);
            harness.data(Client, &SENT[cut..]);
            harness.finish();
            assert_eq!(harness.texts(&mail::HELLO), ["me.example"], "cut at {cut}");
            assert_eq!(harness.texts(&USER), ["joe"]);
            assert_eq!(harness.texts(&mail::SOURCE), ["a@b"]);
            assert_eq!(harness.texts(&mail::DESTINATION), ["c@d"]);
            assert_eq!(harness.texts(&mail::SUBJECT), ["one", "two"]);
        }
    }

    #[test]
    fn after_starttls_comes_tls_or_decrypted_mail() {
        let mut harness = Harness::new(Transport::Tcp, 25);
        harness.data(Client, b"EHLO a\r\n");
        harness.data(Client, b"STARTTLS\r\n");
        harness.data(Server, b"220 go\r\n");
        harness.data(Client, b"EHLO b\r\nMAIL FROM:<x@y>\r\n");
        assert_eq!(harness.texts(&mail::HELLO), ["a", "b"]);
        assert_eq!(harness.texts(&mail::SOURCE), ["x@y"]);
    }

    #[test]
    fn hostile_bytes_never_panic() {
        let mut harness = Harness::new(Transport::Tcp, 25);
        harness.data(Client, b"EHLO a\r\nDATA\r\nContent-Type: x; boundary=a\r\n\r\n--a\r\n");
        let noise: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        harness.data(Client, &noise);
        harness.data(Client, &[b'a'; 70_000]);
        harness.finish();
    }
}
