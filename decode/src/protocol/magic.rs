//! The content type of a body by its first bytes: cheap rules, so that every body of every session can be asked.
//!
//! The names are the peer's; where it has none for a format that `infer` knows, `infer`'s name is given.

/// Bytes of a body that are worth keeping for `content_type`.
pub const ENOUGH: usize = 512;

/// What begins so is of this type.
static BEGINNINGS: &[(&[u8], &str)] = &[
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"\x1f\x8b", "application/x-gzip"),
    (b"\x1f\x9d", "application/x-compress"),
    (b"%PDF-", "application/pdf"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"BZh", "application/x-bzip2"),
    (b"CWS", "application/x-shockwave-flash"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"ZWS", "application/x-shockwave-flash"),
    (b"FLV\x01", "video/x-flv"),
    (b"GIF8", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"MSCF", "application/vnd.ms-cab-compressed"),
    (b"MZ", "application/x-dosexec"),
    (b"OggS", "application/ogg"),
    (b"OTTO", "application/vnd.ms-opentype"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"Rar!", "application/x-rar"),
    (b"wOFF", "application/font-woff"),
    (b"wOF2", "application/font-woff2"),
    (b"d8:announce", "application/x-bittorrent"),
    (b"{\"", "application/json"),
    (b"[{\"", "application/json"),
    (b"{\\rtf", "text/rtf"),
    (b"\x7fELF", "application/x-executable"),
    (b"\x89PNG", "image/png"),
    (b"\xca\xfe\xba\xbe", "application/x-java-applet"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"BM", "image/x-ms-bmp"),
];

/// What a page of markup begins with, in lower case.
static MARKUP: &[(&[u8], &str)] = &[
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<head", "text/html"),
    (b"<body", "text/html"),
    (b"<title", "text/html"),
    (b"<script", "text/html"),
    (b"<style", "text/html"),
    (b"<table", "text/html"),
    (b"<h1", "text/html"),
    (b"<a href", "text/html"),
    (b"<?xml", "text/xml"),
    (b"<?php", "text/x-php"),
    (b"<svg", "image/svg+xml"),
];

/// What a script names as its interpreter.
static INTERPRETERS: &[(&[u8], &str)] = &[
    (b"perl", "text/x-perl"),
    (b"python", "text/x-python"),
    (b"ruby", "text/x-ruby"),
    (b"php", "text/x-php"),
    (b"node", "application/javascript"),
    (b"sh", "text/x-shellscript"),
];

/// The type of a body that begins with `data`; `None` for plain text and what is not known.
pub fn content_type(data: &[u8]) -> Option<&'static str> {
    let &first = data.first()?;
    let start = |rules: &[(&[u8], &'static str)], data: &[u8]| {
        rules.iter().find(|(bytes, _)| data.starts_with(bytes)).map(|&(_, name)| name)
    };
    if let Some(name) = start(BEGINNINGS, data) {
        return Some(name);
    }
    match first {
        b'<' | 0xef => markup(data),
        b'#' => script(data),
        b'R' if data.starts_with(b"RIFF") => riff(data),
        _ => container(data),
    }
}

fn markup(data: &[u8]) -> Option<&'static str> {
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let fits = |rule: &[u8]| data.get(..rule.len()).is_some_and(|head| head.eq_ignore_ascii_case(rule));
    MARKUP.iter().find(|(rule, _)| fits(rule)).map(|&(_, name)| name)
}

fn script(data: &[u8]) -> Option<&'static str> {
    let line = data.strip_prefix(b"#!")?.split(|&b| b == b'\n').next()?;
    let named = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
    INTERPRETERS.iter().find(|(word, _)| named(word)).map(|&(_, name)| name)
}

fn riff(data: &[u8]) -> Option<&'static str> {
    match data.get(8..12)? {
        b"AVI " => Some("video/x-msvideo"),
        b"WAVE" => Some("audio/x-wav"),
        b"WEBP" => Some("image/webp"),
        _ => None,
    }
}

fn container(data: &[u8]) -> Option<&'static str> {
    match data.get(4..12) {
        Some(b"ftypqt  ") => return Some("video/quicktime"),
        Some(kind) if kind.starts_with(b"ftyp") => return Some("video/mp4"),
        _ => {}
    }
    if data.get(257..262) == Some(b"ustar") {
        return Some("application/x-tar");
    }
    // `infer` also guesses from two or three bytes; with text around, that is noise.
    if data.first().is_some_and(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        None
    } else {
        infer::get(data).map(|kind| kind.mime_type())
    }
}

#[cfg(test)]
mod tests {
    use super::content_type;

    #[test]
    fn types_come_from_the_first_bytes() {
        let cases: &[(&[u8], Option<&str>)] = &[
            (b"", None),
            (b"test", None),
            (b"<soap/>", None),
            (b"{\n  \"name\"", None),
            (b"{\"a\":1}", Some("application/json")),
            (b"<HTML><body>", Some("text/html")),
            (b"<!DOCTYPE html>", Some("text/html")),
            (b"\xef\xbb\xbf<?xml version", Some("text/xml")),
            (b"\x1f\x8b\x08\x00", Some("application/x-gzip")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"#!/usr/bin/env python3\nimport", Some("text/x-python")),
            (b"#!/bin/bash\n", Some("text/x-shellscript")),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", Some("image/webp")),
            (b"\x00\x00\x00\x20ftypisom", Some("video/mp4")),
            (b"RIFF", None),
        ];
        for (body, expected) in cases {
            assert_eq!(content_type(body), *expected, "{:?}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn no_beginning_of_a_body_panics() {
        for length in 0..=300 {
            for byte in 0..=255u8 {
                content_type(&vec![byte; length]);
            }
        }
    }
}
