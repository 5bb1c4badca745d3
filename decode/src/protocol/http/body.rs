//! A body while it passes: its hashes, its first bytes for the type, and a small one whole.

use md5::Md5;
use sha2::{Digest, Sha256};

use super::fields::{BODY_MAGIC, MD5, REQUEST_BODY, SHA256};
use crate::field::Field;
use crate::protocol::reader::hex;
use crate::protocol::{Flow, magic};

/// Bytes of a request's body that are kept; a longer body is not kept at all.
const MAX_KEPT: usize = 2_000;

/// One message's body.
#[derive(Default)]
pub struct Body {
    hashes: Hashes,
    first: Vec<u8>,
    typed: bool,
    request: bool,
    length: u64,
}

/// MD5 and SHA-256 of the same bytes; shared with mail's attachments.
#[derive(Clone, Default)]
pub struct Hashes {
    md5: Md5,
    sha256: Sha256,
}

impl Hashes {
    /// Adds bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.md5.update(data);
        self.sha256.update(data);
    }

    /// Writes both as hex into the fields, and begins anew.
    pub fn write(&mut self, flow: &mut Flow<'_>, md5: &Field, sha256: &Field) {
        flow.fields.text(md5, &hex(&self.md5.finalize_reset()));
        flow.fields.text(sha256, &hex(&self.sha256.finalize_reset()));
    }
}

impl Body {
    /// The body of a request, which may be kept, or of a response.
    pub fn new(request: bool) -> Body {
        Body { request, ..Body::default() }
    }

    /// The next bytes; the first ones tell the type, as soon as there are enough.
    pub fn add(&mut self, flow: &mut Flow<'_>, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.hashes.update(data);
        self.length += data.len() as u64;
        let room = if self.request { MAX_KEPT } else { magic::ENOUGH }.saturating_sub(self.first.len());
        self.first.extend_from_slice(&data[..data.len().min(room)]);
        if self.first.len() >= magic::ENOUGH {
            self.tell_type(flow);
        }
    }

    fn tell_type(&mut self, flow: &mut Flow<'_>) {
        if !std::mem::replace(&mut self.typed, true)
            && let Some(name) = magic::content_type(&self.first[..self.first.len().min(magic::ENOUGH)])
        {
            flow.fields.text(&BODY_MAGIC, name);
        }
    }

    /// The body is whole: its hashes, and the body itself when a request's is small text.
    pub fn end(mut self, flow: &mut Flow<'_>) {
        if self.length == 0 {
            return;
        }
        self.tell_type(flow);
        self.hashes.write(flow, &MD5, &SHA256);
        if self.request
            && self.length <= MAX_KEPT as u64
            && !self.first.contains(&0)
            && let Ok(text) = std::str::from_utf8(&self.first)
        {
            flow.fields.text(&REQUEST_BODY, text);
        }
    }

    /// The body will not be whole: what it began with is told all the same.
    pub fn break_off(mut self, flow: &mut Flow<'_>) {
        if self.length > 0 {
            self.tell_type(flow);
        }
    }
}
