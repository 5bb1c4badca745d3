//! Android Debug Bridge: devices, the services opened on them, files synchronised, how shells ended.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::upgrade::Upgrade;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{LowerTerm, Term};

crate::declare_fields! {
    AUTH_TYPE = Field::set("adb.authtype", "adb.authtype", LowerTerm, "Kinds of authentication messages");
    COMMAND = Field::set("adb.command", "adb.command", LowerTerm, "Commands");
    DIRECTION = Field::set("adb.forward.direction", "adb.forward.direction", LowerTerm, "Directions of forwarding");
    LOCAL = Field::set("adb.forward.local", "adb.forward.local", LowerTerm, "Ends forwarded from");
    REMOTE = Field::set("adb.forward.remote", "adb.forward.remote", LowerTerm, "Ends forwarded to");
    MAX_PAYLOAD = Field::set("adb.maxpayload", "adb.maxpayload", Term, "Largest payloads");
    SERIAL = Field::set("adb.serial", "adb.serial", Term, "Serial numbers");
    SERVICE = Field::set("adb.service", "adb.service", LowerTerm, "Services opened");
    EXIT_CODE = Field::set("adb.shell.exitcode", "adb.shell.exitcode", Term, "Exit codes of shells");
    STREAM = Field::set("adb.streamid", "adb.streamid", Term, "Streams, by the numbers of their ends");
    SYNC = Field::set("adb.sync.operation", "adb.sync.operation", Term, "Operations on files");
    PATH = Field::set("adb.sync.path", "adb.sync.path", Term, "Paths of files");
    SYSTEM = Field::set("adb.systemtype", "adb.systemtype", LowerTerm, "Kinds of ends");
    VERSION = Field::set("adb.version", "adb.version", Term, "Versions");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "adb",
    fields: FIELDS,
    signatures: &[Signature::Tcp(0, b"CNXN", begin), Signature::Tcp(4, b"host", begin_host)],
};

const HEADER: usize = 24;
/// Streams whose service is remembered.
const MAX_STREAMS: usize = 64;
const SHELL_EXIT: u8 = 3;

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    // The last word is the first one's complement.
    let complement = data.get(20..24).is_some_and(|magic| data.iter().zip(magic).all(|(a, b)| *a == !b));
    if complement && !flow.has_protocol("adb") {
        flow.protocol("adb");
        flow.attach(Box::new(Adb::default()));
    }
}

fn begin_host(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if matches!(host_length(data), Length::Known(_)) && !flow.has_protocol("adb") {
        flow.protocol("adb");
        flow.attach(Box::new(Host::default()));
    }
}

/// What a client tells the server on its own machine: four hexadecimal digits of length, then a service.
#[derive(Default)]
struct Host {
    frames: Frames,
}

fn host_length(data: &[u8]) -> Length {
    let Some(digits) = data.first_chunk::<4>() else { return Length::More };
    let length = std::str::from_utf8(digits).ok().and_then(|d| u16::from_str_radix(d, 16).ok());
    length.map_or(Length::Bad, |length| Length::sum(4, length))
}

impl Parser for Host {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        // Answers have no such form.
        if self.frames.feed(direction, data, host_length, |data| host_service(flow, &data[4..])) {
            Status::More
        } else {
            self.frames = Frames::default();
            Status::More
        }
    }
}

fn host_service(flow: &mut Flow<'_>, service: &[u8]) {
    if !service.starts_with(b"host") {
        return;
    }
    flow.fields.text(&SERVICE, "host");
    let mut parts = service.splitn(2, |&b| b == b':').skip(1);
    if let Some(forward) = parts.next().and_then(|rest| rest.strip_prefix(b"forward:")) {
        forwarding(flow, "forward", forward);
    }
}

fn forwarding(flow: &mut Flow<'_>, direction: &str, ends: &[u8]) {
    flow.fields.text(&DIRECTION, direction);
    let mut ends = ends.split(|&b| b == b';');
    flow.fields.bytes(&LOCAL, ends.next().unwrap_or_default());
    flow.fields.bytes(&REMOTE, ends.next().unwrap_or_default());
}

fn length(data: &[u8]) -> Length {
    match data.get(12..16).and_then(|bytes| bytes.first_chunk()) {
        Some(bytes) if data[..4].iter().all(u8::is_ascii_uppercase) => Length::sum(HEADER, u32::from_le_bytes(*bytes)),
        Some(_) => Length::Bad,
        None => Length::More,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Shell,
    Sync,
}

#[derive(Default)]
struct Adb {
    frames: Frames,
    state: State,
    tls: Option<Upgrade>,
}

/// The streams opened, by the number and the side of who opened them.
#[derive(Default)]
struct State {
    streams: Vec<(u32, Direction, Service)>,
}

impl State {
    fn message(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Option<()> {
        let word = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?));
        let (first, second) = (word(4)?, word(8)?);
        let payload = data.get(HEADER..)?;
        flow.fields.bytes(&COMMAND, &data[..4]);
        match &data[..4] {
            b"CNXN" => connect(flow, first, second, payload),
            b"AUTH" => match first {
                1 => flow.fields.text(&AUTH_TYPE, "token"),
                2 => flow.fields.text(&AUTH_TYPE, "signature"),
                3 => flow.fields.text(&AUTH_TYPE, "rsapublickey"),
                _ => {}
            },
            b"OPEN" => {
                flow.fields.text(&STREAM, &first.to_string());
                self.open(flow, direction, first, payload);
            }
            b"OKAY" | b"WRTE" | b"CLSE" => {
                flow.fields.text(&STREAM, &format!("{first}-{second}"));
                if data.starts_with(b"WRTE") {
                    self.written(flow, direction, first, second, payload);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn open(&mut self, flow: &mut Flow<'_>, direction: Direction, stream: u32, payload: &[u8]) {
        let text = payload.strip_suffix(b"\0").unwrap_or(payload);
        let name = text.split(|&b| b == b':' || b == b',').next().unwrap_or_default();
        flow.fields.bytes(&SERVICE, name);
        let rest = text.get(name.len() + 1..).unwrap_or_default();
        let service = match name {
            b"sync" => Service::Sync,
            b"shell" if text.starts_with(b"shell,v2") => Service::Shell,
            b"forward" => return forwarding(flow, "forward", rest),
            b"reverse" => {
                if let Some(ends) = rest.strip_prefix(b"forward:") {
                    forwarding(flow, "reverse", ends);
                }
                return;
            }
            _ => return,
        };
        if self.streams.len() < MAX_STREAMS {
            self.streams.push((stream, direction, service));
        }
    }

    fn written(&self, flow: &mut Flow<'_>, direction: Direction, from: u32, to: u32, payload: &[u8]) {
        let ours = |(stream, opener, _): &&(u32, Direction, Service)| {
            if *opener == direction { *stream == from } else { *stream == to }
        };
        match self.streams.iter().find(ours) {
            Some((.., Service::Shell)) => shell(flow, payload),
            Some((.., Service::Sync)) => sync(flow, payload),
            None => None,
        };
    }
}

fn connect(flow: &mut Flow<'_>, version: u32, largest: u32, banner: &[u8]) {
    flow.fields.text(&VERSION, &format!("{version:#010x}"));
    flow.fields.text(&MAX_PAYLOAD, &largest.to_string());
    let banner = banner.strip_suffix(b"\0").unwrap_or(banner);
    let mut parts = banner.split(|&b| b == b':');
    flow.fields.bytes(&SYSTEM, parts.next().unwrap_or_default());
    flow.fields.bytes(&SERIAL, parts.next().unwrap_or_default());
}

fn shell(flow: &mut Flow<'_>, payload: &[u8]) -> Option<()> {
    let mut reader = Reader::new(payload);
    loop {
        let kind = reader.u8()?;
        let length = u32::from_le_bytes(reader.array()?);
        let content = reader.take(usize::try_from(length).ok()?)?;
        if let (SHELL_EXIT, Some(code)) = (kind, content.first()) {
            flow.fields.text(&EXIT_CODE, &code.to_string());
        }
    }
}

fn sync(flow: &mut Flow<'_>, payload: &[u8]) -> Option<()> {
    let mut reader = Reader::new(payload);
    loop {
        let operation = reader.take(4).filter(|id| id.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))?;
        let length = u32::from_le_bytes(reader.array()?);
        flow.fields.bytes(&SYNC, operation);
        // DONE carries a time where the others have a length.
        if matches!(operation, b"DONE" | b"QUIT" | b"OKAY") {
            continue;
        }
        let content = reader.take(usize::try_from(length).ok()?)?;
        if matches!(operation, b"STAT" | b"LIST" | b"SEND" | b"RECV") {
            flow.fields.bytes(&PATH, content.split(|&b| b == b',').next().unwrap_or(content));
        }
    }
}

impl Parser for Adb {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if let Some(status) = self.tls.as_mut().and_then(|tls| tls.tls(flow, direction, data)) {
            return status;
        }
        let Adb { frames, state, tls, .. } = self;
        let good = frames.feed(direction, data, length, |message| {
            if message.starts_with(b"STLS") {
                tls.get_or_insert_default();
            }
            state.message(flow, direction, message);
        });
        if good { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::{Client, Server};
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    fn message(command: &[u8; 4], first: u32, second: u32, payload: &[u8]) -> Vec<u8> {
        let mut data = command.to_vec();
        for word in [first, second, payload.len() as u32, 0] {
            data.extend(word.to_le_bytes());
        }
        data.extend(command.map(|b| !b));
        data.extend(payload);
        data
    }

    #[test]
    fn a_shell_tells_how_it_ended_and_sync_what_it_touched() {
        let mut harness = Harness::new(Transport::Tcp, 5555);
        harness.data(Client, &message(b"CNXN", 0x0100_0001, 4096, b"host::\0"));
        harness.data(Client, &message(b"OPEN", 1, 0, b"shell,v2:ls\0"));
        harness.data(Client, &message(b"OPEN", 3, 0, b"sync:\0"));
        let exit = message(b"WRTE", 2, 1, b"\x03\x01\0\0\0\x2a");
        harness.data(Server, &exit[..9]);
        harness.data(Server, &exit[9..]);
        harness.data(Client, &message(b"WRTE", 3, 4, b"SEND\x06\0\0\0/a,644DATA\x01\0\0\0xDONE\xff\xff\xff\xff"));
        assert_eq!(harness.texts(&EXIT_CODE), ["42"]);
        assert_eq!(harness.texts(&SYNC), ["SEND", "DATA", "DONE"]);
        assert_eq!(harness.texts(&PATH), ["/a"]);
        assert_eq!(harness.texts(&VERSION), ["0x01000001"]);
        assert_eq!(harness.texts(&SERVICE), ["shell", "sync"]);
    }

    #[test]
    fn the_server_on_the_host_is_asked_by_text() {
        let mut harness = Harness::new(Transport::Tcp, 5037);
        harness.data(Client, b"000chost:version001chost:forward:tcp:8080;tcp:80");
        assert_eq!(harness.texts(&LOCAL), ["tcp:8080"]);
        assert_eq!(harness.texts(&REMOTE), ["tcp:80"]);
    }
}
