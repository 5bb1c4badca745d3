//! From a frame to the packet a session counts: link, network and transport headers, one small step each.

pub mod fragments;
mod ip;
mod link;
mod transport;
mod tunnel;
mod wlan;

use smallvec::SmallVec;

use crate::capture::RawPacket;
use crate::limits::MAX_LAYERS;

pub use fragments::{Fragment, Fragments};
pub use link::LINK_LAYERS;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// An IP address as 16 bytes; IPv4 as `::ffff:a.b.c.d`.
pub type Address = u128;

const V4_PREFIX: Address = 0xffff << 32;

/// IPv4 as an `Address`.
pub fn v4(bytes: [u8; 4]) -> Address {
    V4_PREFIX | Address::from(u32::from_be_bytes(bytes))
}

/// An `Address` as the standard library's.
pub fn ip_addr(address: Address) -> std::net::IpAddr {
    if address >> 32 == 0xffff {
        std::net::Ipv4Addr::from(address as u32).into()
    } else {
        std::net::Ipv6Addr::from(address).into()
    }
}

/// What a packet is for the session table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Tcp,
    Udp,
    Sctp,
    Icmp,
    /// IPsec's encrypted payload.
    Esp,
    /// Another IP protocol.
    Ip,
    /// IP whose headers make no sense.
    CorruptIp,
    /// No IP: known by its EtherType, or by the service access point of 802.2.
    Ethernet,
    /// An EtherType nobody knows.
    UnknownEthernet,
    CorruptEthernet,
}

/// The fields of a TCP header that sessions need.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp {
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: u16,
    pub window: u16,
}

/// One record that a packet came from: position, captured and wire length.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub position: u64,
    pub captured: u32,
    pub wire: u32,
}

/// Addresses of a layer around the innermost one.
#[derive(Clone, Copy, Debug)]
pub struct Outer {
    pub source: Address,
    pub destination: Address,
}

/// A dissected packet. Slices live as long as the frame, or the datagram put together from fragments.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    pub time_ns: u64,
    pub parts: SmallVec<[Part; 1]>,
    pub class: Class,
    pub macs: Option<(Mac, Mac)>,
    /// Stations of the Ethernet header around the innermost one.
    pub outer_macs: Option<(Mac, Mac)>,
    /// VLAN ids from the outside in, and whether each is 802.1ad.
    pub vlans: SmallVec<[(u16, bool); 2]>,
    /// EtherType of the outermost header, after its VLAN tags; below 1536 it is 802.3's length.
    pub ethertype: u16,
    /// Without IP: the EtherType that tells the payload, or 802.2's destination service access point (below 256).
    pub service: u16,
    /// Tunnel protocols passed through.
    pub tunnels: tunnel::Names,
    /// Ends of the innermost tunnel: what carries that one is its business, as with the peer.
    pub outer: Option<Outer>,
    pub vni: SmallVec<[u32; 1]>,
    /// Set with `source` and `destination` when there is an IP header.
    pub has_ip: bool,
    pub source: Address,
    pub destination: Address,
    pub protocol: u8,
    pub ttl: u8,
    pub dscp: u8,
    pub source_port: u16,
    pub destination_port: u16,
    pub tcp: Tcp,
    /// Payload of the transport (or of the IP protocol, or of the frame).
    pub payload: &'a [u8],
    /// Its length by the headers; more than `payload.len()` when the capture cut it.
    pub payload_length: u32,
    /// Bytes of the frame behind the IP packet: padding, or a check sequence.
    pub trailer: u32,
    /// What is wrong with the packet.
    pub anomaly: Option<&'static str>,
}

impl<'a> Packet<'a> {
    fn new(raw: &RawPacket<'a>) -> Packet<'a> {
        let part = Part { position: raw.position, captured: raw.data.len() as u32, wire: raw.wire_length };
        Packet {
            time_ns: raw.time_ns,
            parts: smallvec::smallvec![part],
            class: Class::CorruptEthernet,
            macs: None,
            outer_macs: None,
            vlans: SmallVec::new(),
            ethertype: 0,
            service: 0,
            tunnels: SmallVec::new(),
            outer: None,
            vni: SmallVec::new(),
            has_ip: false,
            source: 0,
            destination: 0,
            protocol: 0,
            ttl: 0,
            dscp: 0,
            source_port: 0,
            destination_port: 0,
            tcp: Tcp::default(),
            payload: raw.data,
            payload_length: raw.data.len() as u32,
            trailer: 0,
            anomaly: None,
        }
    }

    /// Bytes on the wire, of all parts.
    pub fn wire_length(&self) -> u64 {
        self.parts.iter().map(|p| u64::from(p.wire)).sum()
    }

    fn corrupt(&mut self, anomaly: &'static str) -> Step<'a> {
        self.anomaly = Some(anomaly);
        self.class = if self.has_ip || anomaly.starts_with("ip") { Class::CorruptIp } else { Class::CorruptEthernet };
        Step::Done
    }

    /// The same packet seen through a datagram put together from fragments.
    fn with_datagram<'b>(&self, datagram: &'b [u8], parts: SmallVec<[Part; 1]>) -> Packet<'b> {
        Packet {
            payload: datagram,
            payload_length: datagram.len() as u32,
            trailer: 0,
            parts,
            vlans: self.vlans.clone(),
            tunnels: self.tunnels.clone(),
            vni: self.vni.clone(),
            ..*self
        }
    }

    /// Turns what was the packet's inside into its outside, at the door of a tunnel.
    fn enter_tunnel(&mut self, name: &'static str) {
        if !self.tunnels.contains(&name) {
            self.tunnels.push(name);
        }
        self.leave_outer();
    }

    /// The addresses found so far turn out to be those around the packet.
    fn leave_outer(&mut self) {
        if self.has_ip {
            self.outer = Some(Outer { source: self.source, destination: self.destination });
            self.has_ip = false;
            (self.source_port, self.destination_port) = (0, 0);
        }
    }

    /// What a tunnel carries without IP is a matter between the tunnel's ends.
    fn settle(&mut self) {
        if self.has_ip {
            return;
        }
        let Some(outer) = self.outer.take() else { return };
        (self.source, self.destination, self.has_ip) = (outer.source, outer.destination, true);
        if self.class == Class::CorruptEthernet {
            self.class = Class::CorruptIp;
        }
    }

    /// The identifier of a virtual network; zero is none.
    fn network(&mut self, id: [u8; 3]) {
        match u32::from_be_bytes([0, id[0], id[1], id[2]]) {
            0 => {}
            id => self.vni.push(id),
        }
    }

    /// The rest is of no kind we know.
    fn unknown(&mut self, rest: &'a [u8]) -> Step<'a> {
        self.payload = rest;
        self.payload_length = rest.len() as u32;
        self.class = if self.has_ip { Class::Ip } else { Class::UnknownEthernet };
        Step::Done
    }
}

/// What comes next in a packet, and its bytes.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Ethernet(&'a [u8]),
    /// By EtherType.
    EtherType(u16, &'a [u8]),
    /// Version told by the first nibble.
    RawIp(&'a [u8]),
    /// Inside an IP header: protocol, bytes, and their number by the headers.
    IpPayload(u8, &'a [u8], u32),
    Fragment(Fragment<'a>),
    Done,
}

/// Dissects a frame and hands the packet to `sink`; fragments wait in `fragments` until their datagram is whole.
pub fn dissect(raw: &RawPacket<'_>, fragments: &mut Fragments, sink: &mut dyn FnMut(&Packet<'_>)) {
    let mut packet = Packet::new(raw);
    let first = link::first(raw.linktype, raw.data, &mut packet);
    let Some(fragment) = walk(first, &mut packet) else {
        packet.settle();
        return sink(&packet);
    };
    let whole = fragments.add(&fragment, &packet);
    fragments.take_abandoned().iter().for_each(&mut *sink);
    let Some((datagram, parts)) = whole else { return };
    let mut whole = packet.with_datagram(&datagram, parts);
    let length = datagram.len() as u32;
    // A fragment inside the datagram of fragments (a tunnel) is left as it is: one level is put together.
    if walk(Step::IpPayload(fragment.protocol, &datagram, length), &mut whole).is_some() {
        whole.class = Class::Ip;
        whole.anomaly = Some("ip-nested-fragment");
    }
    whole.settle();
    sink(&whole);
}

fn walk<'a>(first: Step<'a>, packet: &mut Packet<'a>) -> Option<Fragment<'a>> {
    let mut step = first;
    for _ in 0..MAX_LAYERS {
        step = match step {
            Step::Ethernet(data) => link::ethernet(data, packet),
            Step::EtherType(kind, data) => link::ethertype(kind, data, packet),
            Step::RawIp(data) => link::raw_ip(data, packet),
            Step::IpPayload(protocol, data, length) => transport::payload(protocol, data, length, packet),
            Step::Fragment(fragment) => return Some(fragment),
            Step::Done => return None,
        };
    }
    match step {
        Step::Fragment(fragment) => return Some(fragment),
        Step::Done => {}
        _ => {
            packet.corrupt("too-many-layers");
        }
    }
    None
}

#[inline]
fn be16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

#[inline]
fn be32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

#[inline]
fn le32(data: &[u8], at: usize) -> Option<u32> {
    be32(data, at).map(u32::swap_bytes)
}
