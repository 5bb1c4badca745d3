//! SSDP: what UPnP's devices offer, and what is looked for.

use super::{Direction, Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

use Kind::Term;

crate::declare_fields! {
    KIND = Field::set("ssdp.type", "ssdp.type", Term, "Kinds of messages: M-SEARCH, NOTIFY or RESPONSE");
    TARGET = Field::set("ssdp.target", "ssdp.target", Term, "Kinds of devices and services, looked for or offered");
    USN = Field::set("ssdp.usn", "ssdp.usn", Term, "Names of what is offered, each the only one");
    LOCATION = Field::set("ssdp.location", "ssdp.location", Term, "Where devices describe themselves");
    SERVER = Field::set("ssdp.server", "ssdp.server", Term, "Systems and programs that offer something");
    USER_AGENT = Field::set("ssdp.user-agent", "ssdp.useragent", Term, "Systems and programs that look for something");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "ssdp",
    fields: FIELDS,
    signatures: &[
        Signature::Udp(0, b"M-SEARCH * ", begin),
        Signature::Udp(0, b"NOTIFY * ", begin),
        Signature::UdpPort(1900, |flow, direction, data| {
            if data.starts_with(ANSWER) {
                begin(flow, direction, data);
            }
        }),
    ],
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK";
/// Headers of a message that are looked at; real ones have a dozen.
const MAX_HEADERS: usize = 64;

fn begin(flow: &mut Flow<'_>, _direction: Direction, _data: &[u8]) {
    each::begin(flow, "ssdp", read);
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let kind = match lines.next() {
        Some(line) if line.starts_with(b"M-SEARCH ") => "M-SEARCH",
        Some(line) if line.starts_with(b"NOTIFY ") => "NOTIFY",
        Some(line) if line.starts_with(ANSWER) => "RESPONSE",
        _ => return flow.anomaly("ssdp-message-malformed"),
    };
    flow.fields.text(&KIND, kind);
    for line in lines.take(MAX_HEADERS) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let field = match &name.to_ascii_lowercase()[..] {
            b"st" | b"nt" => &TARGET,
            b"usn" => &USN,
            b"location" => &LOCATION,
            b"server" => &SERVER,
            b"user-agent" => &USER_AGENT,
            _ => continue,
        };
        flow.fields.bytes(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn a_search_and_its_answer_tell_what_there_is() {
        let mut harness = Harness::new(Transport::Udp, 1900);
        harness.data(
            Direction::Client,
            b"M-SEARCH * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\nST: upnp:rootdevice\r\n\r\n",
        );
        let answer = b"HTTP/1.1 200 OK\r\nLocation: http://192.0.2.2/d.xml\r\nSERVER: Linux UPnP/1.0 x/2\r\n\
            ST: upnp:rootdevice\r\nUSN: uuid:1::upnp:rootdevice\r\n\r\n";
        harness.data(Direction::Server, answer);
        assert_eq!(harness.protocols, ["ssdp"]);
        assert_eq!(harness.texts(&KIND), ["M-SEARCH", "RESPONSE"]);
        assert_eq!(harness.texts(&TARGET), ["upnp:rootdevice"]);
        assert_eq!(harness.texts(&LOCATION), ["http://192.0.2.2/d.xml"]);
        assert_eq!(harness.texts(&SERVER), ["Linux UPnP/1.0 x/2"]);
        assert_eq!(harness.texts(&USN), ["uuid:1::upnp:rootdevice"]);
    }

    #[test]
    fn a_message_cut_anywhere_does_no_harm() {
        let message = b"NOTIFY * HTTP/1.1\r\nNT: a\r\nUSN\r\n:\r\n";
        for at in 0..message.len() {
            let mut harness = Harness::new(Transport::Udp, 1900);
            harness.data(Direction::Client, message);
            harness.data(Direction::Client, &message[..at]);
            assert_eq!(harness.texts(&TARGET)[0], "a");
        }
    }
}
