//! From secrets to keys: the pseudorandom function of TLS 1.2 (RFC 5246, 5), the expansion of 1.3 (RFC 8446, 7.1).

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384};

/// A hash of the suites that are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha256,
    Sha384,
}

impl Hash {
    /// Its bytes.
    pub fn length(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
        }
    }

    /// HMAC of the parts, one after another.
    pub fn mac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Hash::Sha1 => mac::<Hmac<Sha1>>(key, parts),
            Hash::Sha256 => mac::<Hmac<Sha256>>(key, parts),
            Hash::Sha384 => mac::<Hmac<Sha384>>(key, parts),
        }
    }

    /// `length` bytes of TLS 1.2's pseudorandom function.
    pub fn prf(self, secret: &[u8], label: &str, seeds: [&[u8]; 2], length: usize) -> Vec<u8> {
        let label = label.as_bytes();
        let mut out = Vec::with_capacity(length + self.length());
        let mut turn = self.mac(secret, &[label, seeds[0], seeds[1]]);
        while out.len() < length {
            out.extend(self.mac(secret, &[&turn, label, seeds[0], seeds[1]]));
            turn = self.mac(secret, &[&turn]);
        }
        out.truncate(length);
        out
    }

    /// `length` bytes that TLS 1.3 expands of a secret; None when the secret has not the hash's length.
    pub fn expand(self, secret: &[u8], label: &str, length: usize) -> Option<Vec<u8>> {
        let mut out = vec![0; length];
        let info = label_info(label, length);
        match self {
            Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret).ok()?.expand(&info, &mut out).ok()?,
            _ => Hkdf::<Sha256>::from_prk(secret).ok()?.expand(&info, &mut out).ok()?,
        }
        (secret.len() == self.length()).then_some(out)
    }
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut made) = <M as Mac>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| made.update(part));
    made.finalize().into_bytes().to_vec()
}

/// What TLS 1.3 and QUIC expand secrets with, without a context.
pub fn label_info(label: &str, length: usize) -> Vec<u8> {
    let name = ["tls13 ", label].concat();
    [&(length as u16).to_be_bytes()[..], &[name.len() as u8], name.as_bytes(), &[0]].concat()
}
