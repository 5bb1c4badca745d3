//! DCE/RPC over TCP: which interfaces are bound, and which operations are called.

use super::frames::{Frames, Length};
use super::{Direction, Flow, Parser, Protocol, Signature, Status, ntlm};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    INTERFACE = Field::set("dcerpc.interface", "dcerpc.interface", Term, "Interfaces, by name");
    TYPE = Field::set("dcerpc.msgType", "dcerpc.msgType", Term, "Kinds of messages");
    OPERATION = Field::set("dcerpc.opnum", "dcerpc.opnum", Integer, "Numbers of operations called");
    UUID = Field::set("dcerpc.uuid", "dcerpc.uuid", Term, "Interfaces, by identifier");
    VERSION = Field::set("dcerpc.version", "dcerpc.version", Term, "Versions of interfaces");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "dcerpc",
    fields: FIELDS,
    signatures: &[Signature::Tcp(0, b"\x05\0", begin), Signature::Tcp(0, b"\x05\x01", begin)],
};

static TYPES: [&str; 20] = [
    "request",
    "ping",
    "response",
    "fault",
    "working",
    "nocall",
    "reject",
    "ack",
    "cl-cancel",
    "fack",
    "cancel-ack",
    "bind",
    "bind-ack",
    "bind-nak",
    "alter-context",
    "alter-context-resp",
    "auth3",
    "shutdown",
    "co-cancel",
    "orphaned",
];
const REQUEST: u8 = 0;
const BIND: u8 = 11;
const ALTER_CONTEXT: u8 = 14;
const HEADER: usize = 16;
/// Bytes of one offered context with no transfer syntax.
const CONTEXT: usize = 24;
const SYNTAX: usize = 20;

static INTERFACES: &[(&str, &str)] = &[
    ("00000131-0000-0000-c000-000000000046", "iremunknown"),
    ("00000134-0000-0000-c000-000000000046", "iremunknown2"),
    ("00000143-0000-0000-c000-000000000046", "iremunknown2"),
    ("000001a0-0000-0000-c000-000000000046", "isystemactivator"),
    ("1257b580-ce2f-4109-82d6-a9459d0bf6bc", "sessenv"),
    ("12345678-1234-abcd-ef00-0123456789ab", "spoolss"),
    ("12345678-1234-abcd-ef00-01234567cffb", "netlogon"),
    ("12345778-1234-abcd-ef00-0123456789ab", "lsarpc"),
    ("12345778-1234-abcd-ef00-0123456789ac", "samr"),
    ("1ff70682-0a51-30e8-076d-740be8cee98b", "atsvc"),
    ("300f3532-38cc-11d0-a3f0-0020af6b0add", "trkwks"),
    ("338cd001-2244-31f1-aaaa-900038001003", "winreg"),
    ("367abb81-9844-35f1-ad32-98f038001003", "svcctl"),
    ("3919286a-b10c-11d0-9ba8-00c04fd92ef5", "dssetup"),
    ("4b324fc8-1670-01d3-1278-5a47bf6ee188", "srvsvc"),
    ("4d9f4ab8-7d1c-11cf-861e-0020af6e7c57", "iremoteactivation"),
    ("4fc742e0-4a10-11cf-8273-00aa004ae673", "netdfs"),
    ("50abc2a4-574d-40b3-9d66-ee4fd5fba076", "dnsserver"),
    ("6bffd098-a112-3610-9833-46c3f87e345a", "wkssvc"),
    ("76f03f96-cdfd-44fc-a22c-64950a001209", "iremotewinspool"),
    ("82273fdc-e32a-18c3-3f78-827929dc23ea", "eventlog"),
    ("86d35949-83c9-4044-b424-db363231fd0c", "itaskscheduler"),
    ("8fb6d884-2388-11d0-8c35-00c04fda2795", "w32time"),
    ("91ae6020-9e3c-11cf-8d7c-00aa00c091be", "icertpassage"),
    ("99fcfec4-5260-101b-bbcb-00aa0021347a", "ioxidresolver"),
    ("afa8bd80-7d8a-11c9-bef4-08002b102989", "mgmt"),
    ("c681d488-d850-11d0-8c52-00c04fd90f7e", "efsrpc"),
    ("df1941c5-fe89-4e79-bf10-463657acf44d", "efsr"),
    ("e1af8308-5d1f-11c9-91a4-08002b14a0fa", "epmapper"),
    ("e3514235-4b06-11d1-ab04-00c04fc2dcd2", "drsuapi"),
    ("f6beaff7-1e19-4fbb-9f8f-b89e2018337c", "eventlog6"),
];

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let Some(header) = data.first_chunk::<HEADER>() else { return };
    let sane = usize::from(header[2]) < TYPES.len() && matches!(header[4], 0 | 0x10) && header[5] <= 3;
    let length = u16_at(data, 8, header[4] == 0x10).unwrap_or(0);
    if sane && header[6..8] == [0, 0] && usize::from(length) >= HEADER && !flow.has_protocol("dcerpc") {
        flow.protocol("dcerpc");
        flow.attach(Box::new(Rpc::default()));
    }
}

fn u16_at(data: &[u8], at: usize, little: bool) -> Option<u16> {
    let bytes = *data.get(at..)?.first_chunk()?;
    Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
}

fn length(data: &[u8]) -> Length {
    match data.first_chunk::<10>() {
        None => Length::More,
        Some(header) if header[0] != 5 => Length::Bad,
        Some(header) => match u16_at(header, 8, header[4] & 0x10 != 0) {
            Some(length) if usize::from(length) >= HEADER => Length::Known(length.into()),
            _ => Length::Bad,
        },
    }
}

/// An interface's identifier as it is written, its first three parts in the sender's byte order.
fn uuid(bytes: &[u8; 16], little: bool) -> String {
    let mut b = *bytes;
    if little {
        b[..4].reverse();
        b[4..6].reverse();
        b[6..8].reverse();
    }
    let hex = |part: &[u8]| super::reader::hex(part);
    format!("{}-{}-{}-{}-{}", hex(&b[..4]), hex(&b[4..6]), hex(&b[6..8]), hex(&b[8..10]), hex(&b[10..]))
}

fn message(flow: &mut Flow<'_>, data: &[u8]) {
    let Some(header) = data.first_chunk::<HEADER>() else { return };
    let little = header[4] & 0x10 != 0;
    if let Some(name) = TYPES.get(usize::from(header[2])) {
        flow.fields.text(&TYPE, name);
    }
    match header[2] {
        REQUEST => {
            if let Some(operation) = u16_at(data, HEADER + 6, little) {
                flow.fields.int(&OPERATION, operation.into());
            }
        }
        BIND | ALTER_CONTEXT => contexts(flow, data, little),
        _ => {}
    }
    if header[10..12] != [0, 0] {
        ntlm::find(flow, data);
    }
}

fn contexts(flow: &mut Flow<'_>, data: &[u8], little: bool) {
    let count = data.get(HEADER + 8).copied().unwrap_or(0);
    let mut rest = data.get(HEADER + 12..).unwrap_or_default();
    for _ in 0..count {
        let Some(context) = rest.first_chunk::<CONTEXT>() else { return };
        let Some(id) = context[4..].first_chunk() else { return };
        interface(flow, &uuid(id, little), u16_at(context, 20, little).unwrap_or(0));
        rest = rest.get(CONTEXT + SYNTAX * usize::from(context[2])..).unwrap_or_default();
    }
}

fn interface(flow: &mut Flow<'_>, id: &str, version: u16) {
    flow.fields.text(&UUID, id);
    flow.fields.text(&VERSION, &version.to_string());
    if let Some((_, name)) = INTERFACES.iter().find(|(known, _)| *known == id) {
        flow.fields.text(&INTERFACE, name);
        flow.protocol(name);
    }
}

#[derive(Default)]
struct Rpc {
    frames: Frames,
}

impl Parser for Rpc {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let good = self.frames.feed(direction, data, length, |data| message(flow, data));
        if good { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::Client;
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    const BIND_SENT: &[u8] =
        b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0\xb8\x10\xb8\x10\0\0\0\0\x01\0\0\0\0\0\x01\0\
        \xac\x4d\x60\x00\xc8\x4f\x16\x4b\x70\x16\xd3\x01\x12\x78\x5a\x47\x01\0\0\0\
        \x04\x5d\x88\x8a\xeb\x1c\xc9\x11\x9f\xe8\x08\0\x2b\x10\x48\x60\x02\0\0\0";

    #[test]
    fn a_bind_tells_the_interface_and_a_request_the_operation() {
        let mut bind = BIND_SENT.to_vec();
        bind[32..48].copy_from_slice(b"\xc8\x4f\x32\x4b\x70\x16\xd3\x01\x12\x78\x5a\x47\xbf\x6e\xe1\x88");
        let request = b"\x05\0\0\x03\x10\0\0\0\x18\0\0\0\x02\0\0\0\0\0\0\0\0\0\x0f\0";
        for cut in 0..request.len() {
            let mut harness = Harness::new(Transport::Tcp, 135);
            harness.data(Client, &bind);
            harness.data(Client, &request[..cut]);
            harness.data(Client, &request[cut..]);
            assert_eq!(harness.texts(&UUID), ["4b324fc8-1670-01d3-1278-5a47bf6ee188"]);
            assert_eq!(harness.texts(&INTERFACE), ["srvsvc"]);
            assert_eq!(harness.texts(&TYPE), ["bind", "request"]);
            assert_eq!(harness.ints(&OPERATION), [15], "cut at {cut}");
        }
    }

    #[test]
    fn more_contexts_than_there_are_is_no_trouble() {
        let mut bind = BIND_SENT.to_vec();
        bind[24] = 255;
        bind[30] = 255;
        let mut harness = Harness::new(Transport::Tcp, 135);
        harness.data(Client, &bind);
        assert_eq!(harness.texts(&UUID).len(), 1);
    }
}
