//! A message's body by its parts: the files in it, decoded from base64 for their hashes and type, never held whole.

use base64::Engine;

use super::header::{Header, Pair, parameter};
use super::*;
use crate::protocol::http::body::Hashes;
use crate::protocol::http::uri::BASE64;
use crate::protocol::magic;

/// Parts within parts.
const MAX_BOUNDARIES: usize = 16;
/// Bytes of a file's name; no system takes a longer path.
const MAX_NAME: usize = 4_095;

/// Where in the body we are.
#[derive(Default)]
pub struct Mime {
    boundaries: Vec<Vec<u8>>,
    part: Part,
}

#[derive(Default)]
enum Part {
    /// Before the first part, after the last, or text that nobody asks for.
    #[default]
    Between,
    Headers(Header, bool),
    File(Box<File>),
}

/// A file in base64.
#[derive(Default)]
struct File {
    hashes: Hashes,
    first: Vec<u8>,
    /// Characters that do not make up a group of four yet.
    left: Vec<u8>,
    length: u64,
}

impl Mime {
    /// Learns the boundary of a Content-Type header.
    pub fn boundary(&mut self, content_type: &[u8]) {
        if let Some(boundary) = parameter(content_type, b"boundary")
            && !boundary.is_empty()
            && self.boundaries.len() < MAX_BOUNDARIES
        {
            self.boundaries.push(boundary.into_owned());
        }
    }

    /// The next line of the body.
    pub fn line(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        if let Some(last) = line.strip_prefix(b"--").and_then(|rest| self.fits(rest)) {
            self.end(flow);
            self.part = if last { Part::Between } else { Part::Headers(Header::default(), false) };
            return;
        }
        match &mut self.part {
            Part::Between => {}
            Part::File(file) => file.line(line),
            Part::Headers(header, encoded) => {
                let pair = if line.is_empty() { header.take() } else { header.line(line) };
                *encoded |= pair.as_ref().is_some_and(in_base64);
                let encoded = *encoded;
                if let Some(pair) = pair {
                    self.part_header(flow, &pair);
                }
                if line.is_empty() {
                    self.part = if encoded { Part::File(Box::default()) } else { Part::Between };
                }
            }
        }
    }

    /// Whether `rest` (after the dashes) is one of our boundaries, and whether it closes the last part.
    fn fits(&self, rest: &[u8]) -> Option<bool> {
        let after = self.boundaries.iter().rev().find_map(|boundary| rest.strip_prefix(&boundary[..]))?;
        Some(after.starts_with(b"--"))
    }

    fn part_header(&mut self, flow: &mut Flow<'_>, (name, value): &Pair) {
        match &name[..] {
            b"content-type" => {
                self.boundary(value);
                if let Some(file) = parameter(value, b"name") {
                    name_file(flow, &file);
                }
            }
            b"content-disposition" => {
                if let Some(file) = parameter(value, b"filename") {
                    name_file(flow, &file);
                }
            }
            _ => {}
        }
    }

    /// The part is over.
    pub fn end(&mut self, flow: &mut Flow<'_>) {
        match std::mem::take(&mut self.part) {
            Part::File(file) => file.end(flow),
            Part::Headers(mut header, _) => {
                if let Some(pair) = header.take() {
                    self.part_header(flow, &pair);
                }
            }
            Part::Between => {}
        }
    }
}

fn name_file(flow: &mut Flow<'_>, name: &[u8]) {
    flow.fields.text(&FILE_NAME, &words::decode(&name[..name.len().min(MAX_NAME)]));
}

fn in_base64((name, value): &Pair) -> bool {
    name == b"content-transfer-encoding" && value.trim_ascii().eq_ignore_ascii_case(b"base64")
}

impl File {
    fn line(&mut self, line: &[u8]) {
        self.left.extend(line.iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')));
        let whole = self.left.len() - self.left.len() % 4;
        self.decode(whole);
    }

    fn decode(&mut self, count: usize) {
        if let Ok(bytes) = BASE64.decode(&self.left[..count]) {
            self.hashes.update(&bytes);
            self.length += bytes.len() as u64;
            let room = magic::ENOUGH.saturating_sub(self.first.len());
            self.first.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        self.left.drain(..count);
    }

    fn end(mut self, flow: &mut Flow<'_>) {
        if self.left.len() > 1 {
            self.decode(self.left.len());
        }
        if self.length > 0 {
            if let Some(name) = magic::content_type(&self.first) {
                flow.fields.text(&BODY_MAGIC, name);
            }
            self.hashes.write(flow, &MD5, &SHA256);
        }
    }
}
