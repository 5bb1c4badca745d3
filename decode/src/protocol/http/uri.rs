//! What a request's head says together: the URI with its host, the query's keys and values, cookies, the user.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::fields::*;
use super::head::Head;
use crate::field::Field;
use crate::protocol::{Flow, ntlm};

/// Base64 as strangers write it: padded or not.
pub static BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Bytes of a URI that are kept.
const MAX_URI: usize = 4_096;

/// Writes what a whole request head tells.
pub fn request(flow: &mut Flow<'_>, head: &Head) {
    cookies(flow, &head.cookie);
    credentials(flow, &head.authorization);
    credentials(flow, &head.proxy_authorization);
    let uri = &head.uri;
    if head.host.is_empty() {
        flow.fields.bytes(&URI, cut(uri));
        return;
    }
    flow.fields.bytes(&HOST, without_port(&head.host));
    let mut parts = uri.splitn(2, |&b| b == b'?');
    let path = parts.next().unwrap_or_default();
    flow.fields.bytes(&PATH, path);
    if let Some(text) = parts.next() {
        query(flow, text);
    }
    let host = head.host.to_ascii_lowercase();
    let whole = match uri.first() {
        Some(b'/') => [&host[..], uri].concat(),
        _ if names_host(uri, &host) => uri.clone(),
        _ => [&host[..], b";", uri].concat(),
    };
    flow.fields.bytes(&URI, cut(&whole));
    services(flow, path);
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MAX_URI)]
}

/// Whether an absolute URI (`http://host/`, `host:443`) begins with the Host header's name.
fn names_host(uri: &[u8], host: &[u8]) -> bool {
    (0..=8).any(|at| uri.get(at..at + host.len()).is_some_and(|part| part.eq_ignore_ascii_case(host)))
}

fn without_port(host: &[u8]) -> &[u8] {
    match host.strip_prefix(b"[") {
        Some(rest) => rest.split(|&b| b == b']').next().unwrap_or(rest),
        None => host.split(|&b| b == b':').next().unwrap_or(host),
    }
}

fn query(flow: &mut Flow<'_>, text: &[u8]) {
    for pair in text.split(|&b| b == b'&') {
        let mut parts = pair.split(|&b| b == b'=');
        component(flow, &KEY, parts.next().unwrap_or_default());
        parts.for_each(|part| component(flow, &VALUE, part));
    }
}

fn component(flow: &mut Flow<'_>, field: &Field, part: &[u8]) {
    if !part.is_empty() {
        flow.fields.bytes(field, &unescape(part));
    }
}

/// Percent-decodes; a wrong or NUL escape leaves the whole as it came.
fn unescape(part: &[u8]) -> Cow<'_, [u8]> {
    if !part.contains(&b'%') {
        return Cow::Borrowed(part);
    }
    let mut out = Vec::with_capacity(part.len());
    let mut rest = part;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = after.get(..2).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let value = digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 16).ok());
        match value {
            Some(value) if value != 0 => out.push(value),
            _ => return Cow::Borrowed(part),
        }
        rest = after.get(2..).unwrap_or_default();
    }
    Cow::Owned(out)
}

fn cookies(flow: &mut Flow<'_>, text: &[u8]) {
    for pair in text.split(|&b| b == b';') {
        let pair = pair.trim_ascii_start();
        let Some(equal) = pair.iter().position(|&b| b == b'=') else { continue };
        flow.fields.bytes(&COOKIE_KEY, &pair[..equal]);
        flow.fields.bytes(&COOKIE_VALUE, pair.get(equal + 1..).unwrap_or_default().trim_ascii_start());
    }
}

/// An Authorization header: its scheme, and the user where the scheme tells one.
pub fn credentials(flow: &mut Flow<'_>, text: &[u8]) {
    let text = text.trim_ascii();
    let Some(space) = text.iter().position(|&b| b == b' ') else { return };
    let (scheme, rest) = (&text[..space], text[space..].trim_ascii());
    flow.fields.bytes(&AUTH_TYPE, scheme);
    if scheme.eq_ignore_ascii_case(b"basic") {
        let Ok(decoded) = BASE64.decode(rest) else { return };
        if let Some(colon) = decoded.iter().position(|&b| b == b':') {
            flow.fields.bytes(&USER, &decoded[..colon]);
        }
    } else if scheme.eq_ignore_ascii_case(b"digest") {
        if let Some(user) = digest_user(rest) {
            flow.fields.bytes(&USER, user);
        }
    } else {
        negotiation(flow, scheme, rest);
    }
}

/// NTLM in a header of either side.
pub fn negotiation(flow: &mut Flow<'_>, scheme: &[u8], text: &[u8]) {
    if (scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate"))
        && let Ok(decoded) = BASE64.decode(text)
    {
        ntlm::find(flow, &decoded);
    }
}

fn digest_user(text: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"username=";
    let at = text.windows(NAME.len()).position(|w| w.eq_ignore_ascii_case(NAME))?;
    let rest = text.get(at + NAME.len()..)?;
    match rest.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|&b| b == b'"').next(),
        None => rest.split(|&b| b == b',').next(),
    }
}

/// Services over HTTP that analysts look for by name.
fn services(flow: &mut Flow<'_>, path: &[u8]) {
    let begins = |text: &[u8]| path.get(..text.len()).is_some_and(|p| p.eq_ignore_ascii_case(text));
    let holds = |text: &[u8]| path.windows(text.len()).any(|p| p.eq_ignore_ascii_case(text));
    if begins(b"/certsrv/mscep") {
        flow.protocol("adcs-ndes");
    } else if begins(b"/certsrv") {
        flow.protocol("adcs-web");
    } else if holds(b"_cep_") && holds(b"/service.svc") {
        flow.protocol("adcs-cep");
    } else if begins(b"/enrollmentserver/") || (holds(b"_ces_") && holds(b"/service.svc")) {
        flow.protocol("adcs-ces");
    } else if path == b"/wsman" || begins(b"/wsman?") || begins(b"/wsman/") {
        flow.protocol("winrm");
    }
}
