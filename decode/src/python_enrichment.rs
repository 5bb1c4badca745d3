//! Enrichment as Python sees it: tables read once, given to as many decodings as wanted.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::enrichment::{self, Paths};
use crate::python::open_error;

#[pyclass(module = "hayrick_decode", frozen)]
pub(crate) struct Enrichment {
    pub(crate) tables: Arc<enrichment::Enrichment>,
}

#[pymethods]
impl Enrichment {
    #[new]
    #[pyo3(signature = (*, country=None, asn=None, rir=None, oui=None))]
    fn new(
        py: Python<'_>,
        country: Option<PathBuf>,
        asn: Option<PathBuf>,
        rir: Option<PathBuf>,
        oui: Option<PathBuf>,
    ) -> PyResult<Enrichment> {
        let paths = Paths { country, asn, rir, oui };
        let tables = py.detach(|| enrichment::Enrichment::open(&paths)).map_err(open_error)?;
        Ok(Enrichment { tables: Arc::new(tables) })
    }
}
