//! A records file to sessions. Who wrote it is not trusted: places must lie in the chunk, ids are made anew.

use std::collections::HashSet;
use std::io::{self, BufReader, Read};
use std::net::IpAddr;

use super::unpack::{Token, Unpacker, damaged};
use super::{FORMAT, MAGIC, MAX_ITEM, code, is_origin};
use crate::catalogue;
use crate::field::{Field, Kind, Shape};
use crate::limits::{MAX_DATAGRAM, MAX_OBJECTS, MAX_PACKET, MAX_SEGMENT_PACKETS};
use crate::pipeline::Summary;
use crate::session::fields::{FIRST_PACKET, ID, LAST_PACKET, ROOT_ID, SEGMENTS};
use crate::session::record::{Origin, Record, identity};
use crate::values::{Fields, Texts, Values};

/// Largest zstd window taken (8 MiB): the writer's level needs no more.
const MAX_WINDOW_LOG: u32 = 23;
/// A packet's header in a capture, as positions count it.
const RECORD_HEADER: u64 = 16;
/// Packets of one session's record: a segment's, and the fragments of its last datagram.
const MAX_PLACES: usize = MAX_SEGMENT_PACKETS + MAX_DATAGRAM / 8;
/// Latest time a capture can tell, ms (64 bits of nanoseconds).
const MAX_TIME: i64 = (u64::MAX / 1_000_000) as i64;
/// Bytes of records for a byte of packets, and for a small chunk: sessions of one tiny packet are larger than it.
const MAX_RATIO: u64 = 32;
const MIN_TOTAL: u64 = 64 << 20;
/// Objects within objects (a DNS transaction has answers).
const MAX_DEPTH: usize = 3;

/// What the chunk is known to be, against which its records are checked.
#[derive(Clone, Copy, Debug)]
pub struct Promised {
    /// Bytes of the capture.
    pub size: u64,
}

/// Sessions of one records file.
pub struct Reader {
    source: Box<dyn Read + Send>,
    origin: Origin,
    promised: Promised,
    /// What the head's numbers mean here; none for what this catalogue does not know.
    fields: Vec<Option<&'static Field>>,
    /// First packet and segment of each session: its identity.
    seen: HashSet<(u64, u32)>,
    places: u64,
    taken: u64,
    item: Vec<u8>,
    pub summary: Summary,
    /// `pcap` or `pcapng`, known at the end.
    pub format: String,
    ended: bool,
}

impl Reader {
    /// Reads the head. `InvalidData` when it is no records file, or of another format.
    pub fn new(source: impl Read + Send + 'static, origin: Origin, promised: Promised) -> io::Result<Reader> {
        let mut zstd = zstd::stream::read::Decoder::new(source)?;
        zstd.window_log_max(MAX_WINDOW_LOG)?;
        let mut reader = Reader {
            source: Box::new(BufReader::with_capacity(1 << 17, zstd)),
            origin,
            promised,
            fields: Vec::new(),
            seen: HashSet::new(),
            places: 0,
            taken: 0,
            item: Vec::new(),
            summary: Summary::default(),
            format: String::new(),
            ended: false,
        };
        reader.head()?;
        Ok(reader)
    }

    /// The next `wanted` sessions; none at the end. An error leaves nothing to go on with.
    pub fn next_batch(&mut self, wanted: usize) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        while !self.ended && records.len() < wanted {
            let item = self.next_item()?;
            let mut items = Unpacker::new(&item);
            match items.next()? {
                Token::Array(5) => {
                    let record = self.session(&mut items)?;
                    self.summary.add(&record);
                    records.push(record);
                }
                Token::Map(count) => self.end(&mut items, count)?,
                _ => return Err(damaged("an item that is neither a session nor the end")),
            }
            self.item = item;
        }
        Ok(records)
    }

    fn next_item(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; 5];
        self.source.read_exact(&mut head).map_err(cut)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if head[0] != 0xc6 || length > MAX_ITEM {
            return Err(damaged("no item where one belongs"));
        }
        self.taken += length as u64;
        if self.taken > MIN_TOTAL + self.promised.size.saturating_mul(MAX_RATIO) {
            return Err(damaged("it is far larger than its packets can make it"));
        }
        let mut item = std::mem::take(&mut self.item);
        item.clear();
        (&mut self.source).take(length as u64).read_to_end(&mut item).map_err(cut)?;
        if item.len() < length { Err(damaged("it is cut short")) } else { Ok(item) }
    }

    fn head(&mut self) -> io::Result<()> {
        let item = self.next_item()?;
        let mut items = Unpacker::new(&item);
        let count = items.map()?;
        if count == 0 || items.text()? != MAGIC {
            return Err(damaged("it does not begin as one"));
        }
        let format = items.int()?;
        if format != FORMAT {
            let why = format!("records of format {format}, this Hayrick reads {FORMAT}; update the older one");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        for _ in 1..count {
            match items.text()? {
                "fields" => self.fields = names(&mut items)?,
                _ => items.skip()?,
            }
        }
        Ok(())
    }

    fn session(&mut self, items: &mut Unpacker<'_>) -> io::Result<Record> {
        let first = u64::try_from(items.int()?).map_err(|_| damaged("a place before the chunk's start"))?;
        let root_day = items.text()?;
        let mut fields = self.members(items, MAX_DEPTH)?;
        let (positions, lengths) = self.places(items)?;
        let segment = number(&fields, &SEGMENTS)?;
        let segment = u32::try_from(segment).ok().filter(|s| *s >= 1).ok_or_else(|| damaged("a segment's number"))?;
        if segment == 1 && !positions.contains(&first) {
            return Err(damaged("a session that does not begin with one of its packets"));
        }
        if first >= self.promised.size || !self.seen.insert((first, segment)) {
            return Err(damaged("a session that is there twice, or not in the chunk"));
        }
        let first_ms = time(&fields, &FIRST_PACKET)?;
        if time(&fields, &LAST_PACKET)? < first_ms {
            return Err(damaged("a session that ends before it begins"));
        }
        let id = identity(&self.origin.chunk, first, segment, first_ms);
        fields.renew_budget();
        fields.text(&ID, &id);
        if !root_day.is_empty() {
            fields.text(&ROOT_ID, &self.root(root_day, first)?);
        } else if segment > 1 {
            return Err(damaged("a later segment without its first"));
        }
        self.origin.write(&mut fields);
        fields.sort();
        Ok(Record { id, fields, positions, lengths, first_position: first, root: None })
    }

    fn root(&self, day: &str, first: u64) -> io::Result<String> {
        if day.len() != 6 || !day.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(damaged("a day that is none"));
        }
        let id = identity(&self.origin.chunk, first, 1, 0);
        Ok(format!("{day}{}", &id[6..]))
    }

    /// The fields of a session or of an object in it; `depth` of objects may lie within.
    fn members(&self, items: &mut Unpacker<'_>, depth: usize) -> io::Result<Fields> {
        let mut fields = Fields::default();
        for _ in 0..items.map()? {
            let index = items.int()?;
            let known = usize::try_from(index).ok().and_then(|i| self.fields.get(i));
            let known = known.ok_or_else(|| damaged("a field that its head does not name"))?;
            let Some(field) = known else {
                items.skip()?;
                continue;
            };
            let values = if field.kind == Kind::Object { self.objects(items, depth)? } else { scalar(field, items)? };
            if !fields.restore(field, values) {
                return Err(damaged("a field that is there twice, or over its bounds"));
            }
        }
        Ok(fields)
    }

    fn objects(&self, items: &mut Unpacker<'_>, depth: usize) -> io::Result<Values> {
        let count = items.array()?;
        if count > MAX_OBJECTS || depth == 0 {
            return Err(damaged("too many objects"));
        }
        (0..count).map(|_| self.members(items, depth - 1)).collect::<io::Result<_>>().map(Values::Objects)
    }

    fn places(&mut self, items: &mut Unpacker<'_>) -> io::Result<(Vec<u64>, Vec<u32>)> {
        let count = items.array()?;
        self.places += count as u64;
        if count == 0 || count > MAX_PLACES || self.places > self.promised.size / RECORD_HEADER {
            return Err(damaged("more packets than the chunk can hold, or none"));
        }
        let gaps = (0..count).map(|_| items.int()).collect::<io::Result<Vec<i64>>>()?;
        if items.array()? != count {
            return Err(damaged("packets without lengths"));
        }
        let (mut positions, mut lengths, mut expected) = (Vec::with_capacity(count), Vec::with_capacity(count), 0i64);
        for gap in gaps {
            let (position, length) = (expected.wrapping_add(gap), items.int()?);
            let fits = position >= 0 && (16..=MAX_PACKET as i64 + 16).contains(&length);
            if !fits || position.saturating_add(length) > i64::try_from(self.promised.size).unwrap_or(i64::MAX) {
                return Err(damaged("a packet outside the chunk"));
            }
            positions.push(position as u64);
            lengths.push(length as u32);
            expected = position + length;
        }
        Ok((positions, lengths))
    }

    fn end(&mut self, items: &mut Unpacker<'_>, count: usize) -> io::Result<()> {
        for _ in 0..count {
            match items.text()? {
                "format" => self.format = items.text()?.chars().take(16).collect(),
                "packets" => self.summary.packets = natural(items)?,
                "bytes" => self.summary.bytes = natural(items)?,
                "span" => {
                    let span = numbers(items, 2)?;
                    self.summary.first_ms = span.first().copied();
                    self.summary.last_ms = span.get(1).copied();
                }
                "linktypes" => {
                    let kinds = numbers(items, 4096)?;
                    self.summary.linktypes = kinds.iter().map(|kind| *kind as u16).collect();
                }
                "seekable" => self.summary.seekable = natural(items)? == 1,
                "anomalies" => {
                    for _ in 0..items.map()?.min(64) {
                        let name: String = items.text()?.chars().take(64).collect();
                        let count = natural(items)?;
                        self.summary.of_file(&name, count.min(1 << 40));
                    }
                }
                _ => items.skip()?,
            }
        }
        self.ended = true;
        match self.source.read(&mut [0; 1])? {
            0 => Ok(()),
            _ => Err(damaged("it goes on after its end")),
        }
    }
}

fn cut(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { damaged("it is cut short") } else { error }
}

/// The head's names as fields of this catalogue, where name and kind are the same.
fn names(items: &mut Unpacker<'_>) -> io::Result<Vec<Option<&'static Field>>> {
    let catalogue = catalogue::get();
    let count = items.array()?;
    let mut fields = Vec::new();
    for _ in 0..count {
        if items.array()? != 2 {
            return Err(damaged("a field without its kind"));
        }
        let (name, kind) = (items.text()?, items.text()?);
        let known = catalogue.fields.iter().copied().find(|f| f.document == name);
        fields.push(known.filter(|f| code(f.kind) == kind && !is_origin(f)));
    }
    Ok(fields)
}

fn scalar(field: &Field, items: &mut Unpacker<'_>) -> io::Result<Values> {
    let count = if field.shape == Shape::One { 1 } else { items.array()? };
    Ok(match field.kind {
        Kind::Integer | Kind::Date => Values::Ints((0..count).map(|_| items.int()).collect::<io::Result<_>>()?),
        Kind::Ip => Values::Ips((0..count).map(|_| address(items)).collect::<io::Result<_>>()?),
        Kind::Boolean => match items.next()? {
            Token::Flag(value) => Values::Bool(value),
            _ => return Err(damaged("no truth value where one belongs")),
        },
        Kind::Term | Kind::LowerTerm | Kind::UpperTerm => {
            let mut texts = Texts::default();
            for _ in 0..count {
                texts.items.push(items.text()?.into());
            }
            Values::Texts(texts)
        }
        Kind::Object => return Err(damaged("objects too deep")),
    })
}

fn address(items: &mut Unpacker<'_>) -> io::Result<IpAddr> {
    match items.next()? {
        Token::Bytes(bytes) => match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
            (Ok(four), _) => Ok(four.into()),
            (_, Ok(sixteen)) => Ok(sixteen.into()),
            _ => Err(damaged("no address where one belongs")),
        },
        _ => Err(damaged("no address where one belongs")),
    }
}

fn natural(items: &mut Unpacker<'_>) -> io::Result<u64> {
    u64::try_from(items.int()?).map_err(|_| damaged("a negative count"))
}

fn numbers(items: &mut Unpacker<'_>, most: usize) -> io::Result<Vec<i64>> {
    let count = items.array()?;
    if count > most {
        return Err(damaged("a list that is too long"));
    }
    (0..count).map(|_| items.int()).collect()
}

fn number(fields: &Fields, field: &Field) -> io::Result<i64> {
    match fields.get(field) {
        Some(Values::Ints(list)) if list.len() == 1 => Ok(list[0]),
        _ => Err(damaged("a session without its times or its number")),
    }
}

fn time(fields: &Fields, field: &Field) -> io::Result<i64> {
    number(fields, field).and_then(|ms| {
        if (0..=MAX_TIME).contains(&ms) { Ok(ms) } else { Err(damaged("a time that no capture can tell")) }
    })
}
