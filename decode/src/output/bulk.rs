//! Bodies of Elasticsearch's `_bulk`, each for one day's sessions: what writes them looks at no document.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::output::json;
use crate::session::record::Record;

/// A body's lines: of each session the action and the document.
#[derive(Default)]
pub struct Body {
    pub items: usize,
    pub lines: String,
}

impl Body {
    fn add(&mut self, record: &Record, stamp: i64) {
        self.lines.push_str("{\"index\":{\"_id\":");
        json::string(&record.id, &mut self.lines);
        self.lines.push_str("}}\n");
        json::document(record, true, &mut self.lines);
        self.lines.pop();
        let _ = writeln!(self.lines, ",\"hayrick\":{{\"stamp\":{stamp}}}}}");
        self.items += 1;
    }
}

/// Each body with its day, as ids begin with it (`yymmdd`). It ends once it has `most_items`, or `most_bytes` and what
/// the last document has beyond that.
pub fn bodies(records: &[Record], stamp: i64, most_items: usize, most_bytes: usize) -> Vec<(&str, Body)> {
    let mut open: BTreeMap<&str, Body> = BTreeMap::new();
    let mut done = Vec::new();
    for record in records {
        let day = record.id.get(..6).unwrap_or(&record.id);
        let body = open.entry(day).or_default();
        body.add(record, stamp);
        if body.items >= most_items || body.lines.len() >= most_bytes {
            done.push((day, std::mem::take(body)));
        }
    }
    done.extend(open.into_iter().filter(|(_, body)| body.items > 0));
    done
}
