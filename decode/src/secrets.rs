//! Secrets of TLS sessions as clients and servers log them (SSLKEYLOGFILE), found by the client's random.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::limits::MAX_SECRETS;
use crate::session::record::hex;

/// The random of a client's hello: what tells TLS sessions apart.
pub type Random = [u8; 32];

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// The master secret of TLS 1.2 and before.
    Master,
    Early,
    ClientHandshake,
    ServerHandshake,
    ClientTraffic,
    ServerTraffic,
}

pub const LABELS: [(&str, Label); 6] = [
    ("CLIENT_RANDOM", Label::Master),
    ("CLIENT_EARLY_TRAFFIC_SECRET", Label::Early),
    ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", Label::ClientHandshake),
    ("SERVER_HANDSHAKE_TRAFFIC_SECRET", Label::ServerHandshake),
    ("CLIENT_TRAFFIC_SECRET_0", Label::ClientTraffic),
    ("SERVER_TRAFFIC_SECRET_0", Label::ServerTraffic),
];

#[derive(Default)]
struct Session {
    secrets: Vec<(Label, Box<[u8]>)>,
    /// Its client's hello was in the capture.
    seen: bool,
}

/// The secrets that are known so far; a capture may bring more while it is read.
#[derive(Default)]
pub struct Secrets {
    any: AtomicBool,
    sessions: RwLock<BTreeMap<Random, Session>>,
}

/// What is wrong with a key log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Lines, none of which is one of a key log.
    NoKeyLog,
    /// More secrets than are kept; the first ones are.
    TooMany,
}

impl Wrong {
    /// Name of the anomaly.
    pub fn name(self) -> &'static str {
        match self {
            Wrong::NoKeyLog => "no-key-log",
            Wrong::TooMany => "too-many-secrets",
        }
    }
}

impl Secrets {
    /// Whether any is known; cheap, for the many sessions of a capture without.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Takes the lines of a key log; those of unknown labels are left out, as every reader does.
    pub fn add(&self, text: &[u8]) -> Result<(), Wrong> {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        let (mut strange, mut taken) = (false, false);
        for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let Some((label, random, secret)) = parse(line) else {
                strange = true;
                continue;
            };
            if sessions.len() >= MAX_SECRETS && !sessions.contains_key(&random) {
                return Err(Wrong::TooMany);
            }
            let known = &mut sessions.entry(random).or_default().secrets;
            if !known.iter().any(|(each, _)| *each == label) {
                known.push((label, secret));
            }
            taken = true;
            self.any.store(true, Ordering::Relaxed);
        }
        if strange && !taken { Err(Wrong::NoKeyLog) } else { Ok(()) }
    }

    /// The secret of a session for a purpose.
    pub fn get(&self, random: &Random, label: Label) -> Option<Box<[u8]>> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(random)?.secrets.iter().find(|(each, _)| *each == label).map(|(_, secret)| secret.clone())
    }

    /// Notes that the hello with this random was in the capture.
    pub fn see(&self, random: &Random) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get_mut(random) {
            session.seen = true;
        }
    }

    /// A key log of the sessions whose hello was seen, in an order of its own.
    pub fn seen(&self) -> String {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (random, session) in sessions.iter().filter(|(_, session)| session.seen) {
            for (label, secret) in &session.secrets {
                let name = LABELS.iter().find(|(_, each)| each == label).map_or("", |(name, _)| name);
                text.extend([name, " ", &hex(random), " ", &hex(secret), "\n"]);
            }
        }
        text
    }
}

fn parse(line: &[u8]) -> Option<(Label, Random, Box<[u8]>)> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (name, random, secret) = (words.next()?, words.next()?, words.next()?);
    let label = LABELS.iter().find(|(known, _)| known.as_bytes() == name)?.1;
    let (random, secret) = (bytes(random)?, bytes(secret)?);
    let fits = matches!(secret.len(), 32 | 48) && (label != Label::Master || secret.len() == 48);
    Some((label, random.try_into().ok()?, secret.into())).filter(|_| fits)
}

fn bytes(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    text.chunks(2).map(|pair| Some((digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, random: u8, secret: usize) -> String {
        format!("{name} {} {}", hex(&[random; 32]), "Ab".repeat(secret))
    }

    #[test]
    fn a_key_log_is_read_and_told_whatever_its_line_ends_and_comments() {
        let secrets = Secrets::default();
        let log =
            ["# by someone", &line("CLIENT_RANDOM", 1, 48), "", &line("CLIENT_TRAFFIC_SECRET_0", 2, 32)].join("\r\n");
        assert_eq!(secrets.add(log.as_bytes()), Ok(()));
        assert_eq!(secrets.get(&[1; 32], Label::Master).as_deref(), Some(&[0xab; 48][..]));
        assert_eq!(secrets.get(&[1; 32], Label::ClientTraffic), None);
        secrets.see(&[2; 32]);
        secrets.see(&[3; 32]);
        assert_eq!(
            secrets.seen(),
            line("CLIENT_TRAFFIC_SECRET_0", 2, 32)
                .to_lowercase()
                .replace("client_traffic_secret", "CLIENT_TRAFFIC_SECRET")
                + "\n"
        );
    }

    #[test]
    fn what_is_no_key_log_is_told_and_single_bad_lines_are_not() {
        let good = line("CLIENT_RANDOM", 1, 48);
        for bad in [
            "hello",
            "CLIENT_RANDOM 00 11",
            &good[..90],
            &line("CLIENT_RANDOM", 1, 32),
            &line("EXPORTER_SECRET", 1, 32),
        ] {
            let secrets = Secrets::default();
            assert_eq!(secrets.add(bad.as_bytes()), Err(Wrong::NoKeyLog), "{bad}");
            assert!(!secrets.any());
            assert_eq!(secrets.add([bad, "\n", &good].concat().as_bytes()), Ok(()));
            assert!(secrets.any());
        }
        assert_eq!(Secrets::default().add(b"# only a comment\n"), Ok(()));
    }

    #[test]
    fn the_first_secrets_are_kept_when_there_are_too_many() {
        let secrets = Secrets::default();
        let text: String =
            (0..=MAX_SECRETS).map(|number| format!("CLIENT_RANDOM {number:064x} {}\n", "00".repeat(48))).collect();
        assert_eq!(secrets.add(text.as_bytes()), Err(Wrong::TooMany));
        assert!(secrets.get(&[0; 32], Label::Master).is_some());
    }
}
