//! SOCKS 4, 4a and 5: where the proxy is asked to go, for whom; what goes through is classified anew.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{Integer, Ip, LowerTerm, Term};

crate::declare_fields! {
    HOST = Field::one("host.socks", "socks.host", LowerTerm, "Host asked for").aliases(&["socks.host"]);
    IP = Field::one("ip.socks", "socks.ip", Ip, "Address asked for").aliases(&["socks.ip"]);
    PORT = Field::one("port.socks", "socks.port", Integer, "Port asked for").aliases(&["socks.port"]);
    USER = Field::one("socks.user", "socks.user", Term, "User who asks");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "socks",
    fields: FIELDS,
    signatures: &[
        Signature::Tcp(0, b"\x04\x01", begin4),
        Signature::Tcp(0, b"\x04\x02", begin4),
        Signature::Tcp(0, b"\x05", begin5),
    ],
};

/// Longest request: version, command, address of 255 bytes, twice over for SOCKS 4's user.
const MAX_HELD: usize = 1_024;

fn begin4(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    if flow.has_protocol("socks") || data.len() < 9 || data.last() != Some(&0) {
        return;
    }
    if request4(data).is_some() {
        flow.protocol("socks");
        flow.attach(Box::new(Socks::new(direction, State::Request4)));
    }
}

fn begin5(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let &[_, count, ref methods @ ..] = data else { return };
    // Fixed bytes say little: the greeting must be whole, and name methods that exist.
    let known = methods.iter().all(|&m| m <= 9 || m >= 0x80);
    if count > 0 && usize::from(count) == methods.len() && known && !flow.has_protocol("socks") {
        flow.attach(Box::new(Socks::new(direction, State::Greeting5)));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Request4,
    Reply4,
    Greeting5,
    Method5,
    Login5,
    LoginReply5,
    Request5,
    Reply5,
    Tunnel,
}

struct Socks {
    client: Direction,
    state: State,
    /// What each end sent before its turn, or a part of what its turn needs.
    held: [Vec<u8>; 2],
    classified: [bool; 2],
}

/// Where a request goes.
#[derive(Default)]
struct Request<'a> {
    ip: Option<IpAddr>,
    host: &'a [u8],
    user: &'a [u8],
    port: u16,
}

fn request4(data: &[u8]) -> Option<(Request<'_>, usize)> {
    let mut reader = Reader::at(data, 2);
    let port = reader.u16()?;
    let address: [u8; 4] = reader.array()?;
    let user = reader.until(0)?;
    if user.iter().any(|b| !b.is_ascii_graphic()) {
        return None;
    }
    let mut request = Request { user, port, ..Request::default() };
    match address {
        [0, 0, 0, last] if last != 0 => request.host = reader.until(0)?,
        _ => request.ip = Some(Ipv4Addr::from(address).into()),
    }
    Some((request, reader.position()))
}

fn request5(data: &[u8]) -> Option<(Request<'_>, usize)> {
    let mut reader = Reader::at(data, 3);
    let mut request = Request::default();
    match reader.u8()? {
        1 => request.ip = Some(Ipv4Addr::from(reader.array::<4>()?).into()),
        3 => {
            let length = reader.u8()?;
            request.host = reader.take(length.into())?;
        }
        4 => request.ip = Some(Ipv6Addr::from(reader.array::<16>()?).into()),
        _ => return None,
    }
    request.port = reader.u16()?;
    Some((request, reader.position()))
}

fn login(data: &[u8]) -> Option<(&[u8], usize)> {
    let mut reader = Reader::at(data, 1);
    let length = reader.u8()?;
    let user = reader.take(length.into())?;
    let length = reader.u8()?;
    reader.skip(length.into())?;
    Some((user, reader.position()))
}

impl Socks {
    fn new(client: Direction, state: State) -> Socks {
        Socks { client, state, held: Default::default(), classified: [false; 2] }
    }

    fn turn(&self) -> Direction {
        match self.state {
            State::Reply4 | State::Method5 | State::LoginReply5 | State::Reply5 => self.client.opposite(),
            _ => self.client,
        }
    }

    /// Reads what the state waits for from what is held; the next state and the bytes used, `None` to wait.
    fn step(&mut self, flow: &mut Flow<'_>, data: &[u8]) -> Result<Option<(State, usize)>, ()> {
        let found = match self.state {
            State::Request4 => request4(data).map(|(request, used)| {
                tell(flow, &request);
                (State::Reply4, used)
            }),
            State::Reply4 => match data {
                [0, 0x5a, _, _, _, _, _, _, ..] => Some((State::Tunnel, 8)),
                [0, 0x5a, ..] | [0] | [] => None,
                _ => return Err(()),
            },
            State::Greeting5 => data.get(1).map(|&n| (State::Method5, 2 + usize::from(n))),
            State::Method5 => match *data {
                [5, 0xff, ..] => return Err(()),
                [5, method, ..] => {
                    flow.protocol("socks");
                    Some((if method == 2 { State::Login5 } else { State::Request5 }, 2))
                }
                [5] | [] => None,
                _ => return Err(()),
            },
            State::Login5 => login(data).map(|(user, used)| {
                flow.fields.bytes(&USER, user);
                (State::LoginReply5, used)
            }),
            State::LoginReply5 => (data.len() >= 2).then_some((State::Request5, 2)),
            State::Request5 => request5(data).map(|(request, used)| {
                tell(flow, &request);
                (State::Reply5, used)
            }),
            State::Reply5 => match data.get(1) {
                Some(0) => request5(data).map(|(_, used)| (State::Tunnel, used)),
                Some(_) => return Err(()),
                None => None,
            },
            State::Tunnel => None,
        };
        Ok(found)
    }

    fn tunnel(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if !data.is_empty() && !std::mem::replace(&mut self.classified[direction as usize], true) {
            flow.classify(direction, data);
        }
        if self.classified == [true; 2] { Status::Done } else { Status::More }
    }
}

fn tell(flow: &mut Flow<'_>, request: &Request<'_>) {
    if let Some(ip) = request.ip {
        flow.fields.ip(&IP, ip);
    }
    flow.fields.bytes(&HOST, request.host);
    flow.fields.bytes(&USER, request.user);
    flow.fields.int(&PORT, request.port.into());
}

impl Parser for Socks {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if self.state == State::Tunnel {
            return self.tunnel(flow, direction, data);
        }
        self.held[direction as usize].extend_from_slice(data);
        while self.state != State::Tunnel {
            let turn = self.turn() as usize;
            let held = std::mem::take(&mut self.held[turn]);
            let Ok(found) = self.step(flow, &held) else { return Status::Done };
            let Some((next, used)) = found.filter(|(_, used)| *used <= held.len()) else {
                self.held[turn] = held;
                let fits = self.held.iter().all(|held| held.len() <= MAX_HELD);
                return if fits { Status::More } else { Status::Done };
            };
            self.state = next;
            self.held[turn] = held.get(used..).unwrap_or_default().to_vec();
        }
        let [client, server] = std::mem::take(&mut self.held);
        let status = self.tunnel(flow, Direction::Client, &client);
        if status == Status::Done { status } else { self.tunnel(flow, Direction::Server, &server) }
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Client, Server};
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::http;
    use crate::protocol::testing::Harness;

    fn through(steps: &[(Direction, &[u8])]) -> Harness {
        let mut harness = Harness::new(Transport::Tcp, 1080);
        steps.iter().for_each(|(direction, data)| harness.data(*direction, data));
        harness
    }

    #[test]
    fn version_5_tells_user_and_target_and_what_is_inside() {
        let harness = through(&[
            (Client, b"\x05\x02\x00\x02"),
            (Server, b"\x05"),
            (Server, b"\x02"),
            (Client, b"\x01\x03joe\x02"),
            (Client, b"pw"),
            (Server, b"\x01\x00"),
            (Client, b"\x05\x01\x00\x03\x09a.example\x00\x50"),
            (Server, b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
            (Client, b"GET /in HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ]);
        assert_eq!(harness.texts(&USER), ["joe"]);
        assert_eq!(harness.texts(&HOST), ["a.example"]);
        assert_eq!(harness.ints(&PORT), [80]);
        assert_eq!(harness.texts(&http::fields::URI), ["a.example/in"]);
    }

    #[test]
    fn version_4a_tells_the_host() {
        let harness = through(&[
            (Client, b"\x04\x01\x00\x50\x00\x00\x00\x01me\0b.example\0"),
            (Server, b"\x00\x5a\x00\x00\x00\x00\x00\x00"),
            (Client, b"GET /in HTTP/1.1\r\n\r\n"),
        ]);
        assert_eq!(harness.texts(&HOST), ["b.example"]);
        assert_eq!(harness.texts(&USER), ["me"]);
        assert_eq!(harness.texts(&http::fields::URI), ["/in"]);
    }

    #[test]
    fn what_is_no_greeting_is_left_alone() {
        let harness = through(&[(Client, b"\x05\x01\x00\x00\x00"), (Server, b"\x05\x00")]);
        assert!(!harness.protocols.contains(&"socks"));
    }
}
