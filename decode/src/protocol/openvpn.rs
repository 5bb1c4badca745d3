//! OpenVPN, by the packets that open a tunnel: on any port, over UDP and TCP.

use super::{Flow, Protocol, Signature};

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

/// Whether a packet of this size without the MAC may come with one.
fn sized(data: &[u8], plain: usize) -> bool {
    data.len() == plain || MACS.iter().any(|mac| data.len() == plain + mac + REPLAY)
}

fn is_reset(data: &[u8]) -> bool {
    match data.first() {
        // Nothing to acknowledge yet, and the first packet.
        Some(&CLIENT_V2) => sized(data, CLIENT) && data.ends_with(&[0; 5]),
        // The client's first packet is acknowledged: count, packet, session, then the server's first.
        Some(&SERVER_V2) => {
            let end = data.len().saturating_sub(SERVER - 9);
            sized(data, SERVER)
                && data.ends_with(&[0; 4])
                && data.get(end..).is_some_and(|e| e.starts_with(&[1, 0, 0, 0, 0]))
        }
        _ => false,
    }
}

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if is_reset(data) {
        flow.protocol("openvpn");
    }
}

fn begin_framed(flow: &mut Flow<'_>, data: &[u8]) {
    let Some((length, packet)) = data.split_first_chunk::<2>() else { return };
    let packet = packet.get(..usize::from(u16::from_be_bytes(*length)));
    if packet.is_some_and(is_reset) {
        flow.protocol("openvpn");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    fn reset(opcode: u8, mac: usize, end: &[u8]) -> Vec<u8> {
        [&[opcode][..], b"SESSIONS", &vec![7; if mac > 0 { mac + REPLAY } else { 0 }], end].concat()
    }

    const CLIENT_END: &[u8] = &[0; 5];
    const SERVER_END: &[u8] = b"\x01\0\0\0\0SESSIONC\0\0\0\0";

    #[test]
    fn resets_are_known_with_and_without_a_mac() {
        for mac in [0, 16, 20, 32, 64] {
            for packet in [reset(CLIENT_V2, mac, CLIENT_END), reset(SERVER_V2, mac, SERVER_END)] {
                let framed = [&(packet.len() as u16).to_be_bytes()[..], &packet].concat();
                for (transport, data) in [(Transport::Udp, &packet), (Transport::Tcp, &framed)] {
                    let mut harness = Harness::new(transport, 1194);
                    harness.data(Direction::Client, data);
                    assert_eq!(harness.protocols, ["openvpn"], "{transport:?} {mac}");
                }
            }
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
