//! Session documents: JSON in the peer's nesting, one object a line.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::OnceLock;

use crate::catalogue;
use crate::field::{Count, Field, Shape};
use crate::session::record::Record;
use crate::values::{Fields, Values};

/// Appends the document of `record` and a newline. `positions` adds where its packets are.
pub fn line(record: &Record, positions: bool, out: &mut String) {
    document(record, positions, out);
    out.push('\n');
}

/// Appends the document of `record`.
pub fn document(record: &Record, positions: bool, out: &mut String) {
    out.push('{');
    let mut writer = Writer { out, path: Vec::new(), first: true };
    writer.fields(&record.fields, 0);
    writer.leave(0);
    if positions {
        writer.numbers("\"packetPos\":", record.positions.iter().map(|p| *p as i64));
        writer.numbers("\"packetLen\":", record.lengths.iter().map(|l| i64::from(*l)));
    }
    writer.packet_range(&record.fields);
    out.push('}');
}

/// A field's name in documents, taken apart.
struct Name {
    /// The objects around it, of each name always the same text.
    outer: Vec<&'static str>,
    /// Its key in the innermost, with quotes and colon.
    key: String,
    /// The key of its values' number, if that is told.
    count: Option<String>,
}

impl Name {
    fn of(field: &'static Field, known: &mut BTreeSet<&'static str>) -> Name {
        let mut outer: Vec<&'static str> = field.document.split('.').collect();
        let last = outer.pop().unwrap_or_default();
        for part in &mut outer {
            known.insert(part);
            *part = known.get(*part).copied().unwrap_or(part);
        }
        let count = match field.count {
            Count::No => None,
            Count::Cnt => Some(format!("\"{last}Cnt\":")),
            Count::EcsCnt => Some(format!("\"{last}-cnt\":")),
        };
        Name { outer, key: format!("\"{last}\":"), count }
    }
}

/// The names of all fields, by catalogue index.
fn names() -> &'static [Name] {
    static NAMES: OnceLock<Vec<Name>> = OnceLock::new();
    let mut known = BTreeSet::new();
    NAMES.get_or_init(|| catalogue::get().fields.iter().map(|field| Name::of(field, &mut known)).collect())
}

struct Writer<'o> {
    out: &'o mut String,
    /// Objects that are open, by name.
    path: Vec<&'static str>,
    first: bool,
}

impl Writer<'_> {
    /// Writes fields in catalogue order; `skip` is the number of name parts that the objects around give.
    fn fields(&mut self, fields: &Fields, skip: usize) {
        let (catalogue, names) = (catalogue::get(), names());
        for (index, values) in fields.entries() {
            let (field, name) = (catalogue.fields[usize::from(*index)], &names[usize::from(*index)]);
            let Some(outer) = name.outer.get(skip..) else { continue };
            self.enter(outer);
            self.key(&name.key);
            self.values(field, values, name.outer.len() + 1);
            if let Some(count) = &name.count {
                self.key(count);
                number(values.len() as i64, self.out);
            }
        }
    }

    /// `depth`: how many parts the field's name has.
    fn values(&mut self, field: &'static Field, values: &Values, depth: usize) {
        let many = field.shape != Shape::One;
        if many {
            self.out.push('[');
        }
        match values {
            Values::Ints(list) => self.list(list, |out, v| number(*v, out)),
            Values::Texts(list) => self.list(&list.items, |out, v| string(v, out)),
            Values::Ips(list) => self.list(list, |out, v| address(*v, many && field.head() == "dns", out)),
            Values::Bool(value) => {
                let _ = write!(self.out, "{value}");
            }
            Values::Objects(list) => {
                self.list(list, |out, object| {
                    out.push('{');
                    let mut inner = Writer { out, path: Vec::new(), first: true };
                    inner.fields(object, depth);
                    inner.leave(0);
                    out.push('}');
                });
            }
        }
        if many {
            self.out.push(']');
        }
    }

    fn list<T>(&mut self, list: &[T], mut one: impl FnMut(&mut String, &T)) {
        for (i, value) in list.iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            one(self.out, value);
        }
    }

    fn numbers(&mut self, key: &str, list: impl Iterator<Item = i64>) {
        self.key(key);
        self.out.push('[');
        for (i, value) in list.enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            number(value, self.out);
        }
        self.out.push(']');
    }

    fn packet_range(&mut self, fields: &Fields) {
        use crate::session::fields::{FIRST_PACKET, LAST_PACKET};
        if let (Some(Values::Ints(first)), Some(Values::Ints(last))) =
            (fields.get(&FIRST_PACKET), fields.get(&LAST_PACKET))
        {
            self.key("\"packetRange\":");
            let _ = write!(self.out, "{{\"gte\":{},\"lte\":{}}}", first[0].min(last[0]), first[0].max(last[0]));
        }
    }

    /// Closes and opens objects until exactly `parts` are open.
    fn enter(&mut self, parts: &[&'static str]) {
        let same = self.path.iter().zip(parts).take_while(|(a, b)| std::ptr::eq(**a, **b)).count();
        self.leave(same);
        for part in &parts[same..] {
            self.out.push_str(if std::mem::take(&mut self.first) { "\"" } else { ",\"" });
            self.out.push_str(part);
            self.out.push_str("\":{");
            self.path.push(part);
            self.first = true;
        }
    }

    fn leave(&mut self, depth: usize) {
        while self.path.len() > depth {
            self.path.pop();
            self.out.push('}');
            self.first = false;
        }
    }

    /// `key` has its quotes and colon.
    fn key(&mut self, key: &str) {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(',');
        }
        self.out.push_str(key);
    }
}

fn number(value: i64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// DNS's lists tell IPv6 addresses with all their digits, other fields do not: the peer's documents do so, and both
/// are read alike.
fn address(value: IpAddr, full: bool, out: &mut String) {
    out.push('"');
    match value {
        IpAddr::V4(v4) => {
            for (at, octet) in v4.octets().into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "." });
                number(octet.into(), out);
            }
        }
        IpAddr::V6(v6) if full => {
            for (at, part) in v6.segments().into_iter().enumerate() {
                let _ = write!(out, "{}{part:04x}", if at == 0 { "" } else { ":" });
            }
        }
        IpAddr::V6(v6) => {
            let _ = write!(out, "{v6}");
        }
    }
    out.push('"');
}

/// Appends `text` as a JSON string.
pub fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = to_escape(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Where the first byte is that JSON does not take as it is; most texts have none, so they are looked at in blocks.
fn to_escape(bytes: &[u8]) -> Option<usize> {
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let clean = bytes.chunks_exact(16).take_while(|block| !block.iter().fold(false, |any, byte| any | special(byte)));
    let skip = 16 * clean.count();
    bytes[skip..].iter().position(special).map(|at| skip + at)
}
