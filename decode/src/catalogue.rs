//! The catalogue: every field of every protocol, in the order of documents.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use crate::field::{Field, Kind};
use crate::protocol::registry::PROTOCOLS;
use crate::session;

/// All fields; a field's index is its place in `fields`.
pub struct Catalogue {
    /// Fields that documents hold, sorted by document name, so that nested objects are runs of neighbours.
    pub fields: Vec<&'static Field>,
    /// Fields that only expressions know.
    pub virtuals: Vec<&'static Field>,
}

impl Catalogue {
    fn new() -> Catalogue {
        let all = session::fields::ALL.iter().chain(PROTOCOLS.iter().flat_map(|p| p.fields)).copied();
        let (mut fields, virtuals): (Vec<_>, Vec<_>) = all.partition(|f: &&Field| f.any_of.is_empty());
        fields.sort_by(|a, b| a.document.split('.').cmp(b.document.split('.')));
        for (index, field) in fields.iter().enumerate() {
            field.set_index(index as u16);
        }
        Catalogue { fields, virtuals }
    }

    /// The table a field's column is in: the protocol's, or `sessions` for what every session may have.
    pub fn table(field: &Field) -> &'static str {
        if field.kind != Kind::Object && session::fields::ALL.iter().any(|f| std::ptr::eq(*f, field)) {
            "sessions"
        } else {
            field.head()
        }
    }
}

/// The catalogue, made once.
pub fn get() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(Catalogue::new)
}

/// A number drawn once per process, for hash tables whose keys strangers choose.
pub fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| RandomState::new().hash_one(0))
}
