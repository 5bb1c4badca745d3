//! PTP (IEEE 1588): precise time, from which clock.

use super::reader::mac;
use super::{Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

crate::declare_fields! {
    CLOCK_ID = Field::set("ptp.clockId", "ptp.clockId", Kind::Term, "Clocks");
    MESSAGE_TYPE = Field::set("ptp.msgType", "ptp.msgType", Kind::Term, "Kinds of messages");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "ptp",
    fields: FIELDS,
    signatures: &[
        Signature::UdpPort(319, |flow, _, data| begin(flow, data)),
        Signature::UdpPort(320, |flow, _, data| begin(flow, data)),
    ],
};

const HEADER: usize = 34;

/// Kind and clock, if this may be PTP.
fn message(data: &[u8]) -> Option<(&'static str, &[u8])> {
    let [kind, version, ..] = data else { return None };
    let kind = match kind & 0xf {
        0x0 => "sync",
        0x1 => "delay-req",
        0x2 => "pdelay-req",
        0x3 => "pdelay-resp",
        0x8 => "follow-up",
        0x9 => "delay-resp",
        0xa => "pdelay-resp-follow-up",
        0xb => "announce",
        0xc => "signaling",
        0xd => "management",
        _ => return None,
    };
    let clock = data.get(20..28).filter(|_| version & 0xf == 2 && data.len() >= HEADER)?;
    Some((kind, clock))
}

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if message(data).is_some() {
        each::begin(flow, "ptp", read);
    }
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let Some((kind, clock)) = message(data) else {
        flow.anomaly("ptp-message-malformed");
        return;
    };
    flow.fields.text(&MESSAGE_TYPE, kind);
    flow.fields.text(&CLOCK_ID, &mac(clock));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    #[test]
    fn a_message_tells_kind_and_clock() {
        let mut data = [0; 44];
        data[..2].copy_from_slice(&[0x0b, 2]);
        data[20..28].copy_from_slice(&[0, 0x1b, 0x19, 0xff, 0xfe, 1, 2, 3]);
        let mut harness = Harness::new(Transport::Udp, 320);
        harness.data(Direction::Client, &data);
        harness.data(Direction::Client, &data[..20]);
        assert_eq!(harness.protocols, ["ptp"]);
        assert_eq!(harness.texts(&MESSAGE_TYPE), ["announce"]);
        assert_eq!(harness.texts(&CLOCK_ID), ["00:1b:19:ff:fe:01:02:03"]);
    }
}
