//! Records files as Python sees them: written by a sensor, read by a collector.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::capture;
use crate::pipeline::Decoder;
use crate::python::{Decoding, Input, Source, open_error, summary};
use crate::python_enrichment::Enrichment;
use crate::python_file::{PythonFile, Raised};
use crate::records::{Promised, Reader, write};
use crate::session::record::Origin;

/// Decodes the capture at `path` into the new records file `out`.
#[pyfunction]
#[pyo3(signature = (path, out, *, level=9))]
pub fn write_records(py: Python<'_>, path: PathBuf, out: PathBuf, level: i32) -> PyResult<Py<PyDict>> {
    if !(1..=19).contains(&level) {
        return Err(PyValueError::new_err("level is not in 1 to 19"));
    }
    let done = py.detach(|| {
        let decoder = Decoder::new(capture::open(&path)?, Origin::default())?;
        let format = decoder.format();
        let mut file = BufWriter::with_capacity(1 << 17, File::create(&out)?);
        let told = write(decoder, &mut file, level)?;
        file.flush()?;
        Ok((format, told))
    });
    let (format, told) = done.map_err(open_error)?;
    Ok(summary(py, format, &told)?.unbind())
}

// Named options of a Python function are that many arguments.
#[allow(clippy::too_many_arguments)]
/// Opens a records file; see the stub for the arguments.
#[pyfunction]
#[pyo3(signature = (path, *, size, chunk, node="", file="", tags=vec![], batch_sessions=8192, indexed_ms=0, enrichment=None))]
pub fn read_records(
    py: Python<'_>,
    path: Input,
    size: u64,
    chunk: &str,
    node: &str,
    file: &str,
    tags: Vec<String>,
    batch_sessions: usize,
    indexed_ms: i64,
    enrichment: Option<PyRef<'_, Enrichment>>,
) -> PyResult<Decoding> {
    let origin = Origin { chunk: chunk.into(), node: node.into(), file: file.into(), tags, indexed_ms };
    let opened = py.detach(|| match path {
        Input::Path(path) => Ok((Reader::new(File::open(path)?, origin, Promised { size })?, Raised::default())),
        Input::File(object) => {
            let file = PythonFile::new(object)?;
            let raised = file.raised();
            Ok((Reader::new(file, origin, Promised { size })?, raised))
        }
    });
    let (reader, raised) = opened.map_err(open_error)?;
    Ok(Decoding::new(Source::Records(Box::new(reader)), raised, batch_sessions, enrichment))
}
