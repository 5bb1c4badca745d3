//! TLS: hellos and certificates, up to where encryption begins; and what is inside, where a key log opens it.

mod ciphers;
pub mod fingerprint;
pub mod hello;
pub mod opened;
mod record;
mod sealed;
#[cfg(test)]
pub mod tests;
pub mod vectors;

use super::http::fields::HOST;
use super::inner::Inner;
use super::reader::{Reader, hex};
use super::{Direction, Flow, Parser, Protocol, Signature, Status, cert};
use crate::field::{Count, Field, Kind};
use fingerprint::Carrier;
use hello::{ClientHello, ServerHello};
use record::{Messages, Outcome, Record, Records};
pub use sealed::label_info;
use sealed::{Sealed, Told};
use vectors::Vectors;

crate::declare_fields! {
    CIPHER = Field::set("tls.cipher", "tls.cipher", Kind::UpperTerm, "Cipher suites chosen");
    CLIENT_SESSION = Field::set("tls.sessionid.src", "tls.srcSessionId", Kind::LowerTerm, "Session ids sent by clients")
            .counted(Count::No);
    SERVER_SESSION = Field::set("tls.sessionid.dst", "tls.dstSessionId", Kind::LowerTerm, "Session ids sent by servers")
            .counted(Count::No);
    SESSION = Field::any(
        "tls.sessionid",
        Kind::LowerTerm,
        &["tls.sessionid.src", "tls.sessionid.dst"],
        "Session ids sent by either",
    );
    JA3 = Field::set("tls.ja3", "tls.ja3", Kind::LowerTerm, "JA3 of the client hello");
    JA3_TEXT = Field::set("tls.ja3string", "tls.ja3string", Kind::LowerTerm, "What JA3 hashes");
    JA3S = Field::set("tls.ja3s", "tls.ja3s", Kind::LowerTerm, "JA3S of the server hello");
    JA3S_TEXT = Field::set("tls.ja3sstring", "tls.ja3sstring", Kind::LowerTerm, "What JA3S hashes");
    // Term, not LowerTerm: a JA4 holds letters of the ALPN as the client wrote them.
    JA4 = Field::set("tls.ja4", "tls.ja4", Kind::Term, "JA4 of the client hello");
    JA4_RAW = Field::set("tls.ja4_r", "tls.ja4_r", Kind::Term, "JA4 of the client hello, not hashed");
    VERSION = Field::set("tls.version", "tls.version", Kind::Term, "Versions chosen");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "tls",
    fields: FIELDS,
    signatures: &[Signature::Tcp(0, b"\x16", begin), Signature::Tcp(2, b"\x01\x03", begin_v2)],
};

/// Whether `data` begins with the record of a hello, as far as it goes.
fn plausible(data: &[u8]) -> bool {
    let fits = |at: usize, ok: fn(u8) -> bool| data.get(at).is_none_or(|&byte| ok(byte));
    fits(0, |b| b == 22) && fits(1, |b| b == 3) && fits(2, |b| b <= 4) && fits(5, |b| b == 1 || b == 2)
}

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if flow.has_protocol("tls") || !plausible(data) {
        return;
    }
    if data.len() > 5 {
        flow.protocol("tls");
    }
    flow.attach(Box::new(Tls::default()));
}

/// A client hello in the dress of SSL 2, which says that it can do SSL 3 or TLS.
fn begin_v2(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    let mut reader = Reader::new(data);
    let Some(length) = reader.u16().filter(|n| n & 0x8000 != 0) else { return };
    let Some(&[1, 3, 0..=4, ciphers_high, ciphers_low, 0, session @ (0 | 16 | 32), 0, challenge @ 16..=32]) =
        reader.rest().first_chunk()
    else {
        return;
    };
    let ciphers = u16::from_be_bytes([ciphers_high, ciphers_low]);
    let whole = 9 + u32::from(ciphers) + u32::from(session) + u32::from(challenge);
    if ciphers % 3 == 0 && u32::from(length & 0x7fff) == whole && !flow.has_protocol("tls") {
        flow.protocol("tls");
        let skip = 2 + whole as usize;
        flow.attach(Box::new(Tls { skip, ..Tls::default() }));
    }
}

/// The tag of a session of which something was opened by a key log.
const DECRYPTED: &str = "tls-decrypted";

/// What one direction has told.
#[derive(Default)]
struct Side {
    records: Records,
    messages: Messages,
    /// Nothing more of it can be read.
    encrypted: bool,
    /// The server asked for another hello, so a change of cipher here is only for show.
    retry: bool,
    greeted: bool,
}

/// A session that may be opened, and what is inside.
#[derive(Default)]
struct Opening {
    sealed: Sealed,
    inner: Inner,
    used: bool,
}

struct Tls {
    sides: [Side; 2],
    /// Bytes of the client that are no record (an SSL 2 hello).
    skip: usize,
    carrier: Carrier,
    opening: Option<Box<Opening>>,
}

/// Reads TLS records that another protocol carries (`begin` finds those that TCP carries); feed it their bytes in order.
pub fn carried(carrier: Carrier) -> Box<dyn Parser> {
    Box::new(Tls { carrier, ..Tls::default() })
}

impl Default for Tls {
    fn default() -> Tls {
        Tls { sides: Default::default(), skip: 0, carrier: Carrier::Tls, opening: None }
    }
}

impl Tls {
    fn status(&self) -> Status {
        let over = self.sides.iter().all(|side| side.encrypted);
        if over && self.opening.as_ref().is_none_or(|opening| !opening.used) { Status::Done } else { Status::More }
    }

    fn record(&mut self, flow: &mut Flow<'_>, direction: Direction, record: &Record<'_>) -> Outcome {
        let Some(mut opening) = self.opening.take() else {
            return self.clear(flow, direction, record.kind, record.body);
        };
        let go_on = match opening.sealed.record(flow.secrets, direction, record) {
            Told::Text(record::APPLICATION, text) => {
                opening.used = true;
                flow.tag(DECRYPTED);
                opening.inner.data(flow, direction, &text);
                Ok(true)
            }
            Told::Text(record::HANDSHAKE, text) => self.handshake(flow, direction, &text, opening.sealed.modern()),
            Told::Text(..) | Told::Nothing => Ok(true),
            Told::Closed(None) => Ok(false),
            Told::Closed(Some(anomaly)) => Err(anomaly),
        };
        self.opening = Some(opening);
        go_on
    }

    /// A record of a session that stays closed.
    fn clear(&mut self, flow: &mut Flow<'_>, direction: Direction, kind: u8, body: &[u8]) -> Outcome {
        match kind {
            record::HANDSHAKE => self.handshake(flow, direction, body, false),
            record::CHANGE_CIPHER => Ok(self.sides[direction as usize].retry),
            record::APPLICATION => Ok(false),
            _ => Ok(true), // alerts and heartbeats
        }
    }

    fn handshake(&mut self, flow: &mut Flow<'_>, direction: Direction, body: &[u8], modern: bool) -> Outcome {
        let carrier = self.carrier;
        let Side { messages, retry, greeted, .. } = &mut self.sides[direction as usize];
        messages.push(body, &mut |kind, body| {
            if carrier == Carrier::Tls {
                flow.protocol("tls");
            }
            match (kind, direction) {
                // A second hello, asked for by the server, differs only in what the server asked for.
                (1, _) if !std::mem::replace(greeted, true) => client_hello(flow, body, carrier),
                (2, _) => *retry = server_hello(flow, body),
                // The peer keeps the server's certificates only; a client's would double what is searched as its.
                (11, Direction::Server) if modern => modern_certificates(flow, body),
                (11, Direction::Server) => certificates(flow, body),
                _ => {}
            }
        })?;
        Ok(true)
    }
}

impl Parser for Tls {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let at = direction as usize;
        if self.sides[at].encrypted {
            return Status::More;
        }
        let skipped = if direction == Direction::Client { self.skip.min(data.len()) } else { 0 };
        self.skip -= skipped;
        if flow.secrets.any() && self.carrier == Carrier::Tls && !self.sides[at].greeted {
            self.opening.get_or_insert_default();
        }
        let mut records = std::mem::take(&mut self.sides[at].records);
        let data = data.get(skipped..).unwrap_or_default();
        let go_on = records.push(data, &mut |record| self.record(flow, direction, &record));
        let side = &mut self.sides[at];
        side.records = records;
        side.encrypted = !go_on.unwrap_or_else(|anomaly| {
            if self.carrier != Carrier::Tls || flow.has_protocol("tls") {
                flow.anomaly(anomaly);
            }
            false
        });
        self.status()
    }

    fn gap(&mut self, flow: &mut Flow<'_>, direction: Direction, bytes: u64) -> Status {
        self.sides[direction as usize].encrypted = true;
        if let Some(opening) = &mut self.opening {
            opening.inner.gap(flow, direction, bytes);
        }
        self.status()
    }

    fn finish(&mut self, flow: &mut Flow<'_>) {
        if let Some(opening) = &mut self.opening {
            opening.inner.finish(flow);
        }
    }
}

fn client_hello(flow: &mut Flow<'_>, body: &[u8], carrier: Carrier) {
    match ClientHello::parse(body, false) {
        Some(hello) => client(flow, &hello, carrier),
        None => flow.anomaly("tls-bad-client-hello"),
    }
}

/// Whether the server asks for another client hello.
fn server_hello(flow: &mut Flow<'_>, body: &[u8]) -> bool {
    let hello = ServerHello::parse(body);
    match &hello {
        Some(hello) => server(flow, hello),
        None => flow.anomaly("tls-bad-server-hello"),
    }
    hello.is_some_and(|hello| hello.retry)
}

/// Writes what a client hello tells.
pub fn client(flow: &mut Flow<'_>, hello: &ClientHello<'_>, carrier: Carrier) {
    let ja4 = fingerprint::ja4(hello, carrier);
    flow.fields.text(&JA4, &ja4.hashed);
    flow.fields.text(&JA4_RAW, &ja4.raw);
    if carrier == Carrier::Dtls {
        return; // JA3 knows no DTLS, and names in it are those of peers, not of hosts
    }
    let ja3 = fingerprint::ja3(hello);
    flow.fields.text(&JA3, &fingerprint::md5_hex(&ja3));
    flow.fields.text(&JA3_TEXT, &ja3);
    flow.fields.text(&CLIENT_SESSION, &hex(hello.session_id));
    flow.fields.bytes(&HOST, hello.server_name.unwrap_or_default());
}

fn server(flow: &mut Flow<'_>, hello: &ServerHello<'_>) {
    flow.fields.text(&VERSION, &version_name(hello.chosen.unwrap_or(hello.version)));
    match ciphers::name(hello.cipher) {
        Some(name) => flow.fields.text(&CIPHER, name),
        None => flow.fields.text(&CIPHER, &format!("{:04X}", hello.cipher)),
    }
    flow.fields.text(&SERVER_SESSION, &hex(hello.session_id));
    let ja3s = fingerprint::ja3s(hello);
    flow.fields.text(&JA3S, &fingerprint::md5_hex(&ja3s));
    flow.fields.text(&JA3S_TEXT, &ja3s);
}

fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSLv3".into(),
        0x0301 => "TLSv1".into(),
        0x0302..=0x0304 => format!("TLSv1.{}", version - 0x0301),
        0x7f00..=0x7fff => format!("TLSv1.3-draft-{:02}", version & 0xff),
        _ => format!("0x{version:04x}"),
    }
}

/// The certificates of a certificate message (not of TLS 1.3, where it is encrypted).
pub fn certificates(flow: &mut Flow<'_>, body: &[u8]) {
    let mut list = Reader::new(Reader::new(body).most(3));
    while let Some(der) = list.vector(3) {
        cert::add(flow, der);
    }
}

/// The certificates of TLS 1.3, each with extensions of its own.
fn modern_certificates(flow: &mut Flow<'_>, body: &[u8]) {
    let mut reader = Reader::new(body);
    reader.most(1); // what a request for it asked to be told
    let mut list = Reader::new(reader.most(3));
    while let Some(der) = list.vector(3) {
        cert::add(flow, der);
        list.most(2);
    }
}
