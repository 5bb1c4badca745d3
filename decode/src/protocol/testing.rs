//! Runs one protocol's parser in a unit test, with no capture around it.

use super::{Direction, Ends, Flow, Parser, Status, Transport};
use crate::catalogue;
use crate::field::Field;
use crate::secrets::Secrets;
use crate::values::{Fields, Values};

/// A session held by hand: feed it data, then look at its fields.
pub struct Harness {
    pub ends: Ends,
    pub fields: Fields,
    pub secrets: Secrets,
    pub protocols: Vec<&'static str>,
    parsers: Vec<Box<dyn Parser>>,
    offsets: [u64; 2],
    classified: [bool; 2],
}

impl Harness {
    /// A session over `transport` from port 40000 to `port`.
    pub fn new(transport: Transport, port: u16) -> Harness {
        catalogue::get();
        let address = |n| Some(std::net::Ipv4Addr::new(192, 0, 2, n).into());
        let ends = Ends {
            transport,
            source: address(1),
            destination: address(2),
            source_port: 40000,
            destination_port: port,
            now_ns: 1_700_000_000_000_000_000,
            first_ns: 1_700_000_000_000_000_000,
        };
        Harness {
            ends,
            fields: Fields::default(),
            secrets: Secrets::default(),
            protocols: vec![],
            parsers: vec![],
            offsets: [0; 2],
            classified: [false; 2],
        }
    }

    /// Data of one direction, classified when it is the first.
    pub fn data(&mut self, direction: Direction, data: &[u8]) {
        let side = direction as usize;
        let mut flow = Flow {
            ends: self.ends,
            fields: &mut self.fields,
            secrets: &self.secrets,
            protocols: &mut self.protocols,
            added: Vec::new(),
            depth: 0,
            offset: self.offsets[side],
        };
        self.parsers.retain_mut(|parser| parser.data(&mut flow, direction, data) == Status::More);
        if !std::mem::replace(&mut self.classified[side], true) {
            flow.classify(direction, data);
        }
        self.parsers.append(&mut flow.added);
        self.offsets[side] += data.len() as u64;
    }

    /// Runs `act` on the session, for code that is called by other parsers.
    pub fn with(&mut self, act: impl FnOnce(&mut Flow<'_>)) {
        let mut flow = Flow {
            ends: self.ends,
            fields: &mut self.fields,
            secrets: &self.secrets,
            protocols: &mut self.protocols,
            added: Vec::new(),
            depth: 0,
            offset: 0,
        };
        act(&mut flow);
        self.parsers.append(&mut flow.added);
    }

    /// Loses `bytes` of one direction.
    pub fn gap(&mut self, direction: Direction, bytes: u64) {
        let mut flow = Flow {
            ends: self.ends,
            fields: &mut self.fields,
            secrets: &self.secrets,
            protocols: &mut self.protocols,
            added: Vec::new(),
            depth: 0,
            offset: 0,
        };
        self.parsers.retain_mut(|parser| parser.gap(&mut flow, direction, bytes) == Status::More);
    }

    /// Ends the session.
    pub fn finish(&mut self) {
        let mut flow = Flow {
            ends: self.ends,
            fields: &mut self.fields,
            secrets: &self.secrets,
            protocols: &mut self.protocols,
            added: Vec::new(),
            depth: 0,
            offset: 0,
        };
        self.parsers.iter_mut().for_each(|parser| parser.finish(&mut flow));
    }

    /// The texts of `field`.
    pub fn texts(&self, field: &Field) -> Vec<&str> {
        match self.fields.get(field) {
            Some(Values::Texts(list)) => list.items.iter().map(|t| &**t).collect(),
            _ => Vec::new(),
        }
    }

    /// The numbers of `field`.
    pub fn ints(&self, field: &Field) -> Vec<i64> {
        match self.fields.get(field) {
            Some(Values::Ints(list)) => list.to_vec(),
            _ => Vec::new(),
        }
    }
}
