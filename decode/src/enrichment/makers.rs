//! Makers of network interfaces, by the first bits of their addresses.

use hashbrown::HashMap;

/// Prefixes of 48-bit addresses, each with its length in bits.
pub(super) struct Makers {
    names: HashMap<(u8, u64), Box<str>>,
    /// The lengths that occur, the longest first.
    lengths: Vec<u8>,
}

impl Makers {
    /// Reads IEEE's CSV (`MA-L,002272,Name,Address`) or Wireshark's `manuf` (tabs; prefix, short name, name).
    pub fn parse(text: &str) -> Result<Makers, String> {
        let names: HashMap<_, _> = text.lines().filter_map(|line| ieee(line).or_else(|| manuf(line))).collect();
        if names.is_empty() {
            return Err("neither IEEE's CSV of assignments nor a manuf file".into());
        }
        let mut lengths: Vec<u8> = names.keys().map(|(length, _)| *length).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Ok(Makers { names, lengths })
    }

    /// The maker of `aa:bb:cc:dd:ee:ff`.
    pub fn of(&self, mac: &str) -> Option<&str> {
        let (_, address) = prefix(mac)?;
        let of_length = |length: &u8| self.names.get(&(*length, address >> (48 - length)));
        self.lengths.iter().find_map(of_length).map(|name| &**name)
    }
}

type Entry = ((u8, u64), Box<str>);

fn ieee(line: &str) -> Option<Entry> {
    let (registry, rest) = line.split_once(',')?;
    if !matches!(registry, "MA-L" | "MA-M" | "MA-S") {
        return None;
    }
    let (assignment, rest) = rest.split_once(',')?;
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?.0,
        None => rest.split(',').next()?,
    };
    Some((prefix(assignment)?, name.trim().into()))
}

fn manuf(line: &str) -> Option<Entry> {
    let mut columns = line.split('\t').map(str::trim);
    let (which, short) = (columns.next()?, columns.next()?);
    let name = columns.next().map(|long| long.trim_start_matches(['#', ' '])).filter(|long| !long.is_empty());
    let (digits, bits) = which.split_once('/').unwrap_or((which, ""));
    let (length, number) = prefix(digits).filter(|(length, _)| *length >= 24)?;
    let wanted = bits.parse().unwrap_or(length);
    let shorter = length.checked_sub(wanted).filter(|_| wanted > 0)?;
    Some(((wanted, number >> shorter), name.unwrap_or(short).into()))
}

/// Hexadecimal digits, with or without separators: their number in bits, and what they say.
fn prefix(digits: &str) -> Option<(u8, u64)> {
    let (mut length, mut number) = (0, 0);
    for digit in digits.chars().filter(|c| !matches!(c, ':' | '-' | '.')) {
        number = number << 4 | u64::from(digit.to_digit(16)?);
        length += 4;
        if length > 48 {
            return None;
        }
    }
    (length > 0).then_some((length, number))
}

#[cfg(test)]
mod tests {
    use super::Makers;

    #[test]
    fn the_longest_prefix_names_the_maker_in_either_format() {
        let csv = "Registry,Assignment,Organization Name,Organization Address\nMA-L,001BC5,IEEE Registration,US\n\
                   MA-S,001BC5000,\"Converging Systems, Inc.\",US\r\nMA-M,70B3D51,Some One,\"A, B\"\n";
        let manuf = "# a comment\n00:1B:C5\tIEEE\tIEEE Registration\n\
                     00:1B:C5:00:00:00/36\tConvergi\tConverging Systems, Inc.\n70:B3:D5:10:00:00/28\tSome One\n";
        for table in [csv, manuf] {
            let makers = Makers::parse(table).expect("a table");
            assert_eq!(makers.of("00:1b:c5:00:0f:ff"), Some("Converging Systems, Inc."));
            assert_eq!(makers.of("00:1b:c5:00:10:00"), Some("IEEE Registration"));
            assert_eq!(makers.of("70:b3:d5:1f:00:00"), Some("Some One"));
            assert_eq!(makers.of("70:b3:d5:2f:00:00"), None);
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert!(Makers::parse("a\tb\nhello, world\n\u{0}").is_err());
    }
}
