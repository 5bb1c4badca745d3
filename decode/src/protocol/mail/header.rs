//! One header: put together from its lines, and written to the field it has, or to the list of all others.

use std::borrow::Cow;

use super::*;
use crate::limits::MAX_MESSAGE;

/// A header's name and value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The header whose lines are coming.
#[derive(Default)]
pub struct Header {
    open: Option<Pair>,
}

impl Header {
    /// The next line; the header before it, once it is whole. The name is in lower case.
    pub fn line(&mut self, line: &[u8]) -> Option<Pair> {
        if let (Some(b' ' | b'\t'), Some((_, value))) = (line.first(), &mut self.open) {
            if value.len() + line.len() <= MAX_MESSAGE {
                value.push(b' ');
                value.extend_from_slice(&line[1..]);
            }
            return None;
        }
        let before = self.open.take();
        if let Some(colon) = line.iter().position(|&b| b == b':') {
            let name = line[..colon].trim_ascii().to_ascii_lowercase();
            if !name.is_empty() {
                self.open = Some((name, line.get(colon + 1..).unwrap_or_default().to_vec()));
            }
        }
        before
    }

    /// The header that was still open.
    pub fn take(&mut self) -> Option<Pair> {
        self.open.take()
    }
}

/// Writes one header of a message.
pub fn write(flow: &mut Flow<'_>, name: &[u8], value: &[u8]) {
    flow.fields.bytes(&HEADER, name);
    let text = value.trim_ascii_start();
    match name {
        b"from" => address::list(flow, &SOURCE, text),
        b"to" | b"cc" => address::list(flow, &DESTINATION, text),
        b"subject" => subject(flow, value),
        b"received" => address::received(flow, text),
        b"message-id" => flow.fields.bytes(&ID, address::inside(text)),
        b"content-type" => flow.fields.bytes(&CONTENT_TYPE, text),
        b"mime-version" => flow.fields.bytes(&MIME_VERSION, text),
        b"x-mailer" | b"user-agent" => flow.fields.bytes(&USER_AGENT, text),
        b"x-originating-ip" | b"x-barracuda-apparent-source-ip" => {
            let bare = text.strip_prefix(b"[").and_then(|t| t.split(|&b| b == b']').next()).unwrap_or(text);
            if let Some(ip) = super::ip(bare) {
                flow.fields.ip(&IP, ip);
            }
        }
        b"x-elnk-trace" => flow.fields.bytes(&HEADER_ELNK, text),
        _ => {
            flow.fields.bytes(&HEADER_FIELD, name);
            flow.fields.bytes_or_empty(&HEADER_VALUE, text);
        }
    }
}

/// Writes a subject, decoded.
pub fn subject(flow: &mut Flow<'_>, value: &[u8]) {
    let decoded = words::decode(value.strip_prefix(b" ").unwrap_or(value));
    flow.fields.text(&SUBJECT, &decoded);
}

/// The value of `key=value` in a header such as Content-Type, without quotes.
pub fn parameter<'a>(value: &'a [u8], key: &[u8]) -> Option<Cow<'a, [u8]>> {
    let mut rest = value;
    while let Some(at) = rest.iter().position(|&b| b == b';') {
        rest = rest.get(at + 1..)?.trim_ascii_start();
        let Some(equal) = rest.iter().position(|&b| b == b'=' || b == b';') else { break };
        if rest[equal] == b'=' && rest[..equal].trim_ascii().eq_ignore_ascii_case(key) {
            return Some(unquote(rest.get(equal + 1..)?.trim_ascii_start()));
        }
    }
    None
}

fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        return Cow::Borrowed(text.split(|&b| b == b';').next().unwrap_or(text).trim_ascii());
    };
    Cow::Borrowed(quoted.split(|&b| b == b'"').next().unwrap_or(quoted))
}
