//! RDP's first messages: the user and security asked for, and what the client says of itself where it is not encrypted.

use super::frames::{Frames, Length};
use super::ntlm::utf16le;
use super::reader::Reader;
use super::upgrade::Upgrade;
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    BUILD = Field::set("rdp.client-build", "rdp.clientBuild", Integer, "Builds of clients");
    NAME = Field::set("rdp.client-name", "rdp.clientName", Term, "Names of clients");
    KEYBOARD = Field::set("rdp.keyboard-layout", "rdp.keyboardLayout", Term, "Layouts of keyboards");
    REQUESTED = Field::set("rdp.requested-protocols", "rdp.requestedProtocols", Term, "Security asked for");
    SELECTED = Field::set("rdp.selected-protocol", "rdp.selectedProtocol", Term, "Security chosen");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "rdp", fields: FIELDS, signatures: &[Signature::Tcp(0, b"\x03\0", begin)] };

const COOKIE: &[u8] = b"Cookie: mstshash=";
const CONNECT_REQUEST: u8 = 0xe0;
const CONNECT_CONFIRM: u8 = 0xd0;
const DATA: u8 = 0xf0;
const NEGOTIATION_REQUEST: u8 = 1;
const NEGOTIATION_RESPONSE: u8 = 2;
/// TPKT and the transport's connect message before variable parts.
const CONNECT: usize = 11;

fn begin(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    let connects = data.get(5).is_some_and(|code| code & 0xf0 == CONNECT_REQUEST);
    let cookie = data.get(CONNECT..).is_some_and(|rest| rest.starts_with(COOKIE));
    let known = cookie || flow.ends.port(3389) || negotiation(data, NEGOTIATION_REQUEST).is_some();
    if connects && known && !flow.has_protocol("rdp") {
        flow.protocol("rdp");
        flow.attach(Box::new(Rdp { client: direction, frames: Frames::default(), tls: None }));
    }
}

/// A TPKT.
fn length(data: &[u8]) -> Length {
    match data.first_chunk::<4>() {
        None => Length::More,
        Some(&[3, _, a, b]) => match u16::from_be_bytes([a, b]) {
            total @ 7.. => Length::Known(total.into()),
            _ => Length::Bad,
        },
        Some(_) => Length::Bad,
    }
}

/// The negotiation that ends a connect message: eight bytes.
fn negotiation(data: &[u8], kind: u8) -> Option<u32> {
    let tail: [u8; 8] = *data.get(CONNECT..)?.last_chunk()?;
    let [a, _, 8, 0, protocols @ ..] = tail else { return None };
    (a == kind).then_some(u32::from_le_bytes(protocols))
}

static PROTOCOLS: &[(u32, &str)] = &[(1, "ssl"), (2, "nla"), (4, "rdstls"), (8, "nla-ex"), (16, "rdsaad")];

fn write_protocols(flow: &mut Flow<'_>, field: &Field, bits: u32) {
    if bits == 0 {
        flow.fields.text(field, "rdp");
    }
    for (_, name) in PROTOCOLS.iter().filter(|(bit, _)| bits & bit != 0) {
        flow.fields.text(field, name);
    }
}

struct Rdp {
    client: Direction,
    frames: Frames,
    tls: Option<Upgrade>,
}

/// One message; tells whether TLS was chosen.
fn message(flow: &mut Flow<'_>, data: &[u8], client: bool) -> bool {
    match (data.get(5).map(|code| code & 0xf0), client) {
        (Some(CONNECT_REQUEST), true) => {
            if let Some(user) = data.get(CONNECT..).and_then(|rest| rest.strip_prefix(COOKIE)) {
                flow.user(user.split(|&b| b == b'\r').next().unwrap_or_default());
            }
            write_protocols(flow, &REQUESTED, negotiation(data, NEGOTIATION_REQUEST).unwrap_or(0));
        }
        (Some(CONNECT_CONFIRM), false) => {
            let selected = negotiation(data, NEGOTIATION_RESPONSE).unwrap_or(0);
            write_protocols(flow, &SELECTED, selected);
            return selected != 0;
        }
        (Some(DATA), true) => drop(core_data(flow, data)),
        _ => {}
    }
    false
}

/// The client's core data, in the conference's creation.
fn core_data(flow: &mut Flow<'_>, data: &[u8]) -> Option<String> {
    let at = data.windows(4).position(|window| window == b"Duca")?;
    let core = data[at..].windows(2).position(|window| window == b"\x01\xc0")?;
    let mut reader = Reader::at(data, at + core);
    // Head, version, size of the desktop, colours.
    reader.skip(4 + 4 + 2 + 2 + 2 + 2)?;
    let keyboard = u32::from_le_bytes(reader.array()?);
    flow.fields.text(&KEYBOARD, &format!("{keyboard:#010x}"));
    flow.fields.int(&BUILD, u32::from_le_bytes(reader.array()?).into());
    let name = utf16le(reader.take(32)?);
    let name = name.split('\0').next()?;
    flow.fields.text(&NAME, name);
    Some(name.to_owned())
}

impl Parser for Rdp {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if let Some(status) = self.tls.as_mut().and_then(|tls| tls.tls(flow, direction, data)) {
            return status;
        }
        let client = direction == self.client;
        let mut tls = false;
        let good = self.frames.feed(direction, data, length, |data| tls |= message(flow, data, client));
        if tls {
            self.tls.get_or_insert_default();
        }
        if good { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::{Client, Server};
    use crate::protocol::testing::Harness;
    use crate::protocol::{Transport, USER};

    #[test]
    fn user_and_security_are_told_however_it_is_cut() {
        let request = b"\x03\0\0\x2a\x25\xe0\0\0\0\0\0Cookie: mstshash=Joe\r\n\x01\0\x08\0\x03\0\0\0\0";
        let request = &request[..0x29];
        let mut request = request.to_vec();
        request[3] = request.len() as u8;
        for cut in 30..request.len() {
            let mut harness = Harness::new(Transport::Tcp, 3389);
            harness.data(Client, &request[..cut]);
            harness.data(Client, &request[cut..]);
            harness.data(Server, b"\x03\0\0\x13\x0e\xd0\0\0\0\0\0\x02\0\x08\0\x01\0\0\0");
            assert_eq!(harness.texts(&USER), ["joe"], "cut at {cut}");
            assert_eq!(harness.texts(&REQUESTED), ["ssl", "nla"]);
            assert_eq!(harness.texts(&SELECTED), ["ssl"]);
        }
    }
}
