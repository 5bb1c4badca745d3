//! Addresses of people and machines in headers and commands.

use super::{HOST, IP};
use crate::field::Field;
use crate::protocol::Flow;

/// What is between angle brackets, or the whole without them.
pub fn inside(text: &[u8]) -> &[u8] {
    match text.iter().position(|&b| b == b'<') {
        Some(at) => text[at + 1..].split(|&b| b == b'>').next().unwrap_or_default(),
        None => text.trim_ascii(),
    }
}

/// The addresses of a list such as `"One, A" <a@b>, c@d`.
pub fn list(flow: &mut Flow<'_>, field: &Field, text: &[u8]) {
    let mut quoted = false;
    let parts = text.split(|&b| {
        quoted ^= b == b'"';
        b == b',' && !quoted
    });
    for part in parts {
        let address = inside(part);
        if !address.is_empty() {
            flow.fields.bytes(field, address);
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], end: impl Fn(u8) -> bool) -> &'a [u8] {
    let at = rest.iter().position(|&b| end(b)).unwrap_or(rest.len());
    let (word, after) = rest.split_at(at);
    *rest = after;
    word
}

fn host(flow: &mut Flow<'_>, name: &[u8]) {
    let name = name.rsplit(|&b| b == b'@').next().unwrap_or(name);
    flow.fields.bytes(&HOST, name.trim_ascii());
}

/// A Received header: the machines it names after `from` and `by`, and addresses in brackets.
pub fn received(flow: &mut Flow<'_>, text: &[u8]) {
    let mut rest = text;
    let mut before = b' ';
    while let Some(&byte) = rest.first() {
        let free = before.is_ascii_whitespace() || before == b'(';
        if free && (rest.starts_with(b"from ") || rest.starts_with(b"by ")) {
            take(&mut rest, |b| b == b' ');
            rest = rest.trim_ascii_start();
            if rest.first() != Some(&b'[') {
                let name = take(&mut rest, |b| b.is_ascii_whitespace() || matches!(b, b')' | b';'));
                host(flow, name);
            }
            before = b'x';
            continue;
        }
        before = byte;
        rest = &rest[1..];
        if byte == b'['
            && let Some(ip) = super::ip(take(&mut rest, |b| b == b']'))
        {
            flow.fields.ip(&IP, ip);
        }
    }
}
