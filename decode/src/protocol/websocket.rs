//! WebSocket frames after an HTTP upgrade: how many, of what kind, and samples of text.

use super::{Direction, Flow, Parser, Protocol, Status};
use crate::field::{Count, Field, Kind};

use Kind::{Integer, Term};

static CLOSE_CODE: Field = Field::set("websocket.closeCode", "websocket.closeCode", Integer, "Codes in close frames");
static CLOSE_REASON: Field =
    Field::set("websocket.closeReason", "websocket.closeReason", Term, "Reasons in close frames");
static FRAMES: Field = Field::one("websocket.frameCnt", "websocket.frameCnt", Integer, "Frames").counted(Count::No);
static MASKED: Field =
    Field::one("websocket.maskedFromClient", "websocket.maskedFromClient", Integer, "Masked frames of the client");
static OPCODE: Field = Field::set("websocket.opcode", "websocket.opcode", Term, "Kinds of frames");
static BYTES: Field = Field::one("websocket.payloadBytes", "websocket.payloadBytes", Integer, "Bytes of payload");
static SAMPLE: Field = Field::set("websocket.textSample", "websocket.textSample", Term, "Beginnings of text frames");

pub static PROTOCOL: Protocol = Protocol {
    name: "websocket",
    fields: &[&CLOSE_CODE, &CLOSE_REASON, &FRAMES, &MASKED, &OPCODE, &BYTES, &SAMPLE],
    signatures: &[],
};

/// Bytes of a text frame that are kept.
const MAX_SAMPLE: usize = 256;
/// Samples of one session.
const MAX_SAMPLES: usize = 4;
/// Longest head of a frame: two bytes, eight of length, four of mask.
const MAX_HEAD: usize = 14;

#[derive(Default)]
struct Side {
    head: Vec<u8>,
    frame: Option<Frame>,
    /// The kind of the message that continuation frames belong to.
    message: u8,
}

struct Frame {
    opcode: u8,
    compressed: bool,
    mask: Option<[u8; 4]>,
    left: u64,
    text: Vec<u8>,
}

/// Both directions of one WebSocket.
pub struct WebSocket {
    sides: [Side; 2],
    client: usize,
    frames: i64,
    masked: i64,
    bytes: i64,
    samples: usize,
}

impl WebSocket {
    /// A socket that the end `client` (0 or 1) asked for.
    pub fn new(client: usize) -> WebSocket {
        WebSocket { sides: Default::default(), client, frames: 0, masked: 0, bytes: 0, samples: 0 }
    }

    fn head(&mut self, at: usize, data: &mut &[u8]) -> Option<()> {
        let side = &mut self.sides[at];
        while side.head.len() < MAX_HEAD {
            if let Some(frame) = parse(&side.head, side.message) {
                side.head.clear();
                if frame.opcode < 8 {
                    side.message = frame.opcode;
                }
                self.frames += 1;
                self.masked += i64::from(frame.mask.is_some() && at == self.client);
                self.bytes = self.bytes.saturating_add_unsigned(frame.left);
                side.frame = Some(frame);
                return Some(());
            }
            let (&byte, rest) = data.split_first()?;
            side.head.push(byte);
            *data = rest;
        }
        None
    }

    fn payload(&mut self, flow: &mut Flow<'_>, at: usize, data: &mut &[u8]) {
        let Some(frame) = &mut self.sides[at].frame else { return };
        let take = usize::try_from(frame.left).unwrap_or(usize::MAX).min(data.len());
        let (part, rest) = data.split_at(take);
        *data = rest;
        frame.left -= take as u64;
        let keep = part.len().min(MAX_SAMPLE.saturating_sub(frame.text.len()));
        frame.text.extend_from_slice(&part[..keep]);
        if frame.left == 0
            && let Some(frame) = self.sides[at].frame.take()
        {
            self.tell(flow, frame);
        }
    }

    fn tell(&mut self, flow: &mut Flow<'_>, mut frame: Frame) {
        if let Some(mask) = frame.mask {
            frame.text.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        }
        let name = match frame.opcode {
            1 => "Text",
            2 => "Binary",
            8 => "Close",
            9 => "Ping",
            10 => "Pong",
            _ => return,
        };
        flow.fields.text(&OPCODE, name);
        match frame.opcode {
            1 if !frame.compressed && self.samples < MAX_SAMPLES => {
                self.samples += 1;
                flow.fields.bytes(&SAMPLE, whole_characters(&frame.text));
            }
            8 => {
                if let Some((code, reason)) = frame.text.split_first_chunk() {
                    flow.fields.int(&CLOSE_CODE, i64::from(u16::from_be_bytes(*code)));
                    flow.fields.bytes(&CLOSE_REASON, reason);
                }
            }
            _ => {}
        }
    }

    fn totals(&self, flow: &mut Flow<'_>) {
        if self.frames > 0 {
            flow.fields.int(&FRAMES, self.frames);
            flow.fields.int(&MASKED, self.masked);
            flow.fields.int(&BYTES, self.bytes);
        }
    }
}

/// The frame that `head` begins, once it is whole.
fn parse(head: &[u8], message: u8) -> Option<Frame> {
    let (&[first, second], rest) = head.split_first_chunk()?;
    let (left, rest) = match second & 0x7f {
        126 => rest.split_first_chunk().map(|(n, rest)| (u64::from(u16::from_be_bytes(*n)), rest))?,
        127 => rest.split_first_chunk().map(|(n, rest)| (u64::from_be_bytes(*n), rest))?,
        short => (u64::from(short), rest),
    };
    let mask = if second & 0x80 != 0 { Some(*rest.first_chunk()?) } else { None };
    let opcode = if first & 15 == 0 { message } else { first & 15 };
    Some(Frame { opcode, compressed: first & 0x40 != 0, mask, left, text: Vec::new() })
}

/// `text` without a character that the cut left half.
fn whole_characters(text: &[u8]) -> &[u8] {
    match std::str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => &text[..error.valid_up_to()],
        _ => text,
    }
}

impl Parser for WebSocket {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, mut data: &[u8]) -> Status {
        flow.protocol("websocket");
        let at = direction as usize;
        while !data.is_empty() {
            if self.sides[at].frame.is_none() && self.head(at, &mut data).is_none() {
                break;
            }
            self.payload(flow, at, &mut data);
        }
        self.totals(flow);
        Status::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    const OPEN: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    const AGREE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    const FRAMES_SENT: &[u8] = b"\x81\x84\x01\x02\x03\x04ugpp\x89\x80\x01\x02\x03\x04";

    #[test]
    fn frames_do_not_depend_on_how_the_stream_is_cut() {
        for cut in 0..=FRAMES_SENT.len() {
            let mut harness = Harness::new(Transport::Tcp, 80);
            harness.data(Direction::Client, OPEN);
            harness.data(Direction::Server, AGREE);
            harness.data(Direction::Client, &FRAMES_SENT[..cut]);
            harness.data(Direction::Client, &FRAMES_SENT[cut..]);
            harness.data(Direction::Server, b"\x88\x05\x03\xe8bye");
            assert_eq!(harness.texts(&SAMPLE), ["test"], "cut at {cut}");
            assert_eq!(harness.texts(&OPCODE), ["Text", "Ping", "Close"]);
            assert_eq!(harness.ints(&CLOSE_CODE), [1000]);
            assert_eq!(harness.ints(&FRAMES), [3]);
            assert_eq!(harness.ints(&MASKED), [2]);
            assert_eq!(harness.ints(&BYTES), [9]);
        }
    }

    #[test]
    fn a_frame_of_endless_length_holds_no_memory() {
        let mut harness = Harness::new(Transport::Tcp, 80);
        harness.data(Direction::Client, OPEN);
        harness.data(Direction::Server, AGREE);
        harness.data(Direction::Client, b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff");
        harness.data(Direction::Client, &[0; 100_000]);
        assert_eq!(harness.ints(&BYTES), [i64::MAX]);
    }
}
