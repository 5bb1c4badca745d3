//! A capture read through a Python file object: whoever calls may hold its bytes compressed or encrypted.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Most bytes asked of the object at once: one turn of the interpreter's lock for so many.
const MOST: usize = 1 << 20;

/// What the object raised, kept beside the reader, which the decoder owns.
pub type Raised = Arc<Mutex<Option<PyErr>>>;

/// Reads and seeks by the object's own `read` and `seek`.
pub struct PythonFile {
    object: Py<PyAny>,
    raised: Raised,
}

impl PythonFile {
    /// Begins at the object's start.
    pub fn new(object: Py<PyAny>) -> io::Result<PythonFile> {
        let mut file = PythonFile { object, raised: Raised::default() };
        file.rewind()?;
        Ok(file)
    }

    pub fn raised(&self) -> Raised {
        Arc::clone(&self.raised)
    }

    /// Calls into Python; an exception is kept for whoever drives the decoder.
    fn call<T>(&self, act: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> io::Result<T> {
        Python::attach(|py| {
            act(self.object.bind(py)).map_err(|error| {
                if let Ok(mut raised) = self.raised.lock() {
                    raised.get_or_insert_with(|| error.clone_ref(py));
                }
                error.into()
            })
        })
    }
}

impl Read for PythonFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wanted = into.len().min(MOST);
        self.call(|object| {
            let given = object.call_method1(intern!(object.py(), "read"), (wanted,))?;
            let bytes = given.cast::<PyBytes>()?.as_bytes();
            let place = into.get_mut(..bytes.len()).ok_or_else(|| PyValueError::new_err("read() gave too much"))?;
            place.copy_from_slice(bytes);
            Ok(bytes.len())
        })
    }
}

impl Seek for PythonFile {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.call(|object| {
            let seek = intern!(object.py(), "seek");
            match place {
                SeekFrom::Start(offset) => object.call_method1(seek, (offset, 0)),
                SeekFrom::Current(offset) => object.call_method1(seek, (offset, 1)),
                SeekFrom::End(offset) => object.call_method1(seek, (offset, 2)),
            }?
            .extract()
        })
    }
}
