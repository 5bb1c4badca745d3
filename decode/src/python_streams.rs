//! `Streams` as Python sees it, over packets as `read_packets` gives them.

use std::net::IpAddr;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::capture::RawPacket;
use crate::layers::{Address, v4};
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
