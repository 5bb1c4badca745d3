//! DHCP, for IPv4 and IPv6: who asks for an address, and what for.

use std::net::Ipv4Addr;

use super::reader::{Reader, mac};
use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Field, Kind};

use Kind::{Ip, LowerTerm, Term, UpperTerm};

crate::declare_fields! {
    CLASS_ID = Field::set("dhcp.classId", "dhcp.classId", Term, "Vendor classes");
    HOST = Field::set("dhcp.host", "dhcp.host", LowerTerm, "Names clients give themselves");
    ID = Field::set("dhcp.id", "dhcp.id", LowerTerm, "Transaction ids, in hex");
    MAC = Field::set("dhcp.mac", "dhcp.mac", LowerTerm, "MAC addresses of clients");
    OUI = Field::set("dhcp.oui", "dhcp.oui", Term, "Makers of clients' interfaces, when a table of makers is given");
    REQUEST_IP = Field::set("dhcp.requestIp", "dhcp.requestIp", Ip, "Addresses clients ask for");
    TYPE = Field::set("dhcp.type", "dhcp.type", UpperTerm, "Message types");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "dhcp",
    fields: FIELDS,
    signatures: &[
        Signature::Udp(0, b"\x01\x01\x06", begin_v4),
        Signature::Udp(0, b"\x02\x01\x06", begin_v4),
        Signature::UdpPort(546, begin_v6),
        Signature::UdpPort(547, begin_v6),
    ],
};

/// Where the client's MAC address, the cookie and the options of a DHCPv4 message are.
const CLIENT_MAC: usize = 28;
const COOKIE: usize = 236;
const MAGIC: &[u8] = b"\x63\x82\x53\x63";
const OPTIONS: usize = COOKIE + MAGIC.len();
/// BOOTP messages have 300 bytes; what is much shorter comes from no client.
const SHORTEST: usize = 256;

#[rustfmt::skip]
const TYPES4: [&str; 19] = [
    "", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM", "FORCERENEW", "LEASEQUERY",
    "LEASEUNASSIGNED", "LEASEUNKNOWN", "LEASEACTIVE", "BULKLEASEQUERY", "LEASEQUERYDONE", "ACTIVELEASEQUERY",
    "LEASEQUERYSTATUS", "TLS",
];

#[rustfmt::skip]
const TYPES6: [&str; 24] = [
    "", "SOLICIT", "ADVERTISE", "REQUEST", "CONFIRM", "RENEW", "REBIND", "REPLY", "RELEASE", "DECLINE", "RECONFIGURE",
    "INFORMATION_REQUEST", "RELAY_FORW", "RELAY_REPL", "LEASEQUERY", "LEASEQUERY_REPLY", "LEASEQUERY_DONE",
    "LEASEQUERY_DATA", "RECONFIGURE_REQUEST", "RECONFIGURE_REPLY", "DHCPV4_QUERY", "DHCPV4_RESPONSE",
    "ACTIVELEASEQUERY", "STARTTLS",
];
const RELAYED: std::ops::RangeInclusive<u8> = 12..=13;

struct V4;
struct V6;

fn is_v4(data: &[u8]) -> bool {
    data.len() >= SHORTEST && data.get(COOKIE..).is_some_and(|rest| rest.starts_with(MAGIC))
}

fn begin_v4(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if is_v4(data) && !flow.has_protocol("dhcp") {
        flow.protocol("dhcp");
        flow.attach(Box::new(V4));
    }
}

fn begin_v6(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let known = data.first().is_some_and(|kind| (1..TYPES6.len()).contains(&usize::from(*kind)));
    if known && !flow.has_protocol("dhcpv6") {
        flow.protocol("dhcpv6");
        flow.attach(Box::new(V6));
    }
}

impl Parser for V4 {
    fn data(&mut self, flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) -> Status {
        if !is_v4(data) {
            flow.anomaly("dhcp-message-malformed");
            return Status::More;
        }
        if let Some(id) = Reader::at(data, 4).u32() {
            flow.fields.text(&ID, &format!("{id:x}"));
        }
        if let Some(address) = data.get(CLIENT_MAC..CLIENT_MAC + 6) {
            flow.fields.text(&MAC, &mac(address));
        }
        if options(flow, Reader::at(data, OPTIONS)).is_none() {
            flow.anomaly("dhcp-options-cut");
        }
        Status::More
    }
}

fn options(flow: &mut Flow<'_>, mut reader: Reader<'_>) -> Option<()> {
    while let Some(code) = reader.u8() {
        match code {
            0 => continue,
            255 => break,
            _ => {}
        }
        let length = reader.u8()?;
        option(flow, code, reader.take(usize::from(length))?);
    }
    Some(())
}

fn option(flow: &mut Flow<'_>, code: u8, value: &[u8]) {
    match (code, value) {
        (12, name) => flow.fields.bytes(&HOST, name),
        (50, &[a, b, c, d]) => flow.fields.ip(&REQUEST_IP, Ipv4Addr::new(a, b, c, d).into()),
        (53, &[kind]) => {
            if let Some(name) = TYPES4.get(usize::from(kind)) {
                flow.fields.text(&TYPE, name);
            }
        }
        (60, class) => flow.fields.bytes(&CLASS_ID, class),
        (61, [1, address @ ..]) if address.len() == 6 => flow.fields.text(&MAC, &mac(address)),
        // A full name: flags and two obsolete response codes come first; flag 4 says that it is in DNS's own form.
        (81, [flags, _, _, name @ ..]) if flags & 4 == 0 => flow.fields.bytes(&HOST, name),
        _ => {}
    }
}

impl Parser for V6 {
    fn data(&mut self, flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) -> Status {
        let mut reader = Reader::new(data);
        let Some(kind) = reader.u8() else { return Status::More };
        let Some(name) = TYPES6.get(usize::from(kind)) else {
            flow.anomaly("dhcp-message-malformed");
            return Status::More;
        };
        flow.fields.text(&TYPE, name);
        if !RELAYED.contains(&kind) {
            match reader.u24() {
                Some(id) => flow.fields.text(&ID, &format!("{id:x}")),
                None => flow.anomaly("dhcp-message-malformed"),
            }
        }
        Status::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;
    use crate::values::Values;

    fn message(options: &[u8]) -> Vec<u8> {
        let mut data = vec![0; COOKIE];
        data[..8].copy_from_slice(&[1, 1, 6, 0, 0, 0, 0x3d, 0x1d]);
        data[CLIENT_MAC..CLIENT_MAC + 6].copy_from_slice(&[0, 0x0b, 0x82, 1, 0xfc, 0x42]);
        data.extend_from_slice(MAGIC);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(options);
        data
    }

    #[test]
    fn a_request_tells_who_wants_what() {
        let mut harness = Harness::new(Transport::Udp, 67);
        let options =
            b"\x35\x01\x03\x00\x32\x04\xc0\xa8\x00\x0a\x0c\x04Host\x3c\x08MSFT 5.0\x51\x07\x00\x00\x00Full\xff";
        harness.data(Direction::Client, &message(options));
        assert_eq!(harness.protocols, ["dhcp"]);
        assert_eq!(harness.texts(&TYPE), ["REQUEST"]);
        assert_eq!(harness.texts(&ID), ["3d1d"]);
        assert_eq!(harness.texts(&MAC), ["00:0b:82:01:fc:42"]);
        assert_eq!(harness.texts(&HOST), ["host", "full"]);
        assert_eq!(harness.texts(&CLASS_ID), ["MSFT 5.0"]);
        assert!(matches!(harness.fields.get(&REQUEST_IP), Some(Values::Ips(ips)) if ips.len() == 1));
    }

    #[test]
    fn options_cut_anywhere_do_no_harm_and_show() {
        let whole = message(b"\x35\x01\x01\x0c\x04host");
        for at in 0..whole.len() {
            let mut harness = Harness::new(Transport::Udp, 67);
            harness.data(Direction::Client, &whole[..at]);
            harness.data(Direction::Client, &whole[..at]);
        }
        let mut harness = Harness::new(Transport::Udp, 67);
        harness.data(Direction::Client, &whole[..whole.len() - 1]);
        assert_eq!(harness.texts(&crate::protocol::ANOMALY), ["dhcp-options-cut"]);
    }

    #[test]
    fn a_relayed_v6_message_has_no_transaction_id() {
        let mut harness = Harness::new(Transport::Udp, 547);
        harness.data(Direction::Client, &[1, 0xaa, 0xbb, 0xcc]);
        harness.data(Direction::Server, &[13, 0, 0, 0]);
        assert_eq!(harness.protocols, ["dhcpv6"]);
        assert_eq!(harness.texts(&TYPE), ["SOLICIT", "RELAY_REPL"]);
        assert_eq!(harness.texts(&ID), ["aabbcc"]);
    }
}
