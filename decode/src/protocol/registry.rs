//! All protocols, and the tables that lead the first bytes of a session to them.

use std::sync::OnceLock;

use super::{Begin, Direction, Flow, Protocol, Signature, Transport};

/// Every protocol; one line each.
#[rustfmt::skip]
pub static PROTOCOLS: &[&Protocol] = &[
    &super::adb::PROTOCOL,
    &super::amqp::PROTOCOL,
    &super::arp::PROTOCOL,
    &super::bacnet::PROTOCOL,
    &super::bgp::PROTOCOL,
    &super::c1222::PROTOCOL,
    &super::cert::PROTOCOL,
    &super::dcerpc::PROTOCOL,
    &super::dhcp::PROTOCOL,
    &super::diameter::PROTOCOL,
    &super::dnp3::PROTOCOL,
    &super::dns::PROTOCOL,
    &super::dtls::PROTOCOL,
    &super::enip::PROTOCOL,
    &super::ftp::PROTOCOL,
    &super::http::PROTOCOL,
    &super::http2::PROTOCOL,
    &super::icmp::PROTOCOL,
    &super::iec104::PROTOCOL,
    &super::iec61850::PROTOCOL,
    &super::imap::PROTOCOL,
    &super::irc::PROTOCOL,
    &super::isakmp::PROTOCOL,
    &super::krb5::PROTOCOL,
    &super::ldap::PROTOCOL,
    &super::mail::PROTOCOL,
    &super::modbus::PROTOCOL,
    &super::mqtt::PROTOCOL,
    &super::mysql::PROTOCOL,
    &super::nbns::PROTOCOL,
    &super::ntlm::PROTOCOL,
    &super::ntp::PROTOCOL,
    &super::opcua::PROTOCOL,
    &super::openvpn::PROTOCOL,
    &super::oracle::PROTOCOL,
    &super::pana::PROTOCOL,
    &super::pop3::PROTOCOL,
    &super::postgresql::PROTOCOL,
    &super::profinet::PROTOCOL,
    &super::ptp::PROTOCOL,
    &super::quic::PROTOCOL,
    &super::radius::PROTOCOL,
    &super::rdp::PROTOCOL,
    &super::redis::PROTOCOL,
    &super::routing::PROTOCOL,
    &super::rpc::PROTOCOL,
    &super::s7comm::PROTOCOL,
    &super::sctp::PROTOCOL,
    &super::signatures::PROTOCOL,
    &super::sip::PROTOCOL,
    &super::smb::PROTOCOL,
    &super::smtp::PROTOCOL,
    &super::snmp::PROTOCOL,
    &super::socks::PROTOCOL,
    &super::ssdp::PROTOCOL,
    &super::ssh::PROTOCOL,
    &super::stun::PROTOCOL,
    &super::synchrophasor::PROTOCOL,
    &super::tds::PROTOCOL,
    &super::tftp::PROTOCOL,
    &super::tls::PROTOCOL,
    &super::websocket::PROTOCOL,
];

/// One fixed-bytes signature.
struct Prefix {
    offset: usize,
    bytes: &'static [u8],
    begin: Begin,
}

/// Signatures of one transport, arranged for looking up.
#[derive(Default)]
struct Table {
    /// By first byte, for signatures at offset 0.
    first: Vec<Vec<Prefix>>,
    elsewhere: Vec<Prefix>,
    ports: Vec<(u16, Begin)>,
    any: Vec<Begin>,
}

impl Table {
    fn new() -> Table {
        Table { first: (0..256).map(|_| Vec::new()).collect(), ..Table::default() }
    }

    fn add(&mut self, offset: usize, bytes: &'static [u8], begin: Begin) {
        let prefix = Prefix { offset, bytes, begin };
        match (offset, bytes.first()) {
            (0, Some(&byte)) => self.first[byte as usize].push(prefix),
            _ => self.elsewhere.push(prefix),
        }
    }

    fn classify(&self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
        let Some(&byte) = data.first() else { return };
        for prefix in self.first[byte as usize].iter().chain(&self.elsewhere) {
            if data.get(prefix.offset..).is_some_and(|rest| rest.starts_with(prefix.bytes)) {
                (prefix.begin)(flow, direction, data);
            }
        }
        let ports = [flow.ends.source_port, flow.ends.destination_port];
        for (port, begin) in &self.ports {
            if ports.contains(port) {
                begin(flow, direction, data);
            }
        }
        for begin in &self.any {
            begin(flow, direction, data);
        }
    }
}

/// The look-up tables.
pub struct Registry {
    tcp: Table,
    udp: Table,
    sctp: Table,
    ip: Vec<(u8, Begin)>,
    ethernet: Vec<(u16, Begin)>,
}

impl Registry {
    fn new() -> Registry {
        let mut r =
            Registry { tcp: Table::new(), udp: Table::new(), sctp: Table::new(), ip: Vec::new(), ethernet: Vec::new() };
        for signature in PROTOCOLS.iter().flat_map(|p| p.signatures) {
            match *signature {
                Signature::Tcp(offset, bytes, begin) => r.tcp.add(offset, bytes, begin),
                Signature::Udp(offset, bytes, begin) => r.udp.add(offset, bytes, begin),
                Signature::TcpPort(port, begin) => r.tcp.ports.push((port, begin)),
                Signature::UdpPort(port, begin) => r.udp.ports.push((port, begin)),
                Signature::TcpAny(begin) => r.tcp.any.push(begin),
                Signature::UdpAny(begin) => r.udp.any.push(begin),
                Signature::SctpPort(port, begin) => r.sctp.ports.push((port, begin)),
                Signature::SctpAny(begin) => r.sctp.any.push(begin),
                Signature::IpProtocol(number, begin) => r.ip.push((number, begin)),
                Signature::EtherType(number, begin) => r.ethernet.push((number, begin)),
            }
        }
        r
    }

    /// Whether a protocol is known by this EtherType (or service access point: OSI's).
    pub fn knows_ethernet(&self, service: u16) -> bool {
        service == 0xfe || self.ethernet.iter().any(|(known, _)| *known == service)
    }

    /// Runs every signature that fits `data` at the session's transport.
    pub fn classify(&self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
        match flow.ends.transport {
            Transport::Tcp => self.tcp.classify(flow, direction, data),
            Transport::Udp => self.udp.classify(flow, direction, data),
            Transport::Sctp => self.sctp.classify(flow, direction, data),
            Transport::Ip(number) => begin_all(&self.ip, number, flow, direction, data),
            Transport::Ethernet(0..1536) => begin_all(&self.ethernet, super::LLC, flow, direction, data),
            Transport::Ethernet(number) => begin_all(&self.ethernet, number, flow, direction, data),
        }
    }
}

fn begin_all<T: PartialEq>(list: &[(T, Begin)], key: T, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    for (_, begin) in list.iter().filter(|(k, _)| *k == key) {
        begin(flow, direction, data);
    }
}

/// The tables, made once.
pub fn get() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(Registry::new)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::{Path, PathBuf};

    use super::PROTOCOLS;
    use crate::session;

    #[test]
    fn every_field_has_help_and_names_of_its_own() {
        let (mut expressions, mut documents) = (HashSet::new(), HashSet::new());
        let all = session::fields::ALL.iter().chain(PROTOCOLS.iter().flat_map(|protocol| protocol.fields));
        for field in all {
            assert!(field.help.len() > 2, "{} has no help", field.expression);
            assert!(expressions.insert(field.expression), "two fields are called {}", field.expression);
            let stored = field.any_of.is_empty();
            assert!(!stored || documents.insert(field.document), "two fields are stored as {}", field.document);
        }
    }

    fn sources(path: &Path) -> Vec<PathBuf> {
        match path.read_dir() {
            Ok(entries) => entries.filter_map(Result::ok).flat_map(|entry| sources(&entry.path())).collect(),
            Err(_) => vec![path.to_path_buf()],
        }
    }

    /// `fuzzing.rs` tries all that is registered by itself; traffic that shows what a protocol tells cannot be made so.
    #[test]
    fn every_protocol_has_samples_of_its_traffic_in_its_tests() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocol");
        let registry = include_str!("registry.rs");
        let names: Vec<&str> = registry
            .lines()
            .filter_map(|line| line.trim().strip_prefix("&super::")?.strip_suffix("::PROTOCOL,"))
            .collect();
        assert_eq!(names.len(), PROTOCOLS.len(), "one line each");
        for name in names {
            let files = [sources(&folder.join(format!("{name}.rs"))), sources(&folder.join(name))].concat();
            let texts: Vec<String> = files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
            let sampled = texts.iter().any(|text| text.contains("#[test]") && text.contains("Harness"));
            assert!(sampled, "no test of {name} shows it traffic");
        }
    }
}
