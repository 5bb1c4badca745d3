//! Records files: a chunk's finished sessions without their packets, as a sensor in flow mode sends them.
//!
//! A zstd stream of msgpack `bin` items: a head, one item a session, an end. What names the chunk (id, chunk, node,
//! file, tags) is not in it: whoever reads it says that, so that a file can only ever speak for its own chunk.

mod pack;
mod read;
mod unpack;
mod write;

pub use read::{Promised, Reader};
pub use write::write;

use crate::field::{Field, Kind};
use crate::session::fields::{CHUNK, FILE, ID, NODE, ROOT_ID, TIMESTAMP};

/// The format written, and the only one read.
pub const FORMAT: i64 = 1;
/// What a head begins with.
const MAGIC: &str = "hayrick-records";
/// Bytes of one item: a session's texts are bounded, its places are numbers.
const MAX_ITEM: usize = 16 << 20;

/// Fields that the reader fills in itself.
fn is_origin(field: &Field) -> bool {
    [&ID, &ROOT_ID, &CHUNK, &NODE, &FILE, &TIMESTAMP].iter().any(|each| std::ptr::eq(*each, field))
}

/// A kind of value in the head: how a field's values are packed.
fn code(kind: Kind) -> &'static str {
    match kind {
        Kind::Term | Kind::LowerTerm | Kind::UpperTerm => "text",
        Kind::Integer | Kind::Date => "int",
        Kind::Ip => "ip",
        Kind::Boolean => "bool",
        Kind::Object => "objects",
    }
}
