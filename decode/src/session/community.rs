//! Community ID 1.0: a hash of a flow's ends that other tools compute alike.

use std::net::IpAddr;

use base64::Engine;
use sha1::{Digest, Sha1};

/// The ID for a flow, seed 0. ICMP's ports are those of `icmp_ports`; a protocol without ports is
/// hashed with zeros, as the peer does.
pub fn id(source: IpAddr, destination: IpAddr, protocol: u8, ports: (u16, u16)) -> String {
    let one = (bytes(source), ports.0);
    let other = (bytes(destination), ports.1);
    let one_way = matches!(protocol, 1 | 58) && icmp_one_way(protocol, ports);
    let (low, high) = if one_way || one <= other { (one, other) } else { (other, one) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(&low.0);
    hash.update(&high.0);
    hash.update([protocol, 0]);
    hash.update(low.1.to_be_bytes());
    hash.update(high.1.to_be_bytes());
    format!("1:{}", base64::engine::general_purpose::STANDARD.encode(hash.finalize()))
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

/// ICMP types and the types that answer them; a message that has none is hashed as it was sent.
const PAIRS_V4: [(u8, u8); 5] = [(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)];
const PAIRS_V6: [(u8, u8); 6] = [(128, 129), (133, 134), (135, 136), (130, 131), (144, 145), (139, 140)];

/// Type and code of an ICMP message as the standard's "ports", and whether the message has no counterpart.
pub fn icmp_ports(protocol: u8, kind: u8, code: u8) -> (u16, u16) {
    match counterpart(protocol, kind) {
        Some(other) => (u16::from(kind), u16::from(other)),
        None => (u16::from(kind), u16::from(code)),
    }
}

fn counterpart(protocol: u8, kind: u8) -> Option<u8> {
    let pairs: &[(u8, u8)] = if protocol == 1 { &PAIRS_V4 } else { &PAIRS_V6 };
    pairs.iter().find_map(|&(a, b)| {
        if a == kind {
            Some(b)
        } else if b == kind {
            Some(a)
        } else {
            None
        }
    })
}

fn icmp_one_way(protocol: u8, ports: (u16, u16)) -> bool {
    u8::try_from(ports.0).is_ok_and(|kind| counterpart(protocol, kind).is_none())
}

#[cfg(test)]
mod tests {
    use super::{icmp_ports, id};

    fn of(source: &str, destination: &str, protocol: u8, ports: (u16, u16)) -> String {
        id(source.parse().expect("an address"), destination.parse().expect("an address"), protocol, ports)
    }

    /// From the standard's published baseline.
    #[test]
    fn ids_are_those_the_standard_publishes() {
        let tcp = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
        assert_eq!(of("128.232.110.120", "66.35.250.204", 6, (34855, 80)), tcp);
        assert_eq!(of("66.35.250.204", "128.232.110.120", 6, (80, 34855)), tcp);
        assert_eq!(of("192.168.1.52", "8.8.8.8", 17, (54585, 53)), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        let ping = "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=";
        assert_eq!(of("192.168.0.89", "192.168.0.1", 1, icmp_ports(1, 8, 0)), ping);
        assert_eq!(of("192.168.0.1", "192.168.0.89", 1, icmp_ports(1, 0, 0)), ping);
    }
}
