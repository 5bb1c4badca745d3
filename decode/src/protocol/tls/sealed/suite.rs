//! Cipher suites whose records can be opened, and their keys.

use super::derive::Hash;
use super::opener::{Cbc, Opener};
use crate::protocol::tls::ciphers;

/// How a suite encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    /// AES-CBC with a key of so many bytes, and what it is authenticated by.
    Cbc(usize, Hash),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    pub bulk: Bulk,
    /// What keys are derived with.
    pub hash: Hash,
}

const BULKS: [(&str, Bulk); 8] = [
    ("AES_128_GCM_SHA256", Bulk::Aes128Gcm),
    ("AES_256_GCM_SHA384", Bulk::Aes256Gcm),
    ("CHACHA20_POLY1305_SHA256", Bulk::ChaCha20Poly1305),
    ("AES_128_CBC_SHA", Bulk::Cbc(16, Hash::Sha1)),
    ("AES_256_CBC_SHA", Bulk::Cbc(32, Hash::Sha1)),
    ("AES_128_CBC_SHA256", Bulk::Cbc(16, Hash::Sha256)),
    ("AES_256_CBC_SHA256", Bulk::Cbc(32, Hash::Sha256)),
    ("AES_256_CBC_SHA384", Bulk::Cbc(32, Hash::Sha384)),
];

impl Suite {
    /// The suite of a number; None for those that are not read. The drafts of ChaCha20 made their nonces otherwise.
    pub fn of(number: u16) -> Option<Suite> {
        let name = ciphers::name(number).filter(|_| !(0xcc13..=0xcc15).contains(&number))?;
        let bulk = BULKS.iter().find(|(end, _)| name.ends_with(end))?.1;
        Some(Suite { bulk, hash: if name.ends_with("SHA384") { Hash::Sha384 } else { Hash::Sha256 } })
    }

    /// Bytes of a key, and of what nonces begin with in TLS 1.2.
    fn lengths(self) -> (usize, usize) {
        match self.bulk {
            Bulk::Aes128Gcm => (16, 4),
            Bulk::Aes256Gcm => (32, 4),
            Bulk::ChaCha20Poly1305 => (32, 12),
            Bulk::Cbc(key, _) => (key, 0),
        }
    }

    /// What opens TLS 1.2's records of the client (0) or the server (1).
    pub fn of_master(self, master: &[u8], randoms: [&[u8]; 2], side: usize, mac_last: bool) -> Option<Opener> {
        let (key, iv) = self.lengths();
        let mac = if let Bulk::Cbc(_, hash) = self.bulk { hash.length() } else { 0 };
        let block = self.hash.prf(master, "key expansion", [randoms[1], randoms[0]], 2 * (mac + key + iv));
        let part = |start: usize, length: usize| block.get(start + side * length..start + (side + 1) * length);
        let (key, iv) = (part(2 * mac, key)?, part(2 * (mac + key), iv)?);
        match self.bulk {
            Bulk::Cbc(_, hash) => {
                Some(Opener::cbc(Cbc { key: key.into(), hash, mac_key: part(0, mac)?.into(), mac_last }))
            }
            _ => Opener::aead(self.bulk, key, iv, false),
        }
    }

    /// What opens TLS 1.3's records under a traffic secret.
    pub fn of_traffic(self, secret: &[u8]) -> Option<Opener> {
        let key = self.hash.expand(secret, "key", self.lengths().0)?;
        Opener::aead(self.bulk, &key, &self.hash.expand(secret, "iv", 12)?, true)
    }
}
