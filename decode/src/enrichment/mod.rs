//! What local tables say of a session's addresses: country, autonomous system, registry, and makers of interfaces.
//!
//! The tables are the operator's, not a capture's; all the same a damaged one is an error, never a panic.

mod makers;
mod registries;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{PathElement, Reader};

use crate::field::Field;
use crate::protocol::dhcp;
use crate::session::fields::*;
use crate::values::{Fields, Values};
use makers::Makers;
use registries::Registries;

/// Where the tables lie; each may be missing.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    /// MMDB with `country.iso_code` or `country_code`.
    pub country: Option<PathBuf>,
    /// MMDB with `autonomous_system_number` and `autonomous_system_organization`.
    pub asn: Option<PathBuf>,
    /// IANA's CSV of IPv4 blocks and who gives them out.
    pub rir: Option<PathBuf>,
    /// IEEE's CSV or Wireshark's `manuf`.
    pub oui: Option<PathBuf>,
}

/// The tables, in memory.
#[derive(Default)]
pub struct Enrichment {
    country: Option<Reader<Vec<u8>>>,
    asn: Option<Reader<Vec<u8>>>,
    registries: Option<Registries>,
    makers: Option<Makers>,
}

/// The fields that tell of one end.
struct End {
    address: &'static Field,
    country: &'static Field,
    asn: &'static Field,
    rir: &'static Field,
    /// Number and organisation on their own, as ECS has them.
    parts: Option<(&'static Field, &'static Field)>,
    mac: &'static Field,
    oui: &'static Field,
}

static ENDS: [End; 4] = [
    End {
        address: &SOURCE_IP,
        country: &SOURCE_COUNTRY,
        asn: &SOURCE_ASN,
        rir: &SOURCE_RIR,
        parts: Some((&SOURCE_AS_NUMBER, &SOURCE_AS_NAME)),
        mac: &SOURCE_MAC,
        oui: &SOURCE_OUI,
    },
    End {
        address: &DESTINATION_IP,
        country: &DESTINATION_COUNTRY,
        asn: &DESTINATION_ASN,
        rir: &DESTINATION_RIR,
        parts: Some((&DESTINATION_AS_NUMBER, &DESTINATION_AS_NAME)),
        mac: &DESTINATION_MAC,
        oui: &DESTINATION_OUI,
    },
    End {
        address: &SOURCE_OUTER_IP,
        country: &SOURCE_OUTER_COUNTRY,
        asn: &SOURCE_OUTER_ASN,
        rir: &SOURCE_OUTER_RIR,
        parts: None,
        mac: &SOURCE_OUTER_MAC,
        oui: &SOURCE_OUTER_OUI,
    },
    End {
        address: &DESTINATION_OUTER_IP,
        country: &DESTINATION_OUTER_COUNTRY,
        asn: &DESTINATION_OUTER_ASN,
        rir: &DESTINATION_OUTER_RIR,
        parts: None,
        mac: &DESTINATION_OUTER_MAC,
        oui: &DESTINATION_OUTER_OUI,
    },
];

impl Enrichment {
    /// Reads the tables; an error names the file.
    pub fn open(paths: &Paths) -> io::Result<Enrichment> {
        Ok(Enrichment {
            country: read(paths.country.as_deref(), database)?,
            asn: read(paths.asn.as_deref(), database)?,
            registries: read(paths.rir.as_deref(), |bytes| Registries::parse(&text(&bytes)))?,
            makers: read(paths.oui.as_deref(), |bytes| Makers::parse(&text(&bytes)))?,
        })
    }

    /// Adds what is known of a finished session's ends.
    pub fn apply(&self, fields: &mut Fields) {
        for end in &ENDS {
            let addresses = match fields.get(end.address) {
                Some(Values::Ips(list)) => list.clone(),
                _ => Default::default(),
            };
            addresses.iter().for_each(|address| self.address(*address, end, fields));
            self.makers(end.mac, end.oui, fields);
        }
        self.makers(&dhcp::MAC, &dhcp::OUI, fields);
        fields.sort();
    }

    fn makers(&self, addresses: &Field, told: &Field, fields: &mut Fields) {
        if let (Some(makers), Some(Values::Texts(macs))) = (&self.makers, fields.get(addresses)) {
            let names: Vec<_> = macs.items.iter().filter_map(|mac| makers.of(mac)).collect();
            names.into_iter().for_each(|name| fields.text(told, name));
        }
    }

    fn address(&self, address: IpAddr, end: &End, fields: &mut Fields) {
        if let Some(code) = self.country.as_ref().and_then(|table| country(table, address)) {
            fields.text(end.country, &code);
        }
        if let Some((number, name)) = self.asn.as_ref().and_then(|table| system(table, address)) {
            fields.text(end.asn, format!("AS{number} {name}").trim_end());
            if let Some((number_field, name_field)) = end.parts {
                fields.int(number_field, i64::from(number));
                fields.text(name_field, &name);
            }
        }
        if let Some(name) = self.registries.as_ref().and_then(|table| table.of(address)) {
            fields.text(end.rir, name);
        }
    }
}

/// A file that is named, as `parse` understands its bytes.
fn read<T>(path: Option<&Path>, parse: impl FnOnce(Vec<u8>) -> Result<T, String>) -> io::Result<Option<T>> {
    let Some(path) = path else { return Ok(None) };
    let named = |kind, why: String| io::Error::new(kind, format!("{}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| named(error.kind(), error.to_string()))?;
    parse(bytes).map(Some).map_err(|why| named(io::ErrorKind::InvalidData, why))
}

fn database(bytes: Vec<u8>) -> Result<Reader<Vec<u8>>, String> {
    Reader::from_source(bytes).map_err(|error| error.to_string())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn country(table: &Reader<Vec<u8>>, address: IpAddr) -> Option<String> {
    let found = table.lookup(address).ok()?;
    let nested = found.decode_path(&[PathElement::Key("country"), PathElement::Key("iso_code")]).ok().flatten();
    nested.or_else(|| found.decode_path(&[PathElement::Key("country_code")]).ok().flatten())
}

fn system(table: &Reader<Vec<u8>>, address: IpAddr) -> Option<(u32, String)> {
    let found = table.lookup(address).ok()?;
    let number = found.decode_path(&[PathElement::Key("autonomous_system_number")]).ok().flatten()?;
    let name = found.decode_path(&[PathElement::Key("autonomous_system_organization")]).ok().flatten();
    Some((number, name.unwrap_or_default()))
}
