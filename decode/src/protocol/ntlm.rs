//! NTLM messages, wherever another protocol carries them: who logs on, from which host, to what domain.

use super::{Flow, Protocol};
use crate::field::{Field, Kind};

static DOMAIN: Field = Field::set("ntlm.domain", "ntlm.domain", Kind::Term, "Domains");
static HOST: Field = Field::set("ntlm.host", "ntlm.host", Kind::Term, "Workstations");
static TARGET: Field = Field::set("ntlm.targetName", "ntlm.targetName", Kind::Term, "Names servers give themselves");
static TYPE: Field = Field::set("ntlm.type", "ntlm.type", Kind::Integer, "Message types");
static VERSION: Field = Field::set("ntlm.version", "ntlm.version", Kind::Term, "Versions of Windows");

pub static PROTOCOL: Protocol =
    Protocol { name: "ntlm", fields: &[&DOMAIN, &HOST, &TARGET, &TYPE, &VERSION], signatures: &[] };

const MAGIC: &[u8] = b"NTLMSSP\0";
const UNICODE: u32 = 0x0000_0001;
const VERSION_GIVEN: u32 = 0x0200_0000;

/// Who logs on, as the last of the three messages tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Logon {
    pub domain: String,
    pub user: String,
    pub host: String,
    /// Whether each of these lay inside the message.
    pub whole: bool,
}

/// Reads the NTLM message in `data`, if there is one (bare or inside SPNEGO).
pub fn find(flow: &mut Flow<'_>, data: &[u8]) -> Option<Logon> {
    let at = data.windows(MAGIC.len()).position(|window| window == MAGIC)?;
    message(flow, &data[at..])
}

fn message(flow: &mut Flow<'_>, data: &[u8]) -> Option<Logon> {
    let kind = u32_at(data, 8)?;
    if !(1..=3).contains(&kind) {
        return None;
    }
    flow.protocol("ntlm");
    flow.fields.int(&TYPE, i64::from(kind));
    match kind {
        1 => {
            let flags = u32_at(data, 12)?;
            // The flags that announce these two are not to be relied on.
            name(flow, &DOMAIN, data, 16, false);
            name(flow, &HOST, data, 24, false);
            version(flow, data, flags, 32);
        }
        2 => {
            let flags = u32_at(data, 20)?;
            name(flow, &TARGET, data, 12, flags & UNICODE != 0);
            version(flow, data, flags, 48);
        }
        _ => return Some(authenticate(flow, data)),
    }
    None
}

fn authenticate(flow: &mut Flow<'_>, data: &[u8]) -> Logon {
    let flags = u32_at(data, 60).unwrap_or(UNICODE);
    let names = [28, 36, 44].map(|at| buffer(data, at).map(|value| text(value, flags & UNICODE != 0)));
    let whole = names.iter().all(Option::is_some);
    let [domain, user, host] = names.map(Option::unwrap_or_default);
    let logon = Logon { domain, user, host, whole };
    flow.fields.text(&DOMAIN, &logon.domain);
    flow.fields.text(&HOST, &logon.host);
    flow.user(logon.user.as_bytes());
    // Old clients have no room for a version before the first name.
    if [12, 20, 28, 36, 44].into_iter().filter_map(|at| u32_at(data, at + 4)).all(|offset| offset >= 72) {
        version(flow, data, flags, 64);
    }
    logon
}

fn name(flow: &mut Flow<'_>, field: &Field, data: &[u8], at: usize, unicode: bool) {
    if let Some(value) = buffer(data, at) {
        flow.fields.text(field, &text(value, unicode));
    }
}

fn version(flow: &mut Flow<'_>, data: &[u8], flags: u32, at: usize) {
    if let (true, Some(&[major, minor, a, b])) = (flags & VERSION_GIVEN != 0, data.get(at..at + 4)) {
        flow.fields.text(&VERSION, &format!("{major}.{minor}.{}", u16::from_le_bytes([a, b])));
    }
}

/// What the length and offset at `at` point at.
fn buffer(data: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16::from_le_bytes(*data.get(at..)?.first_chunk()?));
    let offset = usize::try_from(u32_at(data, at + 4)?).ok()?;
    data.get(offset..offset.checked_add(length)?)
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

fn text(bytes: &[u8], unicode: bool) -> String {
    if unicode { utf16le(bytes) } else { bytes.iter().map(|&b| b as char).collect() }
}

/// UTF-16, little-endian, as Windows protocols write text.
pub fn utf16le(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Transport, USER};

    fn harness(data: &[u8]) -> Harness {
        let mut harness = Harness::new(Transport::Tcp, 445);
        harness.with(|flow| {
            drop(find(flow, data));
        });
        harness
    }

    #[test]
    fn a_first_message_tells_domain_and_host() {
        let message = b"\x60\x28NTLMSSP\0\x01\0\0\0\x07\x32\0\x02\x07\0\x07\0\x28\0\0\0\x08\0\x08\0\x2f\0\0\0\
            \x0a\0\x61\x4a\0\0\0\x0fHTTPDOMHTTPHOST";
        let harness = harness(message);
        assert_eq!(harness.texts(&DOMAIN), ["HTTPDOM"]);
        assert_eq!(harness.texts(&HOST), ["HTTPHOST"]);
        assert_eq!(harness.texts(&VERSION), ["10.0.19041"]);
        assert_eq!(harness.ints(&TYPE), [1]);
    }

    #[test]
    fn a_message_cut_anywhere_is_no_trouble() {
        let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
        message.extend_from_slice(&[0xff; 80]);
        for length in 0..message.len() {
            assert!(harness(&message[..length]).texts(&USER).is_empty());
        }
    }
}
