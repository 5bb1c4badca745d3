//! POP3: who logs on; after STLS, TLS.

use super::lines::{Line, Lines};
use super::sasl::Sasl;
use super::upgrade::Upgrade;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::limits::MAX_MESSAGE;

pub static PROTOCOL: Protocol =
    Protocol { name: "pop3", fields: &[], signatures: &[Signature::Tcp(0, b"+OK", server)] };

fn server(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let says = data.windows(3).any(|word| word.eq_ignore_ascii_case(b"pop"));
    if (says || flow.ends.port(110)) && !flow.has_protocol("pop3") {
        flow.protocol("pop3");
        let client = direction.opposite();
        flow.attach(Box::new(Pop3 { client, lines: Default::default(), sasl: None, tls: None }));
    }
}

struct Pop3 {
    client: Direction,
    lines: [Lines; 2],
    sasl: Option<Sasl>,
    tls: Option<Upgrade>,
}

impl Pop3 {
    fn command(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        if let Some(sasl) = self.sasl {
            self.sasl = sasl.client(flow, line);
            return;
        }
        let mut words = line.split(|&b| b == b' ').filter(|w| !w.is_empty());
        let command = words.next().unwrap_or_default().to_ascii_uppercase();
        match (&command[..], words.next()) {
            (b"USER" | b"APOP", Some(name)) => flow.user(name),
            (b"STLS", _) => self.tls = Some(Upgrade::default()),
            (b"AUTH", Some(mechanism)) => {
                let sasl = Sasl::new(mechanism);
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
            match line.strip_prefix(b"+ ") {
                Some(challenge) => sasl.server(flow, challenge),
                None => self.sasl = None,
            }
        }
    }
}

impl Parser for Pop3 {
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
    use crate::protocol::Direction::{Client, Server};
    use crate::protocol::testing::Harness;
    use crate::protocol::{Transport, USER};

    #[test]
    fn users_are_told_by_each_way_of_logging_on() {
        let mut harness = Harness::new(Transport::Tcp, 110);
        harness.data(Server, b"+OK POP3 ready\r\n");
        harness.data(Client, b"USER one\r\nPASS x\r\nAPOP two digest\r\nAUTH PLAIN\r\n");
        harness.data(Server, b"+ \r\n");
        harness.data(Client, b"AHRocmVlAHB3\r\nAUTH LOGIN\r\n");
        harness.data(Client, b"Zm91cg==\r\ncHc=\r\n");
        assert_eq!(harness.texts(&USER), ["one", "two", "three", "four"]);
    }
}
