//! Mail messages, line by line, whatever protocol carries them: headers, and the files attached.

pub mod address;
pub mod header;
mod mime;
#[cfg(test)]
mod tests;
pub mod words;

use super::{Flow, Protocol};
use crate::field::{Count, Field, Kind};
use header::Header;
use mime::Mime;

use Kind::{Ip, LowerTerm, Term};

macro_rules! fields {
    ($($name:ident = $make:expr;)*) => {
        $(pub static $name: Field = $make;)*
        static FIELDS: &[&Field] = &[$(&$name,)*];
    };
}

fields! {
    BODY_MAGIC = Field::set("email.bodymagic", "email.bodyMagic", Term, "Types of attachments, by their content");
    CONTENT_TYPE = Field::set("email.content-type", "email.contentType", Term, "Content-Type headers");
    DESTINATION = Field::set("email.dst", "email.dst", LowerTerm, "Addresses sent to");
    FILE_CONTENT_TYPE =
        Field::set("email.file-content-type", "email.fileContentType", Term, "Declared types of attachments");
    FILE_NAME = Field::set("email.fn", "email.filename", Term, "Names of attachments");
    FOLDER = Field::set("email.folder", "email.folder", Term, "Folders opened");
    HEADER = Field::set("email.has-header", "email.header", LowerTerm, "Headers");
    HEADER_ELNK = Field::set("email.x-elnk-trace", "email.header-x-elnk-trace", Term, "X-ELNK-Trace headers")
        .counted(Count::No);
    HEADER_FIELD = Field::list("email.has-header.name", "email.headerField", Term, "Headers, one a value")
        .counted(Count::No);
    HEADER_VALUE = Field::list("email.has-header.value", "email.headerValue", Term, "Values of headers");
    HELLO = Field::set("email.smtp-hello", "email.smtpHello", LowerTerm, "Names in HELO and EHLO");
    HOST = Field::set("host.email", "email.host", LowerTerm, "Hosts in Received headers").aliases(&["email.host"]);
    ID = Field::set("email.message-id", "email.id", Term, "Message-ID headers");
    IP = Field::set("ip.email", "email.ip", Ip, "Addresses in Received and X-Originating-IP headers");
    MD5 = Field::set("email.md5", "email.md5", Term, "MD5 of attachments");
    MIME_VERSION = Field::set("email.mime-version", "email.mimeVersion", Term, "MIME-Version headers");
    SHA256 = Field::set("email.sha256", "email.sha256", Term, "SHA-256 of attachments");
    SOURCE = Field::set("email.src", "email.src", LowerTerm, "Addresses sent from");
    SUBJECT = Field::set("email.subject", "email.subject", Term, "Subjects");
    USER_AGENT = Field::set("email.x-mailer", "email.useragent", Term, "X-Mailer and User-Agent headers");
}

pub static PROTOCOL: Protocol = Protocol { name: "email", fields: FIELDS, signatures: &[] };

/// One message while its lines come.
#[derive(Default)]
pub struct Message {
    header: Header,
    in_body: bool,
    mime: Mime,
}

impl Message {
    /// The next line, without its end.
    pub fn line(&mut self, flow: &mut Flow<'_>, line: &[u8]) {
        if self.in_body {
            self.mime.line(flow, line);
        } else if line.is_empty() {
            self.flush(flow);
            self.in_body = true;
        } else if let Some((name, value)) = self.header.line(line) {
            self.told(flow, &name, &value);
        }
    }

    fn told(&mut self, flow: &mut Flow<'_>, name: &[u8], value: &[u8]) {
        if name == b"content-type" {
            self.mime.boundary(value);
        }
        header::write(flow, name, value);
    }

    fn flush(&mut self, flow: &mut Flow<'_>) {
        if let Some((name, value)) = self.header.take() {
            self.told(flow, &name, &value);
        }
    }

    /// The message is over, or will not go on.
    pub fn end(&mut self, flow: &mut Flow<'_>) {
        self.flush(flow);
        self.mime.end(flow);
    }
}

/// An address as mail writes it: IPv6 as ever, IPv4 also with leading zeros.
pub fn ip(text: &[u8]) -> Option<std::net::IpAddr> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    text.parse().ok().or_else(|| {
        let mut parts = text.split('.').map(|part| {
            let digits = part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
            if digits { part.parse::<u8>().ok() } else { None }
        });
        let octets = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then(|| std::net::Ipv4Addr::from(octets).into())
    })
}
