//! What is inside IP: TCP, UDP, SCTP, ICMP, and everything else by its number.

use super::{Class, Packet, Step, Tcp, tunnel};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV4: u8 = 4;
const IPV6: u8 = 41;
const GRE: u8 = 47;
const ESP: u8 = 50;
const AH: u8 = 51;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// Reads the transport header. `length` is what the IP header says there is; `data` may hold less.
pub(super) fn payload<'a>(protocol: u8, data: &'a [u8], length: u32, packet: &mut Packet<'a>) -> Step<'a> {
    // What an authentication header carries still counts as its protocol.
    if packet.protocol != AH {
        packet.protocol = protocol;
    }
    packet.payload = data;
    packet.payload_length = length;
    packet.class = match protocol {
        TCP => return tcp(data, length, packet),
        UDP => return udp(data, length, packet),
        SCTP => return sctp(data, length, packet),
        GRE => return tunnel::gre(data, packet),
        IPV4 | IPV6 => return tunnel::ip(data, packet),
        AH => return authentication(data, length, packet),
        ICMP | ICMPV6 => {
            // Without a length of its own, its messages end with the frame, as the peer counts them.
            packet.payload_length += packet.trailer;
            Class::Icmp
        }
        ESP => return esp(data, length, packet),
        _ => Class::Ip,
    };
    Step::Done
}

fn ports(data: &[u8; 4], packet: &mut Packet<'_>) {
    packet.source_port = u16::from_be_bytes([data[0], data[1]]);
    packet.destination_port = u16::from_be_bytes([data[2], data[3]]);
}

fn tcp<'a>(data: &'a [u8], length: u32, packet: &mut Packet<'a>) -> Step<'a> {
    let Some(header) = data.first_chunk::<20>() else {
        return packet.corrupt("tcp-too-short");
    };
    let size = usize::from(header[12] >> 4) * 4;
    if size < 20 || size as u32 > length {
        return packet.corrupt("tcp-bad-header");
    }
    ports(&[header[0], header[1], header[2], header[3]], packet);
    packet.tcp = Tcp {
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgement: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: u16::from(header[12] & 1) << 8 | u16::from(header[13]),
        window: u16::from_be_bytes([header[14], header[15]]),
    };
    finish(Class::Tcp, data, size, length, packet)
}

fn udp<'a>(data: &'a [u8], length: u32, packet: &mut Packet<'a>) -> Step<'a> {
    let Some(header) = data.first_chunk::<8>() else {
        return packet.corrupt("udp-too-short");
    };
    let length = match u32::from(u16::from_be_bytes([header[4], header[5]])) {
        // A jumbogram's length is in the IP header's options.
        0 if length > u32::from(u16::MAX) => length,
        0..8 => return packet.corrupt("udp-bad-header"),
        announced => announced.min(length),
    };
    ports(&[header[0], header[1], header[2], header[3]], packet);
    let data = &data[..data.len().min(length as usize)];
    let step = finish(Class::Udp, data, 8, length, packet);
    tunnel::udp(packet.payload, packet).unwrap_or(step)
}

/// The authentication header: next header, length in units of 4 less 2.
fn authentication<'a>(data: &'a [u8], length: u32, packet: &mut Packet<'a>) -> Step<'a> {
    let Some(header) = data.first_chunk::<8>() else {
        return packet.corrupt("ah-too-short");
    };
    // An index of zero is never sent: this is something else.
    if header[4..] == [0; 4] {
        packet.class = Class::Ip;
        return Step::Done;
    }
    let size = usize::from(header[1]) * 4 + 8;
    match data.get(size..) {
        Some(rest) if header[0] == ESP => esp(rest, length, packet),
        Some(rest) => Step::IpPayload(header[0], rest, length.saturating_sub(size as u32)),
        None => packet.corrupt("ah-too-short"),
    }
}

/// The encrypted payload, after index and sequence number; an authentication header before it counts, as the peer counts.
fn esp<'a>(data: &'a [u8], length: u32, packet: &mut Packet<'a>) -> Step<'a> {
    finish(Class::Esp, data, 8, length, packet)
}

fn sctp<'a>(data: &'a [u8], length: u32, packet: &mut Packet<'a>) -> Step<'a> {
    let Some(header) = data.first_chunk::<12>() else {
        return packet.corrupt("sctp-too-short");
    };
    ports(&[header[0], header[1], header[2], header[3]], packet);
    finish(Class::Sctp, data, 12, length, packet)
}

fn finish<'a>(class: Class, data: &'a [u8], size: usize, length: u32, packet: &mut Packet<'a>) -> Step<'a> {
    packet.class = class;
    packet.payload = data.get(size..).unwrap_or_default();
    packet.payload_length = length.saturating_sub(size as u32);
    Step::Done
}
