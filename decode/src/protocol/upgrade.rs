//! A session that turns into another protocol, mostly TLS, by its own command: STARTTLS and its kin.

use super::{Direction, Flow, Status};

/// What a TLS handshake begins with: a handshake record of any version.
const TLS_RECORD: &[u8] = b"\x16\x03";

/// Follows both directions into the new protocol.
#[derive(Default)]
pub struct Upgrade {
    classified: [bool; 2],
}

impl Upgrade {
    /// Classifies the first data of a direction; the parser that came before is done once both were.
    pub fn classify(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if !std::mem::replace(&mut self.classified[direction as usize], true) {
            flow.classify(direction, data);
        }
        if self.classified == [true; 2] { Status::Done } else { Status::More }
    }

    /// The same for data that begin as TLS; None for others, which still are the old protocol's.
    pub fn tls(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Option<Status> {
        data.starts_with(TLS_RECORD).then(|| self.classify(flow, direction, data))
    }
}
