//! A TLS session whose secrets are known: its keys, from its hellos on, and its records opened.

mod derive;
mod opener;
mod suite;

pub use derive::label_info;

use std::borrow::Cow;

use super::hello::{ClientHello, ServerHello};
use super::record::{APPLICATION, CHANGE_CIPHER, HANDSHAKE, Messages, Record};
use crate::protocol::Direction;
use crate::secrets::{Label, Random, Secrets};
use derive::Hash;
use opener::Opener;
use suite::Suite;

const EARLY_DATA: u16 = 42;
const ENCRYPT_THEN_MAC: u16 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const END_OF_EARLY_DATA: u8 = 5;
const FINISHED: u8 = 20;
const KEY_UPDATE: u8 = 24;

/// What became of a record.
pub enum Told<'a> {
    /// Its kind and text, as they came or opened.
    Text(u8, Cow<'a, [u8]>),
    Nothing,
    /// Nothing more of this direction can be opened; the anomaly, if it is one.
    Closed(Option<&'static str>),
}

/// What the hellos settled.
#[derive(Default)]
struct Hello {
    /// The side that greeted first.
    client: usize,
    randoms: [Random; 2],
    /// The suite that the server chose.
    chosen: Option<u16>,
    version: u16,
    mac_last: bool,
    early: bool,
}

#[derive(Default)]
enum Stage {
    #[default]
    Clear,
    /// TLS 1.3: what a client says before the server has greeted, under a secret of an earlier session.
    Early,
    Handshake,
    /// TLS 1.3: under this secret.
    Traffic(Vec<u8>),
    /// TLS 1.2.
    Changed,
}

#[derive(Default)]
struct Side {
    messages: Messages,
    opener: Option<Opener>,
    stage: Stage,
    /// Some record was opened under the keys of this stage.
    fits: bool,
}

/// Follows both directions; feed it each direction's records in their order.
#[derive(Default)]
pub struct Sealed {
    hello: Hello,
    sides: [Side; 2],
}

impl Sealed {
    /// The next record of a direction.
    pub fn record<'a>(&mut self, secrets: &Secrets, direction: Direction, record: &Record<'a>) -> Told<'a> {
        let at = direction as usize;
        let modern = self.modern() || matches!(self.sides[at].stage, Stage::Early);
        match (record.kind, &mut self.sides[at].opener) {
            // In TLS 1.3 a change of cipher is only for show; a client that sends early data cannot know yet.
            (CHANGE_CIPHER, _) if modern || (self.hello.early && self.hello.chosen.is_none()) => Told::Nothing,
            (CHANGE_CIPHER, None) => self.change_cipher(secrets, at),
            (APPLICATION, None) => self.begin(secrets, at, record),
            (kind, None) => self.told(secrets, at, kind, Cow::Borrowed(record.body)),
            (_, Some(opener)) => match opener.open(record) {
                Some((kind, text)) => self.opened(secrets, at, kind, text),
                None => self.failed(secrets, at, record),
            },
        }
    }

    /// Whether TLS 1.3 was chosen.
    pub fn modern(&self) -> bool {
        self.hello.version == 0x0304
    }

    fn is_client(&self, at: usize) -> bool {
        self.hello.client == at
    }

    fn opened<'a>(&mut self, secrets: &Secrets, at: usize, kind: u8, text: Vec<u8>) -> Told<'a> {
        self.sides[at].fits = true;
        match kind {
            CHANGE_CIPHER => self.change_cipher(secrets, at), // another handshake within the session
            _ => self.told(secrets, at, kind, Cow::Owned(text)),
        }
    }

    fn failed<'a>(&mut self, secrets: &Secrets, at: usize, record: &Record<'a>) -> Told<'a> {
        let is_client = self.is_client(at);
        let side = &mut self.sides[at];
        match side.stage {
            // The server has refused early data, so the client goes on under the keys of the handshake.
            Stage::Early => {
                (side.opener, side.stage) = (None, Stage::Clear);
                self.hello.early = false;
                self.begin(secrets, at, record)
            }
            // Early data whose secret is not known.
            Stage::Handshake if !side.fits && self.hello.early && is_client => Told::Nothing,
            _ if side.fits => Told::Closed(Some("tls-record-not-opened")),
            _ => Told::Closed(Some("tls-wrong-key")),
        }
    }

    /// TLS 1.2: from here on a direction is encrypted, or under other keys.
    fn change_cipher<'a>(&mut self, secrets: &Secrets, at: usize) -> Told<'a> {
        let hello = &self.hello;
        let side = usize::from(!self.is_client(at));
        let (Some(chosen), Some(master)) = (hello.chosen, secrets.get(&hello.randoms[0], Label::Master)) else {
            return Told::Closed(None);
        };
        let randoms = [&hello.randoms[0][..], &hello.randoms[1]];
        let suite = Suite::of(chosen).filter(|_| hello.version == 0x0303);
        let opener = suite.and_then(|suite| suite.of_master(&master, randoms, side, hello.mac_last));
        match opener {
            Some(opener) => self.install(at, opener, Stage::Changed),
            None => Told::Closed(Some("tls-cipher-not-opened")),
        }
    }

    fn install<'a>(&mut self, at: usize, opener: Opener, stage: Stage) -> Told<'a> {
        let side = &mut self.sides[at];
        (side.opener, side.stage, side.fits) = (Some(opener), stage, false);
        Told::Nothing
    }

    /// TLS 1.3: the first encrypted record of a direction, or the first after early data.
    fn begin<'a>(&mut self, secrets: &Secrets, at: usize, record: &Record<'a>) -> Told<'a> {
        if self.is_client(at) && self.hello.early {
            if let Some((opener, kind, text)) = self.early(secrets, record) {
                self.install(at, opener, Stage::Early);
                return self.opened(secrets, at, kind, text);
            }
            if self.hello.chosen.is_none() {
                return Told::Nothing;
            }
        }
        let label = if self.is_client(at) { Label::ClientHandshake } else { Label::ServerHandshake };
        let (Some(chosen), Some(secret)) = (self.hello.chosen, secrets.get(&self.hello.randoms[0], label)) else {
            return Told::Closed(None);
        };
        let Some(mut opener) = Suite::of(chosen).and_then(|suite| suite.of_traffic(&secret)) else {
            return Told::Closed(Some("tls-cipher-not-opened"));
        };
        let found = opener.open(record);
        self.install(at, opener, Stage::Handshake);
        match found {
            Some((kind, text)) => self.opened(secrets, at, kind, text),
            None => self.failed(secrets, at, record),
        }
    }

    /// Early data is under the suite of an earlier session, which nobody tells: the one that opens it.
    fn early(&self, secrets: &Secrets, record: &Record<'_>) -> Option<(Opener, u8, Vec<u8>)> {
        let secret = secrets.get(&self.hello.randoms[0], Label::Early)?;
        [0x1301, 0x1302, 0x1303].into_iter().find_map(|number| {
            let mut opener = Suite::of(number)?.of_traffic(&secret)?;
            let (kind, text) = opener.open(record)?;
            Some((opener, kind, text))
        })
    }

    /// Follows what the handshake says, wherever it stands.
    fn told<'a>(&mut self, secrets: &Secrets, at: usize, kind: u8, text: Cow<'a, [u8]>) -> Told<'a> {
        if kind == HANDSHAKE {
            let mut messages = std::mem::take(&mut self.sides[at].messages);
            let whole = messages.push(&text, &mut |kind, body| self.message(secrets, at, kind, body));
            self.sides[at].messages = messages;
            if let Err(anomaly) = whole {
                return Told::Closed(Some(anomaly));
            }
        }
        Told::Text(kind, text)
    }

    fn message(&mut self, secrets: &Secrets, at: usize, kind: u8, body: &[u8]) {
        match (kind, &self.sides[at].stage) {
            (CLIENT_HELLO, _) => self.client_hello(secrets, at, body),
            (SERVER_HELLO, _) if !self.is_client(at) => self.server_hello(body),
            (END_OF_EARLY_DATA, Stage::Early) => {
                self.hello.early = false;
                (self.sides[at].opener, self.sides[at].stage) = (None, Stage::Clear);
            }
            (FINISHED, Stage::Handshake) => {
                let label = if self.is_client(at) { Label::ClientTraffic } else { Label::ServerTraffic };
                let secret = secrets.get(&self.hello.randoms[0], label).unwrap_or_default();
                self.traffic(at, secret.into());
            }
            (KEY_UPDATE, Stage::Traffic(secret)) => {
                let hash = self.hello.chosen.and_then(Suite::of).map_or(Hash::Sha256, |suite| suite.hash);
                let next = hash.expand(secret, "traffic upd", hash.length()).unwrap_or_default();
                self.traffic(at, next);
            }
            _ => {}
        }
    }

    /// A secret that is not known or does not fit opens nothing: the next record tells so.
    fn traffic(&mut self, at: usize, secret: Vec<u8>) {
        let opener = self.hello.chosen.and_then(Suite::of).and_then(|suite| suite.of_traffic(&secret));
        let side = &mut self.sides[at];
        if let Some(opener) = opener {
            (side.opener, side.stage) = (Some(opener), Stage::Traffic(secret));
        }
    }

    fn client_hello(&mut self, secrets: &Secrets, at: usize, body: &[u8]) {
        let random = body.get(2..34).and_then(|random| random.try_into().ok());
        let (Some(random), Some(hello)) = (random, ClientHello::parse(body, false)) else { return };
        secrets.see(&random);
        self.hello.client = at;
        self.hello.randoms[0] = random;
        self.hello.early = hello.find(EARLY_DATA).is_some();
    }

    fn server_hello(&mut self, body: &[u8]) {
        let random = body.get(2..34).and_then(|random| random.try_into().ok());
        let (Some(random), Some(hello)) = (random, ServerHello::parse(body)) else { return };
        self.hello.version = hello.chosen.unwrap_or(hello.version);
        if !hello.retry {
            self.hello.randoms[1] = random;
            self.hello.chosen = Some(hello.cipher);
            self.hello.mac_last = hello.extensions().any(|kind| kind == ENCRYPT_THEN_MAC);
        }
    }
}
