//! NTP: who sets whose clock, and by what.

use super::reader::hex;
use super::{Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    MODE = Field::set("ntp.mode", "ntp.mode", Term, "Modes");
    REFERENCE = Field::set("ntp.ref-id", "ntp.refId", Term, "Sources of time: a name for clocks, else in hex");
    STRATUM = Field::set("ntp.stratum", "ntp.stratum", Term, "Distances from a clock");
    VERSION = Field::set("ntp.version", "ntp.version", Integer, "Versions");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "ntp", fields: FIELDS, signatures: &[Signature::UdpPort(123, |flow, _, data| begin(flow, data))] };

const MODES: [&str; 8] =
    ["reserved", "symmetric-active", "symmetric-passive", "client", "server", "broadcast", "control", "private"];
/// Modes from this on are of another form.
const CONTROL: u8 = 6;
/// A message without extensions.
const SHORTEST: usize = 48;

/// Version and mode, if this may be NTP.
fn head(data: &[u8]) -> Option<(u8, u8)> {
    let first = *data.first()?;
    let (version, mode) = (first >> 3 & 7, first & 7);
    let fits = (1..=4).contains(&version) && mode != 0 && (mode >= CONTROL || data.len() >= SHORTEST);
    fits.then_some((version, mode))
}

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if head(data).is_some() {
        each::begin(flow, "ntp", read);
    }
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let Some((version, mode)) = head(data) else {
        flow.anomaly("ntp-message-malformed");
        return;
    };
    flow.fields.int(&VERSION, i64::from(version));
    if let Some(name) = MODES.get(usize::from(mode)) {
        flow.fields.text(&MODE, name);
    }
    let (Some(stratum), Some(reference)) = (data.get(1), data.get(12..16)) else { return };
    if mode >= CONTROL {
        return;
    }
    let name = match stratum {
        0 => "unspecified",
        1 => "primary",
        2..=15 => "secondary",
        16 => "unsynchronized",
        _ => "reserved",
    };
    flow.fields.text(&STRATUM, name);
    let text = reference.split(|b| *b == 0).next().unwrap_or_default();
    if *stratum <= 1 && text.iter().all(u8::is_ascii_graphic) {
        flow.fields.bytes(&REFERENCE, text);
    } else if reference != [0; 4] {
        flow.fields.text(&REFERENCE, &hex(reference));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    fn message(first: u8, stratum: u8, reference: &[u8; 4]) -> [u8; SHORTEST] {
        let mut data = [0; SHORTEST];
        data[0] = first;
        data[1] = stratum;
        data[12..16].copy_from_slice(reference);
        data
    }

    #[test]
    fn clocks_have_names_and_servers_addresses() {
        let mut harness = Harness::new(Transport::Udp, 123);
        harness.data(Direction::Client, &message(0x23, 0, &[0; 4]));
        harness.data(Direction::Server, &message(0x24, 1, b"GPS\0"));
        harness.data(Direction::Server, &message(0x24, 2, &[0x7f, 0x7f, 1, 1]));
        assert_eq!(harness.protocols, ["ntp"]);
        assert_eq!(harness.ints(&VERSION), [4]);
        assert_eq!(harness.texts(&MODE), ["client", "server"]);
        assert_eq!(harness.texts(&STRATUM), ["unspecified", "primary", "secondary"]);
        assert_eq!(harness.texts(&REFERENCE), ["GPS", "7f7f0101"]);
    }

    #[test]
    fn short_or_foreign_datagrams_are_not_ntp() {
        for data in [&[][..], &[0x23; 20], &[0xff; 60], &[0; 60]] {
            let mut harness = Harness::new(Transport::Udp, 123);
            harness.data(Direction::Client, data);
            assert!(harness.protocols.is_empty());
        }
    }
}
