//! Protocols whose datagrams each stand for themselves: one function reads them all.

use super::{Direction, Flow, Parser, Status};

/// Calls a function for each datagram of the session.
struct Each(fn(&mut Flow<'_>, &[u8]));

impl Parser for Each {
    fn data(&mut self, flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) -> Status {
        (self.0)(flow, data);
        Status::More
    }
}

/// Names the protocol and has `read` called for each datagram, from the one just seen on; once a session.
pub fn begin(flow: &mut Flow<'_>, name: &'static str, read: fn(&mut Flow<'_>, &[u8])) {
    if !flow.has_protocol(name) {
        flow.protocol(name);
        flow.attach(Box::new(Each(read)));
    }
}
