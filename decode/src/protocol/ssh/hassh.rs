//! HASSH: what each end offers for the key exchange, as a fingerprint.

use crate::protocol::Direction;
use crate::protocol::reader::Reader;
use crate::protocol::tls::vectors::Vectors;

/// The text that HASSH hashes, from a KEXINIT message after its type: key exchange, encryption, MAC and compression
/// algorithms that the sender would use for what it sends.
pub fn text(message: &[u8], sender: Direction) -> Option<String> {
    let mut reader = Reader::new(message);
    reader.skip(16)?;
    let mut lists = [&[][..]; 8];
    for list in &mut lists {
        *list = reader.vector(4)?;
    }
    let at = sender as usize;
    let [kex, _, ciphers @ ..] = lists;
    let chosen = [kex, *ciphers.get(at)?, *ciphers.get(2 + at)?, *ciphers.get(4 + at)?];
    Some(chosen.map(|list| String::from_utf8_lossy(list).into_owned()).join(";"))
}
