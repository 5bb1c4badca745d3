//! Session documents: JSON in the peer's nesting, one object a line.

use std::fmt::Write;
use std::net::IpAddr;

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
        writer.numbers("packetPos", record.positions.iter().map(|p| *p as i64));
        writer.numbers("packetLen", record.lengths.iter().map(|l| i64::from(*l)));
    }
    writer.packet_range(&record.fields);
    out.push('}');
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
        let catalogue = catalogue::get();
        for (index, values) in fields.entries() {
            let field = catalogue.fields[usize::from(*index)];
            self.field(field, values, skip);
        }
    }

    fn field(&mut self, field: &'static Field, values: &Values, skip: usize) {
        let mut parts: smallvec::SmallVec<[&'static str; 4]> = field.document.split('.').skip(skip).collect();
        let Some(name) = parts.pop() else { return };
        self.enter(&parts);
        self.key(name, "");
        self.values(field, values);
        match field.count {
            Count::No => return,
            Count::Cnt => self.key(name, "Cnt"),
            Count::EcsCnt => self.key(name, "-cnt"),
        }
        number(values.len() as i64, self.out);
    }

    fn values(&mut self, field: &'static Field, values: &Values) {
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
                let skip = field.document.split('.').count();
                self.list(list, |out, object| {
                    out.push('{');
                    let mut inner = Writer { out, path: Vec::new(), first: true };
                    inner.fields(object, skip);
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

    fn numbers(&mut self, name: &str, list: impl Iterator<Item = i64>) {
        self.key(name, "");
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
            self.key("packetRange", "");
            let _ = write!(self.out, "{{\"gte\":{},\"lte\":{}}}", first[0].min(last[0]), first[0].max(last[0]));
        }
    }

    /// Closes and opens objects until exactly `parts` are open.
    fn enter(&mut self, parts: &[&'static str]) {
        let same = self.path.iter().zip(parts).take_while(|(a, b)| a == b).count();
        self.leave(same);
        for part in &parts[same..] {
            self.key(part, "");
            self.out.push('{');
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

    fn key(&mut self, name: &str, suffix: &str) {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(',');
        }
        for part in ["\"", name, suffix, "\":"] {
            self.out.push_str(part);
        }
    }
}

fn number(value: i64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// DNS's lists tell IPv6 addresses with all their digits, other fields do not: the peer's documents do so, and both
/// are read alike.
fn address(value: IpAddr, full: bool, out: &mut String) {
    let _ = match value {
        IpAddr::V6(v6) if full => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            write!(out, "\"{a:04x}:{b:04x}:{c:04x}:{d:04x}:{e:04x}:{f:04x}:{g:04x}:{h:04x}\"")
        }
        _ => write!(out, "\"{value}\""),
    };
}

/// Appends `text` as a JSON string.
pub fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
    }
    out.push_str(&text[from..]);
    out.push('"');
}
