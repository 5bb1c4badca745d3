//! OpenVPN, by the packets that open a tunnel: on any port, over UDP and TCP.

mod control;

use super::{Flow, Protocol, Signature};
use control::Control;

pub static PROTOCOL: Protocol = Protocol {
    name: "openvpn",
    fields: &[],
    signatures: &[
        Signature::Udp(0, &[CLIENT_V2], |flow, _, data| begin(flow, data)),
        Signature::Udp(0, &[SERVER_V2], |flow, _, data| begin(flow, data)),
        Signature::Tcp(2, &[CLIENT_V2], |flow, _, data| begin_framed(flow, data)),
        Signature::Tcp(2, &[SERVER_V2], |flow, _, data| begin_framed(flow, data)),
    ],
};

/// Opcodes of the packets that reset a session, with key id 0.
const CLIENT_V2: u8 = 7 << 3;
const SERVER_V2: u8 = 8 << 3;

/// Opcode, session, count of acknowledgements and packet id; the server acknowledges one packet of one session more.
const CLIENT: usize = 1 + 8 + 1 + 4;
const SERVER: usize = CLIENT + 4 + 8;
/// With a shared key comes a MAC, of MD5 to SHA-512, and a packet id with the time.
const MACS: [usize; 6] = [16, 20, 28, 32, 48, 64];
const REPLAY: usize = 8;
/// Largest packet over TCP that is still taken for one.
const MAX_PACKET: usize = 16 << 10;

/// Whether a packet of this size without the MAC may come with one.
fn sized(data: &[u8], plain: usize) -> bool {
    data.len() == plain || MACS.iter().any(|mac| data.len() == plain + mac + REPLAY)
}

/// The size of the MAC and what belongs to it, if this is a reset.
fn reset(data: &[u8]) -> Option<usize> {
    let (plain, fits) = match *data.first()? {
        // Nothing to acknowledge yet, and the first packet.
        CLIENT_V2 => (CLIENT, data.ends_with(&[0; 5])),
        // The client's first packet is acknowledged: count, packet, session; then comes the server's first.
        SERVER_V2 => {
            let end = data.get(data.len().saturating_sub(SERVER - 9)..)?;
            (SERVER, data.ends_with(&[0; 4]) && end.starts_with(&[1, 0, 0, 0, 0]))
        }
        _ => return None,
    };
    (fits && sized(data, plain)).then(|| data.len() - plain)
}

fn begin(flow: &mut Flow<'_>, packet: &[u8]) {
    let Some(overhead) = reset(packet).filter(|_| !flow.has_protocol("openvpn")) else { return };
    flow.protocol("openvpn");
    flow.attach(Box::new(Control::new(flow.ends.transport, overhead)));
}

fn begin_framed(flow: &mut Flow<'_>, data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    if let Some(packet) = rest.get(..usize::from(u16::from_be_bytes(*length))) {
        begin(flow, packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    fn packet(opcode: u8, mac: usize, end: &[u8]) -> Vec<u8> {
        [&[opcode][..], b"SESSIONS", &vec![7; if mac > 0 { mac + REPLAY } else { 0 }], end].concat()
    }

    const CLIENT_END: &[u8] = &[0; 5];
    const SERVER_END: &[u8] = b"\x01\0\0\0\0SESSIONC\0\0\0\0";

    #[test]
    fn resets_are_known_with_and_without_a_mac() {
        for mac in [0, 16, 20, 32, 64] {
            for packet in [packet(CLIENT_V2, mac, CLIENT_END), packet(SERVER_V2, mac, SERVER_END)] {
                let framed = [&(packet.len() as u16).to_be_bytes()[..], &packet].concat();
                for (transport, data) in [(Transport::Udp, &packet), (Transport::Tcp, &framed)] {
                    let mut harness = Harness::new(transport, 1194);
                    harness.data(Direction::Client, data);
                    assert_eq!(harness.protocols, ["openvpn"], "{transport:?} {mac}");
                }
            }
        }
    }

    /// A TLS server hello cut into two control packets, each with its acknowledgement.
    fn hello(number: u8, payload: &[u8]) -> Vec<u8> {
        [&[0x20][..], b"SESSIONS", b"\x01\0\0\0\x01SESSIONC\0\0\0", &[number], payload].concat()
    }

    const HELLO: &[u8] = b"\x16\x03\x03\x00\x2a\x02\0\0\x26\x03\x03................................\0\0\x2f\0";

    #[test]
    fn the_handshake_within_is_read_whatever_the_order_of_its_packets() {
        let (first, second) = (hello(1, &HELLO[..20]), hello(2, &HELLO[20..]));
        for packets in [[&first, &second, &first], [&second, &first, &second]] {
            let mut harness = Harness::new(Transport::Udp, 1194);
            harness.data(Direction::Server, &packet(SERVER_V2, 0, SERVER_END));
            packets.iter().for_each(|packet| harness.data(Direction::Server, packet));
            assert_eq!(harness.protocols, ["openvpn"]);
            assert!(!harness.fields.is_empty());
        }
    }

    #[test]
    fn a_stream_may_be_cut_at_each_byte() {
        let packets = [packet(SERVER_V2, 20, SERVER_END), hello(1, HELLO)];
        let first = [&(packets[0].len() as u16).to_be_bytes()[..], &packets[0]].concat();
        let second = [&(packets[1].len() as u16 + 28).to_be_bytes()[..], &packets[1][..9], &[7; 28], &packets[1][9..]];
        let second = second.concat();
        for cut in 1..second.len() {
            let mut harness = Harness::new(Transport::Tcp, 1194);
            harness.data(Direction::Server, &[&first[..], &second[..cut]].concat());
            harness.data(Direction::Server, &second[cut..]);
            assert_eq!(harness.protocols, ["openvpn"]);
            assert!(!harness.fields.is_empty());
        }
    }

    #[test]
    fn other_packets_that_begin_so_are_not() {
        for data in [&b"8"[..], b"8.........", b"@\0\0", &[CLIENT_V2; 14], &[SERVER_V2; 26]] {
            let mut harness = Harness::new(Transport::Udp, 1194);
            harness.data(Direction::Client, data);
            assert!(harness.protocols.is_empty());
        }
    }
}
