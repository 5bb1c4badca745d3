//! Finished sessions as Arrow tables: one of sessions, one a protocol, the documents, the packets' places.
//!
//! A column is named as the document's field. Multi-valued fields are lists; addresses are two u64 (`NAME.hi`,
//! `NAME.lo`) when single and 16-byte values in lists, IPv4 as `::ffff:a.b.c.d`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use arrow_array::builder::{
    BooleanBuilder, FixedSizeBinaryBuilder, Int64Builder, ListBuilder, StringBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Field as ArrowField, Schema};

use crate::catalogue::{self, Catalogue};
use crate::field::{Field, Kind, Shape};
use crate::output::json;
use crate::session::record::Record;
use crate::values::{Fields, Values};

/// Builds one column from the values a row has of its field.
enum Column {
    Int(Int64Builder),
    Ints(ListBuilder<Int64Builder>),
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Bool(BooleanBuilder),
    Ip(UInt64Builder, UInt64Builder),
    Ips(ListBuilder<FixedSizeBinaryBuilder>),
}

impl Column {
    fn new(field: &Field, in_object: bool) -> Column {
        let many = in_object || field.shape != Shape::One;
        match (field.kind, many) {
            (Kind::Integer | Kind::Date, false) => Column::Int(Int64Builder::new()),
            (Kind::Integer | Kind::Date, true) => Column::Ints(ListBuilder::new(Int64Builder::new())),
            (Kind::Ip, false) => Column::Ip(UInt64Builder::new(), UInt64Builder::new()),
            (Kind::Ip, true) => Column::Ips(ListBuilder::new(FixedSizeBinaryBuilder::new(16))),
            (Kind::Boolean, _) => Column::Bool(BooleanBuilder::new()),
            (_, false) => Column::Text(StringBuilder::new()),
            (_, true) => Column::Texts(ListBuilder::new(StringBuilder::new())),
        }
    }

    /// Adds values to the row being built; `finish_row` ends it.
    fn add(&mut self, values: &Values) {
        match (self, values) {
            (Column::Int(b), Values::Ints(v)) => v.iter().take(1).for_each(|v| b.append_value(*v)),
            (Column::Ints(b), Values::Ints(v)) => v.iter().for_each(|v| b.values().append_value(*v)),
            (Column::Text(b), Values::Texts(v)) => v.items.iter().take(1).for_each(|v| b.append_value(v)),
            (Column::Texts(b), Values::Texts(v)) => v.items.iter().for_each(|v| b.values().append_value(v)),
            (Column::Bool(b), Values::Bool(v)) => b.append_value(*v),
            (Column::Ip(high, low), Values::Ips(v)) => {
                for address in v.iter().take(1).map(|a| mapped(*a)) {
                    high.append_value((address >> 64) as u64);
                    low.append_value(address as u64);
                }
            }
            (Column::Ips(b), Values::Ips(v)) => {
                for address in v {
                    // 16 bytes into a builder of 16: it cannot refuse.
                    let _ = b.values().append_value(mapped(*address).to_be_bytes());
                }
            }
            _ => {}
        }
    }

    fn finish_row(&mut self, some: bool) {
        match self {
            Column::Ints(b) => b.append(some),
            Column::Texts(b) => b.append(some),
            Column::Ips(b) => b.append(some),
            _ if some => {}
            Column::Int(b) => b.append_null(),
            Column::Text(b) => b.append_null(),
            Column::Bool(b) => b.append_null(),
            Column::Ip(high, low) => {
                high.append_null();
                low.append_null();
            }
        }
    }

    fn finish(self, name: &str) -> Vec<(String, ArrayRef)> {
        let one = |array: ArrayRef| vec![(name.to_owned(), array)];
        match self {
            Column::Int(mut b) => one(Arc::new(b.finish())),
            Column::Ints(mut b) => one(Arc::new(b.finish())),
            Column::Text(mut b) => one(Arc::new(b.finish())),
            Column::Texts(mut b) => one(Arc::new(b.finish())),
            Column::Bool(mut b) => one(Arc::new(b.finish())),
            Column::Ips(mut b) => one(Arc::new(b.finish())),
            Column::Ip(mut high, mut low) => {
                vec![(format!("{name}.hi"), Arc::new(high.finish())), (format!("{name}.lo"), Arc::new(low.finish()))]
            }
        }
    }
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(a.to_ipv6_mapped()),
        IpAddr::V6(a) => u128::from(a),
    }
}

/// One table being built.
struct Table {
    ids: StringBuilder,
    with_id: bool,
    /// Catalogue index of each column's field.
    fields: Vec<u16>,
    columns: Vec<Column>,
    /// Of a member of objects that is counted: how many each object had.
    counts: Vec<Option<Column>>,
    /// Of a table of objects: how many the session has.
    objects: Option<(String, Int64Builder, i64)>,
    touched: Vec<bool>,
}

impl Table {
    fn new(place: &TableLayout) -> Table {
        let catalogue = catalogue::get();
        let fields = place.fields.clone();
        let columns = fields.iter().map(|&i| Column::new(catalogue.fields[usize::from(i)], place.of_objects)).collect();
        let counted = |i: &u16| place.of_objects && catalogue.fields[usize::from(*i)].count_name().is_some();
        let counts = fields.iter().map(|i| counted(i).then(|| Column::Ints(ListBuilder::new(Int64Builder::new()))));
        let counts = counts.collect();
        let objects = catalogue.fields.iter().find(|f| f.kind == Kind::Object && f.document == place.name);
        let objects = objects.and_then(|f| Some((f.count_name()?, Int64Builder::new(), 0)));
        let touched = vec![false; fields.len()];
        let with_id = place.name != SESSIONS;
        Table { ids: StringBuilder::new(), with_id, fields, columns, counts, objects, touched }
    }

    fn add(&mut self, column: usize, values: &Values) {
        self.columns[column].add(values);
        if let Some(counts) = &mut self.counts[column] {
            counts.add(&Values::Ints(smallvec::smallvec![values.len() as i64]));
        }
        self.touched[column] = true;
    }

    fn finish_row(&mut self, id: &str) {
        if self.with_id {
            self.ids.append_value(id);
        }
        for ((column, count), touched) in self.columns.iter_mut().zip(&mut self.counts).zip(&mut self.touched) {
            let touched = std::mem::take(touched);
            column.finish_row(touched);
            if let Some(count) = count {
                count.finish_row(touched);
            }
        }
        if let Some((_, builder, number)) = &mut self.objects {
            builder.append_value(std::mem::take(number));
        }
    }

    fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let catalogue = catalogue::get();
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        if self.with_id {
            columns.push(("id".into(), Arc::new(self.ids.finish())));
        }
        for ((index, column), count) in self.fields.iter().zip(self.columns).zip(self.counts) {
            let field = catalogue.fields[usize::from(*index)];
            columns.extend(column.finish(field.document));
            if let (Some(count), Some(name)) = (count, field.count_name()) {
                columns.extend(count.finish(&name));
            }
        }
        if let Some((name, mut builder, _)) = self.objects {
            columns.push((name, Arc::new(builder.finish())));
        }
        batch(columns)
    }
}

const SESSIONS: &str = "sessions";

/// Which table each field of the catalogue is in.
struct Layout {
    tables: Vec<TableLayout>,
    /// Of each field its table and its column there; of objects the table of their members.
    places: Vec<(usize, usize)>,
}

struct TableLayout {
    name: &'static str,
    /// Catalogue index of each column's field.
    fields: Vec<u16>,
    /// Whether its rows gather the members of a session's objects.
    of_objects: bool,
}

impl Layout {
    fn new() -> Layout {
        let mut layout = Layout { tables: Vec::new(), places: Vec::new() };
        layout.table(SESSIONS);
        for (index, field) in catalogue::get().fields.iter().enumerate() {
            let at = layout.table(Catalogue::table(field));
            let table = &mut layout.tables[at];
            if field.kind == Kind::Object {
                table.of_objects |= field.document == table.name;
                layout.places.push((at, 0));
            } else {
                layout.places.push((at, table.fields.len()));
                table.fields.push(index as u16);
            }
        }
        layout
    }

    fn table(&mut self, name: &'static str) -> usize {
        self.tables.iter().position(|table| table.name == name).unwrap_or_else(|| {
            self.tables.push(TableLayout { name, fields: Vec::new(), of_objects: false });
            self.tables.len() - 1
        })
    }

    fn get() -> &'static Layout {
        static LAYOUT: OnceLock<Layout> = OnceLock::new();
        LAYOUT.get_or_init(Layout::new)
    }
}

/// The tables of a batch, in the layout's order, each made once a session has something for it.
struct Tables {
    layout: &'static Layout,
    made: Vec<Option<Table>>,
    /// Those that the session being added has something for.
    touched: Vec<usize>,
}

impl Tables {
    fn new() -> Tables {
        let layout = Layout::get();
        Tables { layout, made: layout.tables.iter().map(|_| None).collect(), touched: Vec::new() }
    }

    fn table(&mut self, at: usize) -> &mut Table {
        let layout = &self.layout.tables[at];
        self.made[at].get_or_insert_with(|| Table::new(layout))
    }

    fn add(&mut self, record: &Record) {
        self.touched.push(0);
        self.spread(&record.fields);
        for at in std::mem::take(&mut self.touched) {
            self.table(at).finish_row(&record.id);
        }
    }

    /// Puts fields, and those of objects within, into their tables.
    fn spread(&mut self, fields: &Fields) {
        for (index, values) in fields.entries() {
            let (at, column) = self.layout.places[usize::from(*index)];
            if let Values::Objects(list) = values {
                let whole = catalogue::get().fields[usize::from(*index)].document == self.layout.tables[at].name;
                if whole && let Some((_, _, number)) = &mut self.table(at).objects {
                    *number = list.len() as i64;
                }
                list.iter().for_each(|object| self.spread(object));
                continue;
            }
            if !self.touched.contains(&at) {
                self.touched.push(at);
            }
            self.table(at).add(column, values);
        }
    }
}

/// Makes the tables of a batch of sessions: name and rows. A protocol's table is there when a session has it.
pub fn tables(records: &[Record]) -> Result<BTreeMap<&'static str, RecordBatch>, ArrowError> {
    let mut tables = Tables::new();
    tables.table(0);
    records.iter().for_each(|record| tables.add(record));
    let mut done = BTreeMap::new();
    for (place, table) in tables.layout.tables.iter().zip(tables.made) {
        if let Some(table) = table {
            done.insert(place.name, table.finish()?);
        }
    }
    done.insert("documents", documents(records)?);
    done.insert("packets", packets(records)?);
    Ok(done)
}

fn documents(records: &[Record]) -> Result<RecordBatch, ArrowError> {
    let (mut ids, mut texts) = (StringBuilder::new(), StringBuilder::new());
    let mut text = String::new();
    for record in records {
        text.clear();
        json::document(record, false, &mut text);
        ids.append_value(&record.id);
        texts.append_value(&text);
    }
    batch(vec![("id".into(), Arc::new(ids.finish())), ("document".into(), Arc::new(texts.finish()))])
}

fn packets(records: &[Record]) -> Result<RecordBatch, ArrowError> {
    let mut ids = StringBuilder::new();
    let mut positions = ListBuilder::new(Int64Builder::new());
    let mut lengths = ListBuilder::new(Int64Builder::new());
    for record in records {
        ids.append_value(&record.id);
        record.positions.iter().for_each(|p| positions.values().append_value(*p as i64));
        record.lengths.iter().for_each(|l| lengths.values().append_value(i64::from(*l)));
        positions.append(true);
        lengths.append(true);
    }
    batch(vec![
        ("id".into(), Arc::new(ids.finish())),
        ("packetPos".into(), Arc::new(positions.finish())),
        ("packetLen".into(), Arc::new(lengths.finish())),
    ])
}

fn batch(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<ArrowField> =
        columns.iter().map(|(name, array)| ArrowField::new(name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect())
}
