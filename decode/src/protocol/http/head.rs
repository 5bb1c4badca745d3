//! The head of one message while its lines come: what decides how the body is framed, and what the URI is made of.

use super::fields::*;
use crate::field::Field;
use crate::limits::MAX_MESSAGE;
use crate::protocol::{Flow, mail};

/// Headers that have a field of their own, besides the list of all.
static REQUEST_OWN: &[(&[u8], &Field)] = &[
    (b"host", &HOST),
    (b"user-agent", &USER_AGENT),
    (b"referer", &REQUEST_REFERER),
    (b"authorization", &REQUEST_AUTHORIZATION),
];
static RESPONSE_OWN: &[(&[u8], &Field)] = &[(b"location", &RESPONSE_LOCATION)];

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// What a head told so far.
#[derive(Default)]
pub struct Head {
    pub method: Option<&'static str>,
    pub uri: Vec<u8>,
    pub status: u16,
    pub host: Vec<u8>,
    pub cookie: Vec<u8>,
    pub authorization: Vec<u8>,
    pub proxy_authorization: Vec<u8>,
    pub authenticate: Vec<u8>,
    pub upgrade: Vec<u8>,
    pub connection_upgrade: bool,
    /// A header that may go on in the next line.
    name: Vec<u8>,
    value: Vec<u8>,
    length: Option<u64>,
    chunked: bool,
}

fn copy(to: &mut Vec<u8>, from: &[u8]) {
    to.clear();
    to.extend_from_slice(from);
}

impl Head {
    /// One line of the head that is not its end. `false`: this is no header.
    pub fn line(&mut self, flow: &mut Flow<'_>, request: bool, line: &[u8]) -> bool {
        if matches!(line.first(), Some(b' ' | b'\t')) && !self.name.is_empty() {
            if self.value.len() + line.len() <= MAX_MESSAGE {
                self.value.extend_from_slice(line);
            }
            return true;
        }
        self.flush(flow, request);
        let Some(colon) = line.iter().position(|&b| b == b':') else { return false };
        let (name, value) = (line[..colon].trim_ascii_end(), line.get(colon + 1..).unwrap_or_default());
        if name.is_empty() || name.iter().any(|b| !(0x21..0x7f).contains(b)) {
            return false;
        }
        copy(&mut self.name, name);
        self.name.make_ascii_lowercase();
        copy(&mut self.value, value.trim_ascii_start());
        true
    }

    /// Writes the header that was still open.
    pub fn flush(&mut self, flow: &mut Flow<'_>, request: bool) {
        if self.name.is_empty() {
            return;
        }
        let name = std::mem::take(&mut self.name);
        let value = std::mem::take(&mut self.value);
        self.header(flow, request, &name, &value);
        (self.name, self.value) = (name, value);
        self.name.clear();
    }

    /// One whole header, its name in lower case.
    pub fn header(&mut self, flow: &mut Flow<'_>, request: bool, name: &[u8], value: &[u8]) {
        self.frame(name, value, request);
        write(flow, request, name, value);
    }

    fn frame(&mut self, name: &[u8], value: &[u8], request: bool) {
        match name {
            b"content-length" => {
                self.length = std::str::from_utf8(value.trim_ascii()).ok().and_then(|v| v.parse().ok())
            }
            b"transfer-encoding" => self.chunked |= ends_with_word(value, b"chunked"),
            b"connection" => self.connection_upgrade |= has_word(value, b"upgrade"),
            b"upgrade" => copy(&mut self.upgrade, value.trim_ascii()),
            b"host" if request => copy(&mut self.host, value.trim_ascii()),
            // HTTP/2 may send each cookie by itself.
            b"cookie" if request && self.cookie.len() + value.len() < MAX_MESSAGE => {
                self.cookie.extend_from_slice(if self.cookie.is_empty() { b"" } else { b"; " });
                self.cookie.extend_from_slice(value);
            }
            b"authorization" if request => copy(&mut self.authorization, value),
            b"proxy-authorization" if request => copy(&mut self.proxy_authorization, value),
            b"www-authenticate" | b"proxy-authenticate" if !request => copy(&mut self.authenticate, value),
            _ => {}
        }
    }

    /// Whether the peer is asked (or agrees) to speak something else after this head.
    pub fn upgrades(&self) -> bool {
        self.connection_upgrade && !self.upgrade.is_empty()
    }

    /// How a request's body ends.
    pub fn request_framing(&self) -> Framing {
        match (self.chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) if length > 0 => Framing::Length(length),
            _ => Framing::None,
        }
    }

    /// How a response's body ends; `asked` is the method of the request it answers.
    pub fn response_framing(&self, asked: Option<&str>) -> Framing {
        if asked == Some("HEAD") || matches!(self.status, 100..=199 | 204 | 304) {
            return Framing::None;
        }
        match (self.chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, Some(0)) => Framing::None,
            (false, Some(length)) => Framing::Length(length),
            (false, None) => Framing::UntilClose,
        }
    }
}

fn write(flow: &mut Flow<'_>, request: bool, name: &[u8], value: &[u8]) {
    let (all, field, list, own) = match request {
        true => (&REQUEST_HEADER, &REQUEST_HEADER_FIELD, &REQUEST_HEADER_VALUE, REQUEST_OWN),
        false => (&RESPONSE_HEADER, &RESPONSE_HEADER_FIELD, &RESPONSE_HEADER_VALUE, RESPONSE_OWN),
    };
    flow.fields.bytes(all, name);
    if request && name == b"x-forwarded-for" {
        // The first is who asked; the others are proxies.
        if let Some(ip) = value.split(|&b| b == b',').next().and_then(mail::ip) {
            flow.fields.ip(&XFF_IP, ip);
        }
    } else if let Some((_, own)) = own.iter().find(|(header, _)| *header == name) {
        flow.fields.bytes_or_empty(own, value);
    } else {
        flow.fields.bytes(field, name);
        flow.fields.bytes_or_empty(list, value);
    }
}

fn words(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii)
}

fn has_word(value: &[u8], word: &[u8]) -> bool {
    words(value).any(|w| w.eq_ignore_ascii_case(word))
}

fn ends_with_word(value: &[u8], word: &[u8]) -> bool {
    words(value).next_back().is_some_and(|w| w.eq_ignore_ascii_case(word))
}
