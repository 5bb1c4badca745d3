//! Fields: what a protocol may tell of a session, declared beside the code that fills them.
//!
//! A `Field` is a `static`; the catalogue (`catalogue.rs`) gives each its index once, and everything else
//! (expressions, tables, mappings, documents) reads names, kinds and shapes from here.

use std::sync::atomic::{AtomicU16, Ordering};

/// How a value is compared and stored; the names are the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, kept as it came.
    Term,
    /// Text, lower-cased when it is added.
    LowerTerm,
    /// Text, upper-cased when it is added.
    UpperTerm,
    Integer,
    Ip,
    /// Milliseconds since 1970.
    Date,
    Boolean,
    /// A group of other fields; holds nothing itself.
    Object,
}

impl Kind {
    /// The kind's name in the catalogue.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Term => "termfield",
            Kind::LowerTerm => "lotermfield",
            Kind::UpperTerm => "uptermfield",
            Kind::Integer => "integer",
            Kind::Ip => "ip",
            Kind::Date => "date",
            Kind::Boolean => "boolean",
            Kind::Object => "object",
        }
    }
}

/// How many values a session may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value; the last one set stays.
    One,
    /// Distinct values, in the order of first sight.
    Set,
    /// Every value, repeated ones too.
    List,
}

/// Whether the document tells the number of values, and under what name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    No,
    /// `x` has `xCnt`.
    Cnt,
    /// `x` has `x-cnt` (the peer's name for ECS fields).
    EcsCnt,
}

const UNSET: u16 = u16::MAX;

/// One field's definition.
#[derive(Debug)]
pub struct Field {
    /// Name in expressions.
    pub expression: &'static str,
    /// Name in documents, dotted.
    pub document: &'static str,
    pub kind: Kind,
    pub shape: Shape,
    pub count: Count,
    pub help: &'static str,
    /// Other names in expressions.
    pub aliases: &'static [&'static str],
    /// For a virtual field: the expressions of the fields any of which may match.
    pub any_of: &'static [&'static str],
    index: AtomicU16,
}

impl Field {
    const fn new(
        expression: &'static str,
        document: &'static str,
        kind: Kind,
        shape: Shape,
        count: Count,
        help: &'static str,
    ) -> Field {
        Field {
            expression,
            document,
            kind,
            shape,
            count,
            help,
            aliases: &[],
            any_of: &[],
            index: AtomicU16::new(UNSET),
        }
    }

    /// A field with one value at most.
    pub const fn one(expression: &'static str, document: &'static str, kind: Kind, help: &'static str) -> Field {
        Field::new(expression, document, kind, Shape::One, Count::No, help)
    }

    /// A field with distinct values and their count (`xCnt`).
    pub const fn set(expression: &'static str, document: &'static str, kind: Kind, help: &'static str) -> Field {
        Field::new(expression, document, kind, Shape::Set, Count::Cnt, help)
    }

    /// A field that keeps repeated values, with their count (`xCnt`).
    pub const fn list(expression: &'static str, document: &'static str, kind: Kind, help: &'static str) -> Field {
        Field::new(expression, document, kind, Shape::List, Count::Cnt, help)
    }

    /// A list of objects (`dns`, `cert`), whose members are fields named below it.
    pub const fn objects(expression: &'static str, document: &'static str, help: &'static str) -> Field {
        Field::new(expression, document, Kind::Object, Shape::List, Count::Cnt, help)
    }

    /// A field that only expressions know: any of `any_of` may match.
    pub const fn any(
        expression: &'static str,
        kind: Kind,
        any_of: &'static [&'static str],
        help: &'static str,
    ) -> Field {
        Field { any_of, ..Field::new(expression, "", kind, Shape::Set, Count::No, help) }
    }

    /// The same field with another way of counting its values.
    pub const fn counted(self, count: Count) -> Field {
        Field { count, ..self }
    }

    /// The same field with further names in expressions.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Field {
        Field { aliases, ..self }
    }

    /// Document's name of the number of values, if it is told.
    pub fn count_name(&self) -> Option<String> {
        match self.count {
            Count::No => None,
            Count::Cnt => Some(format!("{}Cnt", self.document)),
            Count::EcsCnt => Some(format!("{}-cnt", self.document)),
        }
    }

    /// The first part of the document's name (`http` of `http.uri`), or the whole.
    pub fn head(&self) -> &'static str {
        self.document.split('.').next().unwrap_or(self.document)
    }

    /// Place in the catalogue. `catalogue::get()` must have run; every pipeline starts with it.
    #[inline]
    pub fn index(&self) -> u16 {
        self.index.load(Ordering::Relaxed)
    }

    pub(crate) fn set_index(&self, index: u16) {
        self.index.store(index, Ordering::Relaxed);
    }
}
