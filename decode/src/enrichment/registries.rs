//! Who gives out an IPv4 address: IANA's 256 blocks, each of a registry or of an old holder.

use std::net::IpAddr;

pub(super) struct Registries {
    names: [Option<Box<str>>; 256],
}

impl Registries {
    /// Reads IANA's `ipv4-address-space.csv`: `041/8,AFRINIC,2005-04,whois.afrinic.net,...`.
    pub fn parse(text: &str) -> Result<Registries, String> {
        let mut names = [const { None }; 256];
        for line in text.lines() {
            let Some((block, rest)) = line.split_once("/8,") else { continue };
            let Ok(block) = block.parse::<u8>() else { continue };
            names[usize::from(block)] = registry(rest).map(Box::from);
        }
        if names.iter().all(Option::is_none) {
            return Err("not IANA's CSV of the IPv4 address space".into());
        }
        Ok(Registries { names })
    }

    /// The registry's name, as in `RIPE`.
    pub fn of(&self, address: IpAddr) -> Option<&str> {
        match address {
            IpAddr::V4(address) => self.names[usize::from(address.octets()[0])].as_deref(),
            IpAddr::V6(_) => None,
        }
    }
}

/// The middle of the whois server's name (`whois.ripe.net`), in capitals; what has none is nobody's.
fn registry(rest: &str) -> Option<String> {
    let server = rest.split(',').find(|column| column.starts_with("whois."))?;
    Some(server.split('.').nth(1)?.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::Registries;

    #[test]
    fn a_block_is_named_by_whose_whois_answers_for_it() {
        let csv = "Prefix,Designation,Date,WHOIS,RDAP,Status [1],Note\n000/8,IANA - Local Identification,1981-09,,,RESERVED,[2]\n\
                   041/8,AFRINIC,2005-04,whois.afrinic.net,https://rdap.afrinic.net/rdap/,ALLOCATED,\n\
                   051/8,Administered by RIPE NCC,1994-08,whois.ripe.net,https://rdap.db.ripe.net/,LEGACY,\n";
        let table = Registries::parse(csv).expect("a table");
        let of = |address: &str| table.of(address.parse().expect("an address"));
        assert_eq!(
            [of("41.1.2.3"), of("51.0.0.1"), of("0.0.0.0"), of("2001:db8::1")],
            [Some("AFRINIC"), Some("RIPE"), None, None]
        );
        assert!(Registries::parse("1.2.3.4").is_err());
    }
}
