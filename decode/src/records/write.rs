//! A chunk's capture to a records file.

use std::io::{self, Write};
use std::net::IpAddr;

use super::pack::Packer;
use super::{FORMAT, MAGIC, code, is_origin};
use crate::catalogue;
use crate::field::{Field, Kind, Shape};
use crate::pipeline::{Decoder, Summary};
use crate::session::record::Record;
use crate::values::{Fields, Values};

const BATCH: usize = 1024;

/// Decodes all that `decoder` gives and writes it to `out`, compressed at `level`; the same capture gives the same bytes.
pub fn write(mut decoder: Decoder, out: impl Write, level: i32) -> io::Result<Summary> {
    let mut zstd = zstd::stream::write::Encoder::new(out, level)?;
    zstd.include_checksum(true)?;
    let mut packer = Packer::default();
    head(&mut packer);
    item(&mut packer, &mut zstd)?;
    loop {
        let records = decoder.next_batch(BATCH);
        if records.is_empty() {
            break;
        }
        for record in &records {
            session(record, &mut packer);
            item(&mut packer, &mut zstd)?;
        }
    }
    end(&decoder, &mut packer);
    item(&mut packer, &mut zstd)?;
    zstd.finish()?.flush()?;
    Ok(decoder.pipeline.summary)
}

fn item(packer: &mut Packer, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0xc6])?;
    out.write_all(&(packer.out.len() as u32).to_be_bytes())?;
    out.write_all(&packer.out)?;
    packer.out.clear();
    Ok(())
}

/// Names and kinds of all fields; what follows tells a field by its place here.
fn head(packer: &mut Packer) {
    let fields = &catalogue::get().fields;
    packer.map(3);
    packer.text(MAGIC);
    packer.int(FORMAT);
    packer.text("decoder");
    packer.text(env!("CARGO_PKG_VERSION"));
    packer.text("fields");
    packer.array(fields.len());
    for field in fields {
        packer.array(2);
        packer.text(field.document);
        packer.text(code(field.kind));
    }
}

fn session(record: &Record, packer: &mut Packer) {
    packer.array(5);
    packer.int(record.first_position as i64);
    packer.text(record.root.as_deref().and_then(|root| root.get(..6)).unwrap_or_default());
    fields(&record.fields, packer);
    packer.array(record.positions.len());
    let mut expected = 0;
    for (position, length) in record.positions.iter().zip(&record.lengths) {
        packer.int((*position as i64).wrapping_sub(expected));
        expected = *position as i64 + i64::from(*length);
    }
    packer.array(record.lengths.len());
    record.lengths.iter().for_each(|length| packer.int(i64::from(*length)));
}

fn fields(fields: &Fields, packer: &mut Packer) {
    let catalogue = catalogue::get();
    let told = || fields.entries().iter().map(|(i, v)| (*i, catalogue.fields[usize::from(*i)], v));
    let told = || told().filter(|(_, field, _)| !is_origin(field));
    packer.map(told().count());
    for (index, field, values) in told() {
        packer.int(i64::from(index));
        value(field, values, packer);
    }
}

fn value(field: &Field, values: &Values, packer: &mut Packer) {
    if field.shape != Shape::One || field.kind == Kind::Object {
        packer.array(values.len());
    }
    match values {
        Values::Ints(list) => list.iter().for_each(|v| packer.int(*v)),
        Values::Texts(list) => list.items.iter().for_each(|v| packer.text(v)),
        Values::Ips(list) => list.iter().for_each(|v| address(*v, packer)),
        Values::Bool(value) => packer.flag(*value),
        Values::Objects(list) => list.iter().for_each(|object| self::fields(object, packer)),
    }
}

fn address(address: IpAddr, packer: &mut Packer) {
    match address {
        IpAddr::V4(a) => packer.bytes(&a.octets()),
        IpAddr::V6(a) => packer.bytes(&a.octets()),
    }
}

fn end(decoder: &Decoder, packer: &mut Packer) {
    let summary = &decoder.pipeline.summary;
    packer.map(7);
    packer.text("format");
    packer.text(decoder.format());
    packer.text("packets");
    packer.int(summary.packets as i64);
    packer.text("bytes");
    packer.int(summary.bytes as i64);
    packer.text("span");
    let times: Vec<i64> = summary.first_ms.into_iter().chain(summary.last_ms).collect();
    packer.array(times.len());
    times.iter().for_each(|time| packer.int(*time));
    packer.text("linktypes");
    packer.array(summary.linktypes.len());
    summary.linktypes.iter().for_each(|kind| packer.int(i64::from(*kind)));
    packer.text("seekable");
    packer.int(i64::from(summary.seekable));
    packer.text("anomalies");
    packer.map(summary.file_anomalies.len());
    for (name, count) in &summary.file_anomalies {
        packer.text(name);
        packer.int(*count as i64);
    }
}
