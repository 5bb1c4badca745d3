//! The Python module: captures to batches of sessions, with the GIL released while bytes are decoded.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::Int64Type;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyList};

use crate::capture;
use crate::catalogue::{self, Catalogue};
use crate::enrichment;
use crate::field::{Field, Kind, Shape};
use crate::output;
use crate::pipeline::{Decoder, Summary};
use crate::python_enrichment::Enrichment;
use crate::python_file::{PythonFile, Raised};
use crate::python_records;
use crate::python_streams;
use crate::records::Reader;
use crate::session::fields::CHUNK;
use crate::session::record::{Origin, Record};
use crate::values::Values;

pub(crate) fn open_error(error: std::io::Error) -> PyErr {
    match error.kind() {
        std::io::ErrorKind::InvalidData => PyValueError::new_err(error.to_string()),
        _ => error.into(),
    }
}

// Named options of a Python function are that many arguments.
#[allow(clippy::too_many_arguments)]
/// Opens a capture; see the stub for the arguments.
#[pyfunction]
#[pyo3(signature = (path, *, chunk="", node="", file="", tags=vec![], batch_sessions=8192, indexed_ms=0, enrichment=None, key_log=None))]
fn decode(
    py: Python<'_>,
    path: Input,
    chunk: &str,
    node: &str,
    file: &str,
    tags: Vec<String>,
    batch_sessions: usize,
    indexed_ms: i64,
    enrichment: Option<PyRef<'_, Enrichment>>,
    key_log: Option<&[u8]>,
) -> PyResult<Decoding> {
    let origin = Origin { chunk: chunk.into(), node: node.into(), file: file.into(), tags, indexed_ms };
    let (decoder, raised) = match path {
        Input::Path(path) => {
            let opened = py.detach(|| capture::open(&path).and_then(|source| Decoder::new(source, origin)));
            let decoder = opened.map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidData => open_error(error),
                _ => name_path(py, error, &path),
            })?;
            (decoder, Raised::default())
        }
        Input::File(object) => {
            let opened = py.detach(|| {
                let file = PythonFile::new(object)?;
                let raised = file.raised();
                Ok((Decoder::new(capture::undone(file)?, origin)?, raised))
            });
            opened.map_err(open_error)?
        }
    };
    if let Some(text) = key_log {
        python_streams::add_key_log(&decoder.pipeline.secrets, text)?;
    }
    Ok(Decoding::new(Source::Capture(Box::new(decoder)), raised, batch_sessions, enrichment))
}

/// Where a capture's bytes come from: a path, or an object with `read` and `seek`.
pub(crate) enum Input {
    Path(PathBuf),
    File(Py<PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for Input {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Input> {
        if object.hasattr("read")? {
            return Ok(Input::File(object.to_owned().unbind()));
        }
        object.extract().map(Input::Path)
    }
}

/// An `OSError` that names the file, as Python's own `open` does.
fn name_path(py: Python<'_>, error: std::io::Error, path: &std::path::Path) -> PyErr {
    let Some(number) = error.raw_os_error() else { return error.into() };
    let text = error.to_string();
    let message = text.split(" (os error").next().unwrap_or_default().to_owned();
    match py.get_type::<pyo3::exceptions::PyOSError>().call1((number, message, path)) {
        Ok(made) => PyErr::from_value(made),
        Err(failed) => failed,
    }
}

/// What sessions come out of.
pub(crate) enum Source {
    Capture(Box<Decoder>),
    Records(Box<Reader>),
}

impl Source {
    fn next_batch(&mut self, wanted: usize) -> std::io::Result<Vec<Record>> {
        match self {
            Source::Capture(decoder) => Ok(decoder.next_batch(wanted)),
            Source::Records(reader) => reader.next_batch(wanted),
        }
    }

    /// The secrets of the sessions that were found; a records file has none.
    fn key_log(&self) -> String {
        match self {
            Source::Capture(decoder) => decoder.pipeline.secrets.seen(),
            Source::Records(_) => String::new(),
        }
    }

    /// The capture's format, and what was found in it: whole once a batch was empty.
    fn told(&self) -> (&str, &Summary) {
        match self {
            Source::Capture(decoder) => (decoder.format(), &decoder.pipeline.summary),
            Source::Records(reader) => (&reader.format, &reader.summary),
        }
    }
}

/// An iterator of `Batch`.
#[pyclass(module = "hayrick_decode")]
pub(crate) struct Decoding {
    /// Behind a lock only because parsers may be sent between threads but not shared.
    source: Mutex<Option<Source>>,
    /// What a Python file object raised while it was read; a path raises nothing once it is open.
    raised: Raised,
    batch: usize,
    enrichment: Option<Arc<enrichment::Enrichment>>,
    summary: Option<Py<PyDict>>,
    key_log: String,
}

impl Decoding {
    pub(crate) fn new(
        source: Source,
        raised: Raised,
        batch_sessions: usize,
        enrichment: Option<PyRef<'_, Enrichment>>,
    ) -> Decoding {
        Decoding {
            source: Mutex::new(Some(source)),
            raised,
            batch: batch_sessions.max(1),
            enrichment: enrichment.map(|given| given.tables.clone()),
            summary: None,
            key_log: String::new(),
        }
    }
}

#[pymethods]
impl Decoding {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Batch>> {
        let slot = self.source.get_mut().map_err(|_| PyRuntimeError::new_err("decoding failed before"))?;
        let Some(source) = slot else { return Ok(None) };
        let (wanted, enrichment) = (self.batch, self.enrichment.as_deref());
        let read = py.detach(|| {
            let mut records = source.next_batch(wanted)?;
            if let Some(enrichment) = enrichment {
                records.iter_mut().for_each(|record| enrichment.apply(&mut record.fields));
            }
            Ok(records)
        });
        if let Some(error) = self.raised.lock().ok().and_then(|mut raised| raised.take()) {
            *slot = None;
            return Err(error);
        }
        match read {
            Err(error) => {
                *slot = None;
                Err(open_error(error))
            }
            Ok(records) if records.is_empty() => {
                let (format, told) = source.told();
                self.summary = Some(summary(py, format, told)?.unbind());
                self.key_log = source.key_log();
                *slot = None;
                Ok(None)
            }
            Ok(records) => Ok(Some(Batch { records })),
        }
    }

    #[getter]
    fn summary(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        match &self.summary {
            Some(summary) => Ok(summary.clone_ref(py)),
            None => Err(PyRuntimeError::new_err("the summary is known once all batches were taken")),
        }
    }

    #[getter]
    fn key_log(&self) -> &[u8] {
        self.key_log.as_bytes()
    }
}

pub(crate) fn summary<'py>(py: Python<'py>, format: &str, s: &Summary) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("format", format)?;
    dict.set_item("packets", s.packets)?;
    dict.set_item("bytes", s.bytes)?;
    dict.set_item("sessions", s.sessions)?;
    dict.set_item("first_packet", s.first_ms)?;
    dict.set_item("last_packet", s.last_ms)?;
    dict.set_item("protocols", s.protocols.clone())?;
    dict.set_item("anomalies", s.anomalies.clone())?;
    dict.set_item("linktypes", s.linktypes.clone())?;
    dict.set_item("seekable", s.seekable)?;
    Ok(dict)
}

/// Finished sessions.
#[pyclass(module = "hayrick_decode")]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
}

#[pymethods]
impl Batch {
    fn __len__(&self) -> usize {
        self.records.len()
    }

    fn tables(&self, py: Python<'_>) -> PyResult<BTreeMap<&'static str, Table>> {
        let tables = py.detach(|| output::arrow::tables(&self.records));
        let tables = tables.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(tables.into_iter().map(|(name, batch)| (name, Table { batch })).collect())
    }

    fn ndjson<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let text = py.detach(|| {
            let mut text = String::new();
            self.records.iter().for_each(|record| output::json::line(record, true, &mut text));
            text
        });
        PyBytes::new(py, text.as_bytes())
    }

    fn bulk<'py>(
        &self,
        py: Python<'py>,
        chunk: &str,
        stamp: i64,
        most_items: usize,
        most_bytes: usize,
    ) -> PyResult<Vec<Body<'py>>> {
        let other = |record: &&Record| match record.fields.get(&CHUNK) {
            Some(Values::Texts(told)) => !told.items.iter().all(|each| **each == *chunk),
            _ => true,
        };
        if let Some(record) = self.records.iter().find(other) {
            return Err(PyValueError::new_err(format!(
                "the session {} does not belong to the chunk {chunk}",
                record.id
            )));
        }
        let made = py.detach(|| output::bulk::bodies(&self.records, stamp, most_items, most_bytes));
        let given = |(day, body): (&str, output::bulk::Body)| {
            (day.to_owned(), body.items, PyBytes::new(py, body.lines.as_bytes()))
        };
        Ok(made.into_iter().map(given).collect())
    }
}

/// A day, a number of items, the lines.
type Body<'py> = (String, usize, Bound<'py, PyBytes>);

/// One Arrow table of a batch; any reader of the Arrow C stream interface takes it.
#[pyclass(module = "hayrick_decode")]
struct Table {
    batch: RecordBatch,
}

#[pymethods]
impl Table {
    #[getter]
    fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }

    #[getter]
    fn columns(&self) -> Vec<String> {
        self.batch.schema().fields().iter().map(|f| f.name().clone()).collect()
    }

    #[getter]
    fn types(&self) -> Vec<String> {
        self.batch.schema().fields().iter().map(|f| output::parquet::type_name(f.data_type())).collect()
    }

    fn span<'py>(&self, py: Python<'py>, column: &str) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let Some(array) = self.batch.column_by_name(column) else { return Ok(None) };
        if let Some(numbers) = array.as_primitive_opt::<Int64Type>() {
            return ends(py, numbers.iter().flatten());
        }
        match array.as_string_opt::<i32>() {
            Some(texts) => ends(py, texts.iter().flatten()),
            None => Err(PyValueError::new_err(format!("{column} has no least and greatest value"))),
        }
    }

    fn parquet<'py>(
        &self,
        py: Python<'py>,
        more: Vec<PyRef<'_, Table>>,
        rows_a_group: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let batches: Vec<&RecordBatch> =
            std::iter::once(&self.batch).chain(more.iter().map(|each| &each.batch)).collect();
        let file = py.detach(|| output::parquet::file(&batches, rows_a_group));
        Ok(PyBytes::new(py, &file.map_err(|error| PyRuntimeError::new_err(error.to_string()))?))
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface lets a producer leave the request aside: there is one form of these tables.
        drop(requested_schema);
        let schema = self.batch.schema();
        let reader = arrow_array::RecordBatchIterator::new([Ok(self.batch.clone())], schema);
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), c"arrow_array_stream")
    }
}

/// The least and the greatest of them.
fn ends<'py, T>(py: Python<'py>, values: T) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>>
where
    T: Iterator<Item: Ord + Copy + IntoPyObjectExt<'py>>,
{
    let found = values.fold(None, |ends: Option<(T::Item, T::Item)>, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    });
    found.map(|(low, high)| Ok((low.into_bound_py_any(py)?, high.into_bound_py_any(py)?))).transpose()
}

/// The catalogue of fields.
#[pyfunction]
fn fields(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let catalogue = catalogue::get();
    let objects: Vec<&str> = catalogue.fields.iter().filter(|f| f.kind == Kind::Object).map(|f| f.head()).collect();
    let list = PyList::empty(py);
    for field in catalogue.fields.iter().chain(&catalogue.virtuals) {
        let in_object = objects.contains(&field.head());
        list.append(describe(py, field, in_object)?)?;
        // Elsewhere a count is the length of its list; objects are flattened, so their counts have columns.
        if in_object && let Some(count) = field.count_name() {
            list.append(describe_count(py, field, count)?)?;
        }
    }
    Ok(list)
}

/// What `FieldInfo` of the stub says of a field.
struct Info<'a> {
    expression: &'a str,
    document: Option<&'a str>,
    group: &'a str,
    kind: &'a str,
    multi: bool,
    count: Option<String>,
    help: &'a str,
    table: Option<&'a str>,
    column: Option<&'a str>,
    aliases: &'a [&'a str],
    any_of: &'a [&'a str],
}

impl Info<'_> {
    fn dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("expression", self.expression)?;
        dict.set_item("document", self.document)?;
        dict.set_item("group", self.group)?;
        dict.set_item("kind", self.kind)?;
        dict.set_item("multi", self.multi)?;
        dict.set_item("count", &self.count)?;
        dict.set_item("help", self.help)?;
        dict.set_item("table", self.table)?;
        dict.set_item("column", self.column)?;
        dict.set_item("aliases", self.aliases)?;
        dict.set_item("any_of", self.any_of)?;
        Ok(dict)
    }
}

fn describe<'py>(py: Python<'py>, field: &Field, in_object: bool) -> PyResult<Bound<'py, PyDict>> {
    let is_virtual = !field.any_of.is_empty();
    let table = (!is_virtual).then(|| Catalogue::table(field));
    let has_column = !is_virtual && field.kind != Kind::Object;
    Info {
        expression: field.expression,
        document: (!is_virtual).then_some(field.document),
        group: table.filter(|t| *t != "sessions").unwrap_or("general"),
        kind: field.kind.name(),
        multi: field.shape != Shape::One || in_object,
        count: field.count_name(),
        help: field.help,
        table: table.filter(|_| has_column),
        column: has_column.then_some(field.document),
        aliases: field.aliases,
        any_of: field.any_of,
    }
    .dict(py)
}

fn describe_count<'py>(py: Python<'py>, field: &Field, count: String) -> PyResult<Bound<'py, PyDict>> {
    Info {
        expression: &format!("{}.cnt", field.expression),
        document: Some(&count),
        group: field.head(),
        kind: Kind::Integer.name(),
        multi: field.kind != Kind::Object || field.document != field.head(),
        count: None,
        help: &format!("Number of: {}", field.help),
        table: Some(field.head()),
        column: Some(&count),
        aliases: &[],
        any_of: &[],
    }
    .dict(py)
}

/// Time, link type, length on the wire, bytes.
type Packet<'py> = (u64, u16, u32, Bound<'py, PyBytes>);

/// Packets read back by position.
#[pyfunction]
#[pyo3(signature = (path, positions, *, seekable=false))]
fn read_packets<'py>(py: Python<'py>, path: Input, positions: Vec<u64>, seekable: bool) -> PyResult<Vec<Packet<'py>>> {
    let read = py.detach(|| match path {
        Input::Path(path) => capture::packets(&path, &positions, seekable),
        Input::File(object) => capture::packets_of(PythonFile::new(object)?, &positions, seekable),
    });
    let packets = read.map_err(open_error)?;
    Ok(packets.into_iter().map(|p| (p.time_ns, p.linktype, p.wire_length, PyBytes::new(py, &p.data))).collect())
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(decode, module)?)?;
    module.add_function(wrap_pyfunction!(fields, module)?)?;
    module.add_function(wrap_pyfunction!(read_packets, module)?)?;
    module.add_function(wrap_pyfunction!(python_records::write_records, module)?)?;
    module.add_function(wrap_pyfunction!(python_records::read_records, module)?)?;
    module.add_function(wrap_pyfunction!(python_streams::opened, module)?)?;
    module.add_class::<Decoding>()?;
    module.add_class::<Batch>()?;
    module.add_class::<Enrichment>()?;
    module.add_class::<python_streams::Streams>()?;
    module.add_class::<Table>()?;
    Ok(())
}
