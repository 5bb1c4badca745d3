//! What a protocol's file offers, and how traffic finds it.
//!
//! A protocol is one file (or folder) here: its fields as `static`s, its signatures, its parser. It is added to
//! `registry::PROTOCOLS` by one line.

pub mod adb;
pub mod amqp;
pub mod arp;
pub mod bacnet;
pub mod ber;
pub mod bgp;
pub mod c1222;
pub mod cert;
pub mod dcerpc;
pub mod declare;
pub mod dhcp;
pub mod diameter;
pub mod dnp3;
pub mod dns;
pub mod dtls;
pub mod each;
pub mod enip;
pub mod framed;
pub mod frames;
pub mod ftp;
pub mod http;
pub mod http2;
pub mod icmp;
pub mod iec104;
pub mod iec61850;
pub mod imap;
pub mod inner;
pub mod irc;
pub mod isakmp;
pub mod krb5;
pub mod ldap;
pub mod lines;
pub mod magic;
pub mod mail;
pub mod modbus;
pub mod mqtt;
pub mod mysql;
pub mod nbns;
pub mod ntlm;
pub mod ntp;
pub mod opcua;
pub mod openvpn;
pub mod oracle;
pub mod pana;
pub mod pop3;
pub mod postgresql;
pub mod profinet;
pub mod ptp;
pub mod quic;
pub mod radius;
pub mod rdp;
pub mod reader;
pub mod redis;
pub mod registry;
pub mod routing;
pub mod rpc;
pub mod s7comm;
pub mod sasl;
pub mod sctp;
pub mod signatures;
pub mod sip;
pub mod smb;
pub mod smtp;
pub mod snmp;
pub mod socks;
pub mod ssdp;
pub mod ssh;
pub mod stun;
pub mod synchrophasor;
pub mod tds;
#[cfg(any(test, fuzzing))]
pub mod testing;
pub mod tftp;
pub mod tls;
pub mod upgrade;
pub mod websocket;

use std::net::IpAddr;

use crate::field::{Field, Kind};
use crate::limits::MAX_NESTING;
use crate::secrets::Secrets;
use crate::values::Fields;

/// Which end sent the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From `source`, the end that opened the session.
    Client = 0,
    Server = 1,
}

impl Direction {
    /// The other end.
    pub fn opposite(self) -> Direction {
        match self {
            Direction::Client => Direction::Server,
            Direction::Server => Direction::Client,
        }
    }
}

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
    Sctp,
    /// Another IP protocol, by its number.
    Ip(u8),
    /// Not IP: by its EtherType, or (below 256) by 802.2's destination service access point.
    Ethernet(u16),
}

/// The session's ends, as its first packet told them.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub transport: Transport,
    pub source: Option<IpAddr>,
    pub destination: Option<IpAddr>,
    pub source_port: u16,
    pub destination_port: u16,
    /// Time of the packet being looked at, nanoseconds since 1970.
    pub now_ns: u64,
    /// Time of the first packet of the session (of its segment, when it was split), nanoseconds since 1970.
    pub first_ns: u64,
}

impl Ends {
    /// Whether either end uses `port`.
    pub fn port(&self, port: u16) -> bool {
        self.source_port == port || self.destination_port == port
    }
}

/// What a parser sees of its session, and where it writes.
pub struct Flow<'a> {
    pub ends: Ends,
    pub fields: &'a mut Fields,
    /// What opens encrypted sessions.
    pub secrets: &'a Secrets,
    pub(crate) protocols: &'a mut Vec<&'static str>,
    pub(crate) added: Vec<Box<dyn Parser>>,
    pub(crate) depth: u8,
    /// Bytes of this direction seen before `data` (TCP: in sequence; UDP: of earlier datagrams).
    pub offset: u64,
}

impl Flow<'_> {
    /// Names a protocol of this session.
    pub fn protocol(&mut self, name: &'static str) {
        if !self.protocols.contains(&name) {
            self.protocols.push(name);
        }
    }

    /// Whether `name` was found in this session.
    pub fn has_protocol(&self, name: &str) -> bool {
        self.protocols.contains(&name)
    }

    /// Names what is wrong with the traffic, in lower case with dashes (`tls-record-too-long`).
    pub fn anomaly(&mut self, name: &'static str) {
        self.fields.text(&ANOMALY, name);
    }

    /// A user's name, searched as `user` whatever the protocol.
    pub fn user(&mut self, name: &[u8]) {
        self.fields.bytes(&USER, name);
    }

    /// A tag put on the session by the decoder.
    pub fn tag(&mut self, name: &str) {
        self.fields.text(&TAGS, name);
    }

    /// Gives `parser` the session's data: from a `Begin`, beginning with the data it looked at; from a parser,
    /// beginning with the next.
    pub fn attach(&mut self, parser: Box<dyn Parser>) {
        self.added.push(parser);
    }

    /// Classifies `data` as if the session began with it (also inside SOCKS, CONNECT, STARTTLS), and feeds it to the
    /// parsers that its signatures attach.
    pub fn classify(&mut self, direction: Direction, data: &[u8]) {
        if self.depth >= MAX_NESTING {
            return;
        }
        self.depth += 1;
        let before = self.added.len();
        registry::get().classify(self, direction, data);
        let mut fresh = self.added.split_off(before);
        fresh.retain_mut(|parser| parser.data(self, direction, data) == Status::More);
        self.added.append(&mut fresh);
        self.depth -= 1;
    }
}

/// Whether a parser wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    More,
    /// This parser is not called again for the session.
    Done,
}

/// Reads one session's data. Bytes are hostile: no panic, no unbounded memory, no loop without progress.
pub trait Parser: Send {
    /// The next bytes of one direction (TCP: in order, each once; otherwise one datagram's payload).
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status;

    /// `bytes` of one direction were lost; what comes next does not join what came before.
    fn gap(&mut self, _flow: &mut Flow<'_>, _direction: Direction, _bytes: u64) -> Status {
        Status::Done
    }

    /// The session ends or is split; write what is still held.
    fn finish(&mut self, _flow: &mut Flow<'_>) {}
}

/// Looks at the first data of a session in one direction. It names the protocol and attaches a parser if the data
/// is its own, and does nothing otherwise.
pub type Begin = fn(&mut Flow<'_>, Direction, &[u8]);

/// The EtherType by which signatures name what 802.3 carries: there it is a length, and LLC comes next.
pub const LLC: u16 = 0;

/// How traffic finds a protocol.
#[derive(Clone, Copy)]
pub enum Signature {
    /// TCP whose data in a direction begins so (at the offset).
    Tcp(usize, &'static [u8], Begin),
    /// UDP whose first datagram in a direction begins so (at the offset).
    Udp(usize, &'static [u8], Begin),
    /// Any first TCP data with one end at this port.
    TcpPort(u16, Begin),
    UdpPort(u16, Begin),
    /// Every first TCP data; for what no fixed bytes tell.
    TcpAny(Begin),
    UdpAny(Begin),
    SctpPort(u16, Begin),
    SctpAny(Begin),
    IpProtocol(u8, Begin),
    EtherType(u16, Begin),
}

/// A protocol: what it declares.
pub struct Protocol {
    pub name: &'static str,
    pub fields: &'static [&'static Field],
    pub signatures: &'static [Signature],
}

pub static ANOMALY: Field = Field::set("anomaly", "anomaly", Kind::Term, "What is wrong with the session's packets");
pub static USER: Field = Field::set("user", "user", Kind::LowerTerm, "User names, of any protocol");
pub static TAGS: Field = Field::set("tags", "tags", Kind::Term, "Tags").aliases(&["tag"]);

/// A `Begin` for a protocol that is only named.
#[macro_export]
macro_rules! name_only {
    ($name:literal) => {
        |flow, _direction, _data| flow.protocol($name)
    };
}
