//! RADIUS: who wants in, from where, and what the answer is.

use std::net::Ipv4Addr;

use super::reader::{Reader, chunks, mac};
use super::{Flow, Protocol, Signature, each};
use crate::field::{Count, Field, Kind};

use Kind::{Integer, Ip, LowerTerm, Term};

crate::declare_fields! {
    ENDPOINT_IP = Field::set("radius.endpoint-ip", "radius.endpointIp", Ip, "Addresses of tunnels' clients");
    FRAMED_IP = Field::set("radius.framed-ip", "radius.framedIp", Ip, "Addresses given to users");
    MAC = Field::set("radius.mac", "radius.mac", LowerTerm, "MAC addresses that call");
    MESSAGE_TYPE = Field::set("radius.msgType", "radius.msgType", LowerTerm, "Kinds of messages");
    NAS_IP = Field::set("radius.nasIp", "radius.nasIp", Ip, "Addresses of access servers");
    NAS_PORT = Field::set("radius.nasPort", "radius.nasPort", Integer, "Ports of access servers");
    USER = Field::set("radius.user", "radius.user", Term, "Users").counted(Count::No);
}

pub static PROTOCOL: Protocol = Protocol {
    name: "radius",
    fields: FIELDS,
    signatures: &[
        Signature::UdpPort(1645, |flow, _, data| begin(flow, data)),
        Signature::UdpPort(1646, |flow, _, data| begin(flow, data)),
        Signature::UdpPort(1812, |flow, _, data| begin(flow, data)),
        Signature::UdpPort(1813, |flow, _, data| begin(flow, data)),
        Signature::UdpPort(3799, |flow, _, data| begin(flow, data)),
    ],
};

/// Code, identifier, length and authenticator.
const HEADER: usize = 20;

fn code(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "access-request",
        2 => "access-accept",
        3 => "access-reject",
        4 => "accounting-request",
        5 => "accounting-response",
        11 => "access-challenge",
        12 => "status-server",
        13 => "status-client",
        40 => "disconnect-request",
        41 => "disconnect-ack",
        42 => "disconnect-nak",
        43 => "coa-request",
        44 => "coa-ack",
        45 => "coa-nak",
        _ => return None,
    })
}

/// The message's kind and its attributes, without what pads the datagram.
fn message(data: &[u8]) -> Option<(&'static str, &[u8])> {
    let mut reader = Reader::new(data);
    let kind = code(reader.u8()?)?;
    reader.skip(1)?;
    let length = usize::from(reader.u16()?);
    let whole = data.get(..length).filter(|_| length >= HEADER)?;
    Some((kind, whole.get(HEADER..)?))
}

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if message(data).is_some() {
        each::begin(flow, "radius", read);
    }
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let Some((kind, attributes)) = message(data) else {
        flow.anomaly("radius-message-malformed");
        return;
    };
    flow.fields.text(&MESSAGE_TYPE, kind);
    let mut reader = Reader::new(attributes);
    while let Some([number, length]) = reader.array() {
        match usize::from(length).checked_sub(2).and_then(|length| reader.take(length)) {
            Some(value) => attribute(flow, number, value),
            None => {
                flow.anomaly("radius-attribute-malformed");
                return;
            }
        }
    }
}

fn attribute(flow: &mut Flow<'_>, number: u8, value: &[u8]) {
    let ip = <[u8; 4]>::try_from(value).map(Ipv4Addr::from);
    let fields = &mut *flow.fields;
    match (number, ip) {
        (1, _) => fields.bytes(&USER, value),
        (4, Ok(ip)) => fields.ip(&NAS_IP, ip.into()),
        (5, Ok(port)) => fields.int(&NAS_PORT, i64::from(port.to_bits())),
        (8, Ok(ip)) => fields.ip(&FRAMED_IP, ip.into()),
        (31, _) => {
            if let Some(address) = station(value) {
                fields.text(&MAC, &address);
            }
        }
        (66, _) => {
            // Text, after a tag where several tunnels are told of.
            let text = if let [0..0x20, text @ ..] = value { text } else { value };
            if let Some(ip) = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
                fields.ip(&ENDPOINT_IP, ip);
            }
        }
        _ => {}
    }
}

/// A calling station's MAC address, however it is written; `None` if it is none (a telephone number).
fn station(value: &[u8]) -> Option<String> {
    let digits: Vec<u8> = value
        .iter()
        .take(17)
        .filter(|b| !b"-:.".contains(b))
        .map(|b| (*b as char).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    if digits.len() != 12 || value.len() > 17 {
        return None;
    }
    let address: Vec<u8> = chunks(&digits).map(|[high, low]| high << 4 | low).collect();
    Some(mac(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};
    use crate::values::Values;

    fn request(attributes: &[u8]) -> Vec<u8> {
        let mut data = vec![1, 7, 0, (HEADER + attributes.len()) as u8];
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(attributes);
        data
    }

    #[test]
    fn a_request_tells_user_server_and_station() {
        let mut harness = Harness::new(Transport::Udp, 1812);
        let attributes =
            b"\x01\x05bob\x04\x06\x0a\x00\x00\x01\x05\x06\0\0\0\x09\x1f\x1398-5A-EB-89-80-00\x42\x0b10.0.0.77";
        harness.data(Direction::Client, &[&request(attributes)[..], b"padding"].concat());
        assert_eq!(harness.protocols, ["radius"]);
        assert_eq!(harness.texts(&USER), ["bob"]);
        assert_eq!(harness.texts(&MAC), ["98:5a:eb:89:80:00"]);
        assert_eq!(harness.ints(&NAS_PORT), [9]);
        assert!(matches!(harness.fields.get(&ENDPOINT_IP), Some(Values::Ips(ips)) if ips.len() == 1));
    }

    #[test]
    fn a_bad_attribute_ends_the_reading_and_shows() {
        let mut harness = Harness::new(Transport::Udp, 1812);
        harness.data(Direction::Client, &request(b"\x01\x05bob\x00\x00\x01\x05eve"));
        harness.data(Direction::Client, &request(b"\x01\x05bob\x01\x09eve"));
        assert_eq!(harness.texts(&USER), ["bob"]);
        assert_eq!(harness.texts(&crate::protocol::ANOMALY), ["radius-attribute-malformed"]);
    }

    #[test]
    fn only_mac_addresses_are_taken_for_such() {
        assert_eq!(station(b"985AEB898000").unwrap(), "98:5a:eb:89:80:00");
        assert_eq!(station(b"+49 30 123456"), None);
        assert_eq!(station(&[b'-'; 40]), None);
    }
}
