//! OSPF, IS-IS, ES-IS, IGMP, PIM and LLDP: how routers and hosts tell each other of ways, groups and neighbours.

use std::net::Ipv4Addr;

use super::reader::Reader;
use super::{Flow, Protocol, Signature, each};
use crate::field::{Count, Field, Kind};

use Kind::{LowerTerm, Term};

crate::declare_fields! {
    AREA_ID = Field::set("ospf.areaId", "ospf.areaId", Term, "Areas").counted(Count::No);
    MESSAGE_TYPE = Field::set("ospf.msgType", "ospf.msgType", Term, "Kinds of OSPF messages").counted(Count::No);
    ROUTER_ID = Field::set("ospf.routerId", "ospf.routerId", Term, "Routers").counted(Count::No);
    ISIS_TYPE = Field::set("isis.msgType", "isis.msgType", LowerTerm, "Kinds of IS-IS messages").counted(Count::No);
    ESIS_TYPE = Field::set("esis.type", "esis.type", LowerTerm, "Kinds of ES-IS messages").counted(Count::No);
}

pub static PROTOCOL: Protocol = Protocol {
    name: "routing",
    fields: FIELDS,
    signatures: &[
        Signature::IpProtocol(2, |flow, _, _| flow.protocol("igmp")),
        Signature::IpProtocol(89, |flow, _, _| each::begin(flow, "ospf", ospf)),
        Signature::IpProtocol(103, |flow, _, _| flow.protocol("pim")),
        Signature::EtherType(0x88cc, |flow, _, _| flow.protocol("lldp")),
        Signature::EtherType(super::LLC, |flow, _, data| begin_llc(flow, data)),
    ],
};

fn ospf(flow: &mut Flow<'_>, data: &[u8]) {
    if ospf_header(flow, data).is_none() {
        flow.anomaly("ospf-message-malformed");
    }
}

/// The same in OSPF for IPv4 (version 2) and IPv6 (version 3).
fn ospf_header(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    let mut reader = Reader::new(data);
    let [_, kind] = reader.array().filter(|[version, _]| [2, 3].contains(version))?;
    reader.skip(2)?;
    let (router, area) = (Ipv4Addr::from(reader.u32()?), Ipv4Addr::from(reader.u32()?));
    match kind {
        1 => flow.fields.text(&MESSAGE_TYPE, "Hello"),
        2 => flow.fields.text(&MESSAGE_TYPE, "DBDesc"),
        3 => flow.fields.text(&MESSAGE_TYPE, "LSReq"),
        4 => flow.fields.text(&MESSAGE_TYPE, "LSUpdate"),
        5 => flow.fields.text(&MESSAGE_TYPE, "LSAck"),
        _ => return None,
    }
    flow.fields.text(&ROUTER_ID, &router.to_string());
    flow.fields.text(&AREA_ID, &area.to_string());
    Some(())
}

/// OSI's network layer over LLC: both service access points are this, then comes unnumbered information.
const OSI: &[u8] = b"\xfe\xfe\x03";
const ISIS: u8 = 0x83;
const ESIS: u8 = 0x82;

fn begin_llc(flow: &mut Flow<'_>, data: &[u8]) {
    match data.strip_prefix(OSI).and_then(<[u8]>::first) {
        Some(&ISIS) => each::begin(flow, "isis", isis),
        Some(&ESIS) => each::begin(flow, "esis", esis),
        // Exchange of identification, asked or answered.
        None if data.get(2).is_some_and(|control| control & 0xef == 0xaf) => flow.protocol("xid"),
        _ => {}
    }
}

fn isis(flow: &mut Flow<'_>, data: &[u8]) {
    let kind = data.get(OSI.len() + 4).map(|kind| kind & 0x1f);
    let name = match kind {
        Some(15) => "lan-l1-hello",
        Some(16) => "lan-l2-hello",
        Some(17) => "p2p-hello",
        Some(18) => "l1-lsp",
        Some(20) => "l2-lsp",
        Some(24) => "l1-csnp",
        Some(25) => "l2-csnp",
        Some(26) => "l1-psnp",
        Some(27) => "l2-psnp",
        _ => return flow.anomaly("isis-message-malformed"),
    };
    flow.fields.text(&ISIS_TYPE, name);
}

fn esis(flow: &mut Flow<'_>, data: &[u8]) {
    let kind = data.get(OSI.len() + 4).map(|kind| kind & 0x1f);
    let name = match kind {
        Some(2) => "esh",
        Some(4) => "ish",
        Some(6) => "redirect",
        _ => return flow.anomaly("esis-message-malformed"),
    };
    flow.fields.text(&ESIS_TYPE, name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    #[test]
    fn ospf_tells_router_and_area() {
        let mut harness = Harness::new(Transport::Ip(89), 0);
        harness.data(Direction::Client, &[2, 1, 0, 44, 172, 16, 0, 2, 0, 0, 0, 0, 0]);
        harness.data(Direction::Client, &[3, 5, 0, 44, 172, 16, 0, 2, 0, 0, 0, 1]);
        harness.data(Direction::Client, &[2, 1, 0]);
        assert_eq!(harness.protocols, ["ospf"]);
        assert_eq!(harness.texts(&MESSAGE_TYPE), ["Hello", "LSAck"]);
        assert_eq!(harness.texts(&ROUTER_ID), ["172.16.0.2"]);
        assert_eq!(harness.texts(&AREA_ID), ["0.0.0.0", "0.0.0.1"]);
        assert_eq!(harness.texts(&crate::protocol::ANOMALY), ["ospf-message-malformed"]);
    }

    #[test]
    fn what_llc_carries_is_told_apart() {
        for (data, name) in [
            (&b"\xfe\xfe\x03\x83\x1b\x01\x00\x10"[..], "isis"),
            (b"\xfe\xfe\x03\x82\x15\x01\x00\x04", "esis"),
            (b"\x00\x01\xaf\x81\x01\x00", "xid"),
        ] {
            let mut harness = Harness::new(Transport::Ethernet(data.len() as u16), 0);
            harness.data(Direction::Client, data);
            assert_eq!(harness.protocols, [name]);
            assert!(harness.texts(&crate::protocol::ANOMALY).is_empty());
        }
    }
}
