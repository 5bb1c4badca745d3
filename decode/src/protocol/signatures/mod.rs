//! Protocols known by what their sessions begin with, and only named: nothing here reads further.
//!
//! A prefix alone names a protocol when it is long or odd enough; otherwise a check in `tcp.rs` or `udp.rs` looks at
//! lengths and magic numbers too, because a wrong name misleads more than none.

mod database;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use super::{Protocol, Signature};

/// A `Begin` that names the protocol if the check holds.
macro_rules! checked {
    ($name:literal, $check:path) => {
        |flow, _direction, data| {
            if $check(flow, data) {
                flow.protocol($name);
            }
        }
    };
}

/// A check of the first data of a session in one direction.
#[cfg(test)]
type Check = fn(&super::Flow<'_>, &[u8]) -> bool;

macro_rules! tcp {
    ($name:literal, $bytes:literal) => {
        Signature::Tcp(0, $bytes, $crate::name_only!($name))
    };
}

macro_rules! udp {
    ($name:literal, $bytes:literal) => {
        Signature::Udp(0, $bytes, $crate::name_only!($name))
    };
}

pub static PROTOCOL: Protocol = Protocol { name: "signatures", fields: &[], signatures: SIGNATURES };

#[rustfmt::skip]
static SIGNATURES: &[Signature] = &[
    tcp!("bittorrent", b"\x13BitTorrent protocol"),
    tcp!("bittorrent", b"BSYNC\x00"),
    tcp!("ceph", b"ceph v"),
    tcp!("cvs", b"BEGIN AUTH REQUEST\n"),
    tcp!("direct-connect", b"$Lock "),
    tcp!("distcc", b"DIST0000"),
    tcp!("elasticsearch", b"ES\x00\x00"),
    tcp!("fix", b"8=FIX"),
    tcp!("flash-policy", b"<policy-file-request/>"),
    tcp!("gh0st", b"Gh0st"),
    tcp!("gnutella", b"GNUTELLA"),
    tcp!("hadoop", b"hrpc"),
    tcp!("hbase", b"HBas\x00"),
    tcp!("hl7", b"\x0bMSH|"),
    tcp!("honeywell-tcc", b"CBKPPR\x05\x00"),
    tcp!("ica", b"\x7f\x7fICA\x00"),
    tcp!("jabber", b"<stream:stream"),
    tcp!("jdwp", b"JDWP-Handshake"),
    tcp!("memcached", b"flush_all\r\n"),
    tcp!("memcached", b"stats\r\n"),
    tcp!("memcached", b"STAT pid "),
    tcp!("nats", b"INFO {\"server_id\""),
    tcp!("nsq", b"  V2"),
    tcp!("nx", b"NXSH-"),
    tcp!("nzsql", b"\x00\x00\x00\x08\x00\x01\x00\x03"),
    tcp!("pjl", b"\x1b%-12345X"),
    tcp!("radmin", b"\x01\x00\x00\x00\x01\x00\x00\x00\x08\x08"),
    tcp!("rmi", b"JRMI\x00\x02"),
    tcp!("rsync", b"@RSYNCD: "),
    tcp!("rtsp", b"ANNOUNCE rtsp:"),
    tcp!("rtsp", b"DESCRIBE rtsp:"),
    tcp!("rtsp", b"OPTIONS rtsp:"),
    tcp!("rtsp", b"RTSP/1.0 "),
    tcp!("rtsp", b"SETUP rtsp:"),
    tcp!("spice", b"REDQ"),
    tcp!("splunk", b"--splunk-cooked-mode"),
    tcp!("stomp", b"CONNECT\naccept-version:"),
    tcp!("stomp", b"STOMP\n"),
    tcp!("svn", b"( success ( "),
    tcp!("vnc", b"RFB 00"),
    tcp!("wudo", b"\x0eSwarm protocol"),
    tcp!("x11", b"B\x00\x00\x0b\x00\x00"),
    tcp!("x11", b"l\x00\x0b\x00\x00\x00"),
    tcp!("zabbix", b"ZBXD\x01"),
    tcp!("zabbix", b"ZBXD\x03"),
    tcp!("zmtp", b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f"),
    tcp!("zookeeper", b"\x00\x00\x00\x2c\x00\x00\x00\x00"),
    tcp!("zookeeper", b"\x00\x00\x00\x2d\x00\x00\x00\x00"),
    Signature::Tcp(0, b"\x01\x00", checked!("dicom", tcp::dicom)),
    Signature::Tcp(0, b"\x02\x01\x00\x00", checked!("aerospike", database::aerospike)),
    Signature::Tcp(0, b"\x03", checked!("rtmp", tcp::rtmp)),
    Signature::Tcp(0, b"\x0b\x11\x09\x07", checked!("bitcoin", tcp::bitcoin)),
    Signature::Tcp(0, b"\x12\x34", checked!("ajp", tcp::ajp)),
    Signature::Tcp(0, b"\x17\x24", checked!("teamviewer", tcp::teamviewer)),
    Signature::Tcp(0, b"\x43", checked!("iscsi", tcp::iscsi)),
    Signature::Tcp(0, b"\x80\x01\x00", checked!("thrift", database::thrift)),
    Signature::Tcp(0, b"\xc0", checked!("tacacs", tcp::tacacs)),
    Signature::Tcp(0, b"\xc1", checked!("tacacs", tcp::tacacs)),
    Signature::Tcp(0, b"\xe3", checked!("edonkey", tcp::edonkey)),
    Signature::Tcp(0, b"\xf9\xbe\xb4\xd9", checked!("bitcoin", tcp::bitcoin)),
    Signature::Tcp(0, b"\xfa\xbf\xb5\xda", checked!("bitcoin", tcp::bitcoin)),
    Signature::Tcp(0, b"\xff", checked!("telnet", tcp::telnet)),
    Signature::Tcp(0, b"20", checked!("nntp", tcp::nntp)),
    Signature::Tcp(0, b"<?xml", checked!("jabber", tcp::jabber)),
    Signature::Tcp(0, b"0", checked!("git", tcp::git)),
    Signature::Tcp(0, b"<", checked!("syslog", tcp::syslog)),
    Signature::Tcp(0, b"t3", checked!("t3", tcp::t3)),
    Signature::Tcp(0, b"{", checked!("stratum", tcp::stratum)),
    Signature::Tcp(2, b"\xd0", checked!("drda", database::drda)),
    Signature::Tcp(4, b"\x1a\x2b\x3c\x4d", checked!("pptp", tcp::pptp)),
    Signature::Tcp(4, b"\x80\x01\x00", checked!("thrift", database::framed_thrift)),
    Signature::Tcp(4, b"\x80\x01\x00\x01", checked!("cassandra", database::cassandra_thrift)),
    Signature::Tcp(13, b"\x78", checked!("gh0st", tcp::gh0st)),
    Signature::TcpAny(checked!("kafka", database::kafka)),
    Signature::TcpAny(checked!("mongo", database::mongo)),
    Signature::TcpPort(43, checked!("whois", tcp::line)),
    Signature::TcpPort(79, checked!("finger", tcp::line)),
    Signature::TcpPort(2000, checked!("skinny", tcp::skinny)),
    Signature::TcpPort(9042, checked!("cassandra", database::cassandra)),
    Signature::TcpPort(11211, checked!("memcached", database::memcached)),

    udp!("bittorrent", b"d1:ad2:id20:"),
    udp!("bittorrent", b"d1:q"),
    udp!("bittorrent", b"d1:rd2:id20:"),
    udp!("bittorrent", b"d2:ip"),
    udp!("bjnp", b"BJNB"),
    udp!("bjnp", b"BJNP"),
    udp!("dropbox-lan-sync", b"{\"host_int\""),
    udp!("ipmi", b"\x06\x00\xff\x07"),
    udp!("spotify", b"SpotUdp"),
    udp!("steam-friends", b"VS01"),
    udp!("steam-ihscp", b"\xff\xff\xff\xff\x21\x4c\x5f\xa0"),
    udp!("teamspeak", b"TS3INIT1"),
    udp!("valve-a2s", b"\xff\xff\xff\xffTSource Engine Query"),
    udp!("tailscale", b"TS\xf0\x9f\x92\xac"),
    Signature::Udp(0, b"\x00", checked!("netflow", udp::netflow)),
    Signature::Udp(0, b"\x00\x00\x00\x05", checked!("sflow", udp::sflow)),
    Signature::Udp(0, b"\x00\x0a", checked!("ipfix", udp::ipfix)),
    Signature::Udp(0, b"\x01\x00\x00\x00", checked!("wireguard", udp::wireguard)),
    Signature::Udp(0, b"\x02\x00\x00\x00", checked!("wireguard", udp::wireguard)),
    Signature::Udp(0, b"<", checked!("syslog", udp::syslog)),
    Signature::Udp(0, b"<?xml", checked!("ws-discovery", udp::ws_discovery)),
    Signature::Udp(8, b"\x00\x00\x00", checked!("bittorrent", udp::tracker)),
    Signature::UdpPort(427, checked!("slp", udp::slp)),
    Signature::UdpPort(520, checked!("rip", udp::rip)),
    Signature::UdpPort(1701, checked!("l2tp", udp::l2tp)),
    Signature::UdpPort(1985, checked!("hsrp", udp::hsrp)),
    Signature::UdpPort(3784, checked!("bfd", udp::bfd)),
    Signature::UdpPort(5351, checked!("nat-pmp", udp::nat_pmp)),
    Signature::UdpPort(5683, checked!("coap", udp::coap)),
    Signature::UdpPort(11211, checked!("memcached", udp::memcached)),
];
