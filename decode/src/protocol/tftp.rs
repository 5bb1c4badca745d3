//! TFTP: what is fetched and what is put.

use super::reader::Reader;
use super::{Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

crate::declare_fields! {
    FILE_NAME = Field::set("tftp.filename", "tftp.filename", Kind::Term, "Names of files");
    OPCODE = Field::set("tftp.opcode", "tftp.opcode", Kind::Term, "Kinds of messages");
}

pub static PROTOCOL: Protocol =
    Protocol { name: "tftp", fields: FIELDS, signatures: &[Signature::UdpPort(69, |flow, _, data| begin(flow, data))] };

const OPCODES: [&str; 7] = ["", "rrq", "wrq", "data", "ack", "error", "oack"];

/// The opcode's name, and the file's for a request.
fn message(data: &[u8]) -> Option<(&'static str, Option<&[u8]>)> {
    let mut reader = Reader::new(data);
    let opcode = usize::from(reader.u16()?);
    let name = OPCODES.get(opcode).filter(|name| !name.is_empty())?;
    let file = if opcode <= 2 { Some(reader.until(0).filter(|file| !file.is_empty())?) } else { None };
    Some((name, file))
}

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if message(data).is_some() {
        each::begin(flow, "tftp", read);
    }
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let Some((opcode, file)) = message(data) else {
        flow.anomaly("tftp-message-malformed");
        return;
    };
    flow.fields.text(&OPCODE, opcode);
    if let Some(file) = file {
        flow.fields.bytes(&FILE_NAME, file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};

    #[test]
    fn a_request_names_its_file() {
        let mut harness = Harness::new(Transport::Udp, 69);
        harness.data(Direction::Client, b"\x00\x01boot.bin\0octet\0");
        harness.data(Direction::Server, b"\x00\x03\x00\x01data");
        harness.data(Direction::Server, b"\x00\x01never ends");
        assert_eq!(harness.protocols, ["tftp"]);
        assert_eq!(harness.texts(&OPCODE), ["rrq", "data"]);
        assert_eq!(harness.texts(&FILE_NAME), ["boot.bin"]);
        assert_eq!(harness.texts(&crate::protocol::ANOMALY), ["tftp-message-malformed"]);
    }
}
