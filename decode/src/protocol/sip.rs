//! SIP, over UDP and TCP: who calls whom.

use super::{Direction, Flow, Parser, Protocol, Signature, Status, each};
use crate::field::{Field, Kind};
use crate::limits::MAX_MESSAGE;

use Kind::{Integer, Term};

crate::declare_fields! {
    CALL_ID = Field::set("sip.callid", "sip.callid", Term, "Calls");
    CONTACT = Field::set("sip.contact", "sip.contact", Term, "Where to reach an end directly");
    FROM = Field::set("sip.from", "sip.from", Term, "Who calls");
    METHOD = Field::set("sip.method", "sip.method", Term, "Methods");
    STATUS_CODE = Field::set("sip.statuscode", "sip.statuscode", Integer, "Status codes");
    TO = Field::set("sip.to", "sip.to", Term, "Who is called");
    USER = Field::set("sip.user", "sip.user", Term, "Users who call or are called");
    USER_AGENT = Field::set("sip.user-agent", "sip.useragent", Term, "Programs");
    VIA = Field::set("sip.via", "sip.via", Term, "Ways that messages took");
}

macro_rules! methods {
    ($($method:literal),*) => {
        &[
            $(
                Signature::Udp(0, $method, |flow, _, data| begin_datagrams(flow, data)),
                Signature::Tcp(0, $method, |flow, _, data| begin_stream(flow, data)),
            )*
        ]
    };
}

pub static PROTOCOL: Protocol = Protocol {
    name: "sip",
    fields: FIELDS,
    signatures: methods![
        b"SIP/2.0 ",
        b"ACK ",
        b"BYE ",
        b"CANCEL ",
        b"INFO ",
        b"INVITE ",
        b"MESSAGE ",
        b"NOTIFY ",
        b"OPTIONS ",
        b"PRACK ",
        b"PUBLISH ",
        b"REFER ",
        b"REGISTER ",
        b"SUBSCRIBE ",
        b"UPDATE "
    ],
};

const VERSION: &[u8] = b"SIP/2.0";
/// Lines of one message that are read.
const MOST_LINES: usize = 200;

/// A message's first line, if it is one of SIP.
fn first_line(data: &[u8]) -> Option<&[u8]> {
    let line = lines(data).next()?;
    (line.starts_with(VERSION) || line.ends_with(VERSION)).then_some(line)
}

fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn begin_datagrams(flow: &mut Flow<'_>, data: &[u8]) {
    if first_line(data).is_some() {
        each::begin(flow, "sip", |flow, data| {
            // Single line ends keep the way through a NAT open.
            if first_line(data).is_some() {
                message(flow, data);
            }
        });
    }
}

fn begin_stream(flow: &mut Flow<'_>, data: &[u8]) {
    let whole = data.contains(&b'\n');
    if !flow.has_protocol("sip") && (!whole || first_line(data).is_some()) {
        flow.attach(Box::new(Stream::default()));
    }
}

fn message(flow: &mut Flow<'_>, data: &[u8]) {
    let mut lines = lines(data);
    let Some(first) = lines.next() else { return };
    let mut words = first.split(|byte| *byte == b' ');
    match (words.next(), words.next()) {
        (Some(VERSION), Some(code)) => {
            if let Some(code) = std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()) {
                flow.fields.int(&STATUS_CODE, code);
            }
        }
        (Some(method), _) => flow.fields.bytes(&METHOD, method),
        _ => {}
    }
    lines.take_while(|line| !line.is_empty()).take(MOST_LINES).for_each(|line| header(flow, line));
}

/// A header's name in lower case, short names made long, and its value.
fn split(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line.get(..colon)?.trim_ascii().to_ascii_lowercase();
    Some((name, line.get(colon + 1..)?.trim_ascii()))
}

fn header(flow: &mut Flow<'_>, line: &[u8]) {
    let Some((name, value)) = split(line) else { return };
    match &name[..] {
        b"call-id" | b"i" => flow.fields.bytes(&CALL_ID, value),
        b"contact" | b"m" => flow.fields.bytes(&CONTACT, value),
        b"from" | b"f" => person(flow, &FROM, value),
        b"to" | b"t" => person(flow, &TO, value),
        b"user-agent" => flow.fields.bytes(&USER_AGENT, value),
        b"via" | b"v" => flow.fields.bytes(&VIA, value),
        _ => {}
    }
}

fn person(flow: &mut Flow<'_>, field: &Field, value: &[u8]) {
    flow.fields.bytes(field, value);
    if let Some(user) = user(value) {
        flow.fields.bytes(&USER, user);
    }
}

/// The user of the first `sip:user@host` or `sips:user@host`.
fn user(value: &[u8]) -> Option<&[u8]> {
    let scheme = |at: usize| value.get(at..).is_some_and(|v| v.starts_with(b"sip:") || v.starts_with(b"sips:"));
    let start = (0..value.len()).find(|at| scheme(*at))?;
    let address = value.get(start..)?;
    let rest = address.get(address.iter().position(|byte| *byte == b':')? + 1..)?;
    let end = rest.iter().position(|byte| b"@>;? ".contains(byte))?;
    let user = rest.get(..end).filter(|_| rest.get(end) == Some(&b'@'))?;
    user.split(|byte| *byte == b':').next().filter(|user| !user.is_empty())
}

/// One direction of a TCP session.
#[derive(Default)]
struct Side {
    held: Vec<u8>,
    /// Bytes held that were searched for the head's end.
    searched: usize,
    /// Bytes of a body still to pass over.
    body: usize,
}

#[derive(Default)]
struct Stream {
    sides: [Side; 2],
}

/// The length of a message's head, its empty line included, if it is complete; the first `from` bytes do not end it.
fn head(data: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let tail = data.get(from..)?;
    let lf = tail.windows(2).position(|pair| pair == b"\n\n").map(|at| at + 2);
    let crlf = tail.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    lf.into_iter().chain(crlf).min().map(|end| from + end)
}

fn content_length(head: &[u8]) -> usize {
    lines(head)
        .filter_map(split)
        .filter(|(name, _)| name == b"content-length" || name == b"l")
        .find_map(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok())
        .unwrap_or(0)
}

impl Side {
    /// Reads the whole messages held; `None` if this is no SIP.
    fn messages(&mut self, flow: &mut Flow<'_>) -> Option<()> {
        loop {
            let body = self.body.min(self.held.len());
            self.held.drain(..body);
            self.body -= body;
            let blank = self.held.iter().take_while(|byte| b"\r\n".contains(byte)).count();
            self.held.drain(..blank);
            let end = head(&self.held, self.searched);
            self.searched = if end.is_none() { self.held.len() } else { 0 };
            let Some(end) = end else { return Some(()) };
            let head = self.held.get(..end)?;
            first_line(head)?;
            flow.protocol("sip");
            message(flow, head);
            self.body = content_length(head);
            self.held.drain(..end);
        }
    }
}

impl Parser for Stream {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let side = &mut self.sides[direction as usize];
        side.held.extend_from_slice(data);
        let read = side.messages(flow);
        if read.is_some() && side.held.len() <= MAX_MESSAGE {
            return Status::More;
        }
        if flow.has_protocol("sip") {
            flow.anomaly("sip-message-malformed");
        }
        Status::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    const INVITE: &[u8] = b"INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\
        f: \"Alice\" <sip:alice@a.example>;tag=1\r\nTo: <sips:bob:secret@b.example>\r\nCall-ID: 7\r\n\
        User-Agent: phone\r\nContact: <sip:192.0.2.1>\r\nContent-Length: 4\r\n\r\nv=0\n";
    const OK: &[u8] = b"SIP/2.0 200 OK\r\nCall-ID: 7\r\nl: 0\r\n\r\n";

    fn check(harness: &Harness) {
        assert!(harness.protocols.contains(&"sip"));
        assert_eq!(harness.texts(&METHOD), ["INVITE"]);
        assert_eq!(harness.ints(&STATUS_CODE), [200]);
        assert_eq!(harness.texts(&FROM), ["\"Alice\" <sip:alice@a.example>;tag=1"]);
        assert_eq!(harness.texts(&USER), ["alice", "bob"]);
        assert_eq!(harness.texts(&CALL_ID), ["7"]);
        assert_eq!(harness.texts(&CONTACT), ["<sip:192.0.2.1>"]);
        assert_eq!(harness.texts(&USER_AGENT), ["phone"]);
    }

    #[test]
    fn datagrams_tell_who_calls_whom() {
        let mut harness = Harness::new(Transport::Udp, 5060);
        harness.data(Direction::Client, INVITE);
        harness.data(Direction::Server, OK);
        harness.data(Direction::Client, b"\r\n\r\n");
        check(&harness);
    }

    #[test]
    fn a_stream_may_be_cut_at_each_byte() {
        let stream = [INVITE, b"\r\n\r\n", OK].concat();
        for cut in 7..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 5060);
            harness.data(Direction::Client, &stream[..cut]);
            harness.data(Direction::Client, &stream[cut..]);
            check(&harness);
        }
    }

    #[test]
    fn http_with_a_method_of_the_same_name_is_not_sip() {
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut harness = Harness::new(transport, 80);
            harness.data(Direction::Client, b"OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(!harness.protocols.contains(&"sip"));
        }
    }
}
