//! Punycode (RFC 3492): how names outside ASCII travel in DNS.

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

fn digit(byte: u8) -> Option<u32> {
    match byte {
        b'a'..=b'z' => Some(u32::from(byte - b'a')),
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 26),
        _ => None,
    }
}

fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

/// One generalized variable-length integer, added to `i`.
fn integer(digits: &mut impl Iterator<Item = u8>, mut i: u32, bias: u32) -> Option<u32> {
    let mut weight = 1u32;
    let mut k = BASE;
    loop {
        let value = digit(digits.next()?)?;
        i = i.checked_add(value.checked_mul(weight)?)?;
        let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if value < threshold {
            return Some(i);
        }
        weight = weight.checked_mul(BASE - threshold)?;
        k += BASE;
    }
}

/// A label after its `xn--`, decoded; `None` if it is no punycode.
pub fn decode(label: &str) -> Option<String> {
    let (basic, extended) = label.rsplit_once('-').unwrap_or(("", label));
    if !label.is_ascii() || extended.is_empty() {
        return None;
    }
    let mut output: Vec<char> = basic.chars().collect();
    let mut digits = extended.bytes().peekable();
    let (mut n, mut i, mut bias) = (INITIAL_N, 0u32, INITIAL_BIAS);
    while digits.peek().is_some() {
        let before = i;
        i = integer(&mut digits, i, bias)?;
        let points = output.len() as u32 + 1;
        bias = adapt(i - before, points, before == 0);
        n = n.checked_add(i / points)?;
        i %= points;
        output.insert(i as usize, char::from_u32(n)?);
        i += 1;
    }
    Some(output.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn samples_of_the_standard_decode() {
        assert_eq!(decode("ihqwcrb4cv8a8dqg056pqjye").unwrap(), "他们为什么不说中文");
        assert_eq!(decode("mnchen-3ya").unwrap(), "münchen");
    }

    #[test]
    fn what_is_no_punycode_is_refused() {
        assert_eq!(decode(""), None);
        assert_eq!(decode("abc-"), None);
        assert_eq!(decode("99999999"), None);
        assert_eq!(decode("é"), None);
    }
}
