//! The two hellos, the only TLS messages that tell who speaks; shared with DTLS and QUIC.

use super::vectors::{Vectors, numbers};
use crate::protocol::reader::Reader;

/// A client's hello; vectors are left as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientHello<'a> {
    pub version: u16,
    pub session_id: &'a [u8],
    pub ciphers: &'a [u8],
    pub formats: &'a [u8],
    pub groups: &'a [u8],
    pub signatures: &'a [u8],
    pub versions: &'a [u8],
    pub server_name: Option<&'a [u8]>,
    /// The first protocol offered by ALPN.
    pub alpn: Option<&'a [u8]>,
    extensions: &'a [u8],
}

/// A server's hello.
#[derive(Clone, Copy, Debug)]
pub struct ServerHello<'a> {
    pub version: u16,
    /// The version chosen by the extension, where TLS 1.3 puts it.
    pub chosen: Option<u16>,
    /// It asks for another client hello.
    pub retry: bool,
    pub session_id: &'a [u8],
    pub cipher: u16,
    extensions: &'a [u8],
}

pub const SERVER_NAME: u16 = 0;
pub const ALPN: u16 = 16;
const GROUPS: u16 = 10;
const FORMATS: u16 = 11;
const SIGNATURES: u16 = 13;
const VERSIONS: u16 = 43;

/// SHA-256 of "HelloRetryRequest", the random of a server hello that is none.
const RETRY: &[u8] = b"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\
                       \xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";

/// Whether `number` is one of those that clients send to keep servers tolerant (RFC 8701).
pub fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

fn split_extensions(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        let kind = reader.u16()?;
        Some((kind, reader.most(2)))
    })
}

impl<'a> ClientHello<'a> {
    /// Reads the body of a client hello message. `cookie`: DTLS has one more vector.
    pub fn parse(body: &'a [u8], cookie: bool) -> Option<ClientHello<'a>> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        reader.take(32)?;
        let session_id = reader.vector(1)?;
        if cookie {
            reader.vector(1)?;
        }
        let ciphers = reader.vector(2)?;
        reader.most(1); // compression methods
        let extensions = reader.most(2);
        let mut hello = ClientHello { version, session_id, ciphers, extensions, ..ClientHello::default() };
        for (kind, body) in split_extensions(extensions) {
            hello.extension(kind, Reader::new(body));
        }
        Some(hello)
    }

    fn extension(&mut self, kind: u16, mut body: Reader<'a>) {
        match kind {
            SERVER_NAME => self.server_name = Some(server_name(Reader::new(body.most(2)))),
            GROUPS => self.groups = body.most(2),
            FORMATS => self.formats = body.most(1),
            SIGNATURES => self.signatures = body.most(2),
            ALPN => self.alpn = Some(Reader::new(body.most(2)).most(1)),
            VERSIONS => self.versions = body.most(1),
            _ => {}
        }
    }

    /// The kinds of its extensions, in order, without GREASE.
    pub fn extensions(&self) -> impl Iterator<Item = u16> + '_ {
        split_extensions(self.extensions).map(|(kind, _)| kind).filter(|kind| !is_grease(*kind))
    }

    /// The contents of an extension.
    pub fn find(&self, kind: u16) -> Option<&'a [u8]> {
        split_extensions(self.extensions).find(|(k, _)| *k == kind).map(|(_, body)| body)
    }

    /// Its cipher suites, in order, without GREASE.
    pub fn ciphers(&self) -> impl Iterator<Item = u16> + '_ {
        numbers(self.ciphers).filter(|n| !is_grease(*n))
    }
}

/// The first host name of a server name list; empty if there is none.
fn server_name(mut list: Reader<'_>) -> &[u8] {
    while let Some(kind) = list.u8() {
        let name = list.most(2);
        if kind == 0 {
            return name;
        }
    }
    &[]
}

impl<'a> ServerHello<'a> {
    /// Reads the body of a server hello message.
    pub fn parse(body: &'a [u8]) -> Option<ServerHello<'a>> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        let retry = reader.take(32)? == RETRY;
        // The drafts of TLS 1.3 before 22 had neither session id nor compression method here.
        let draft = version & 0xff00 == 0x7f00;
        let session_id = if draft { &[] } else { reader.vector(1)? };
        let cipher = reader.u16()?;
        if !draft {
            reader.u8();
        }
        let extensions = reader.most(2);
        let chosen = split_extensions(extensions)
            .find(|(kind, body)| *kind == VERSIONS && body.len() == 2)
            .and_then(|(_, body)| Reader::new(body).u16());
        Some(ServerHello { version, chosen, retry, session_id, cipher, extensions })
    }

    /// The kinds of its extensions, in order.
    pub fn extensions(&self) -> impl Iterator<Item = u16> + '_ {
        split_extensions(self.extensions).map(|(kind, _)| kind)
    }
}
