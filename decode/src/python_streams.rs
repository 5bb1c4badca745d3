//! `Streams` as Python sees it, over packets as `read_packets` gives them.

use std::net::IpAddr;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::capture::RawPacket;
use crate::layers::{Address, v4};
use crate::protocol::{Direction, tls};
use crate::secrets::{Secrets, Wrong};
use crate::streams::{self, Piece};

/// Time, link type, length on the wire, bytes.
type Packet = (u64, u16, u32, PyBackedBytes);

/// Side (0: the client), time, bytes missing before, bytes.
type Told<'py> = (u8, u64, u64, Bound<'py, PyBytes>);

#[pyclass(module = "hayrick_decode")]
pub(crate) struct Streams {
    inner: streams::Streams,
}

#[pymethods]
impl Streams {
    #[new]
    #[pyo3(signature = (source=None))]
    fn new(source: Option<(IpAddr, u16)>) -> Streams {
        Streams { inner: streams::Streams::new(source.map(|(address, port)| (number(address), port))) }
    }

    fn feed<'py>(&mut self, py: Python<'py>, packets: Vec<Packet>) -> Vec<Told<'py>> {
        let pieces = py.detach(|| {
            let mut found = Vec::new();
            packets.iter().for_each(|packet| self.inner.packet(&raw(packet), &mut found));
            found
        });
        told(py, pieces)
    }

    fn finish<'py>(&mut self, py: Python<'py>) -> Vec<Told<'py>> {
        let mut found = Vec::new();
        self.inner.finish(&mut found);
        told(py, found)
    }

    fn sides(&mut self, py: Python<'_>, packets: Vec<Packet>) -> Vec<Option<u8>> {
        py.detach(|| {
            packets.iter().map(|packet| self.inner.direction_of(&raw(packet)).map(|side| side as u8)).collect()
        })
    }
}

/// Takes a key log's text; one that is none is a ValueError.
pub(crate) fn add_key_log(secrets: &Secrets, text: &[u8]) -> PyResult<()> {
    secrets.add(text).map_err(|wrong| {
        PyValueError::new_err(match wrong {
            Wrong::NoKeyLog => "not a key log: no line of it tells a TLS secret",
            Wrong::TooMany => "the key log has the secrets of too many sessions",
        })
    })
}

/// Pieces with TLS undone.
#[pyfunction]
pub(crate) fn opened<'py>(
    py: Python<'py>,
    pieces: Vec<(u8, u64, u64, PyBackedBytes)>,
    key_log: &[u8],
) -> PyResult<Option<Vec<Told<'py>>>> {
    let secrets = Secrets::default();
    add_key_log(&secrets, key_log)?;
    let found = py.detach(|| tls::opened::opened(&pieces.iter().map(piece).collect::<Vec<_>>(), &secrets));
    Ok(found.map(|pieces| told(py, pieces)))
}

fn piece((side, time_ns, missing, data): &(u8, u64, u64, PyBackedBytes)) -> Piece {
    let direction = if *side == 0 { Direction::Client } else { Direction::Server };
    Piece { direction, time_ns: *time_ns, missing: *missing, data: data.to_vec() }
}

fn raw(packet: &Packet) -> RawPacket<'_> {
    let (time_ns, linktype, wire_length, data) = packet;
    RawPacket { time_ns: *time_ns, linktype: *linktype, wire_length: *wire_length, position: 0, data }
}

fn told(py: Python<'_>, pieces: Vec<Piece>) -> Vec<Told<'_>> {
    pieces.into_iter().map(|p| (p.direction as u8, p.time_ns, p.missing, PyBytes::new(py, &p.data))).collect()
}

fn number(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(address) => v4(address.octets()),
        IpAddr::V6(address) => address.into(),
    }
}
