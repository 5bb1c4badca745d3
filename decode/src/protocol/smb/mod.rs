//! SMB 1 to 3: who logs on from where, the shares and files asked for, the dialect spoken.

mod smb1;
mod smb2;

use super::frames::{Frames, Length};
use super::{Direction, Flow, Parser, Protocol, Signature, Status, ntlm};
use crate::field::{Count, Field, Kind};

use Kind::Term;

crate::declare_fields! {
    DIALECT = Field::one("smb.dialect", "smb.dialect", Term, "Dialect agreed on").counted(Count::No);
    DOMAIN = Field::set("smb.domain", "smb.domain", Term, "Domains");
    FILE = Field::set("smb.fn", "smb.filename", Term, "Names of files");
    HOST = Field::set("host.smb", "smb.host", Term, "Names of hosts").aliases(&["smb.host"]);
    SYSTEM = Field::set("smb.os", "smb.os", Term, "Operating systems");
    SHARE = Field::set("smb.share", "smb.share", Term, "Shares");
    USER = Field::set("smb.user", "smb.user", Term, "Users");
    VERSION = Field::set("smb.ver", "smb.version", Term, "Versions of the software");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "smb",
    fields: FIELDS,
    signatures: &[Signature::Tcp(4, b"\xffSMB", begin), Signature::Tcp(4, b"\xfeSMB", begin)],
};

fn begin(flow: &mut Flow<'_>, _direction: Direction, _data: &[u8]) {
    if !flow.has_protocol("smb") {
        flow.protocol("smb");
        flow.attach(Box::new(Smb::default()));
    }
}

/// NetBIOS' session header, or the bare length of direct transport; both alike.
fn length(data: &[u8]) -> Length {
    match data.first_chunk::<4>() {
        None => Length::More,
        Some(&[0, a, b, c]) => Length::sum(4, u32::from_be_bytes([0, a, b, c])),
        // Session requests, answers and keep-alives of NetBIOS.
        Some(&[0x81..=0x85, _, a, b]) => Length::sum(4, u16::from_be_bytes([a, b])),
        Some(_) => Length::Bad,
    }
}

#[derive(Default)]
struct Smb {
    frames: Frames,
    dialects: smb1::Dialects,
}

impl Parser for Smb {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let Smb { frames, dialects } = self;
        let good = frames.feed(direction, data, length, |message| {
            let message = &message[4..];
            match message.first_chunk() {
                Some(b"\xffSMB") => drop(smb1::message(flow, message, dialects)),
                Some(b"\xfeSMB") => smb2::messages(flow, message),
                _ => {}
            }
        });
        if good { Status::More } else { Status::Done }
    }
}

/// The security blob of a session setup. SPNEGO's tell the session's user too, unless it is damaged; bare NTLM only its own
/// fields. As the peer has it, SPNEGO's first message, which only offers, is not read.
fn security(flow: &mut Flow<'_>, blob: &[u8]) {
    if blob.first() == Some(&0x60) {
        return;
    }
    let bare = blob.starts_with(b"NTLMSSP\0");
    if let (Some(logon), false) = (ntlm::find(flow, blob).filter(|logon| logon.whole), bare) {
        flow.fields.text(&DOMAIN, &logon.domain);
        flow.fields.text(&USER, &logon.user);
        flow.fields.text(&HOST, &logon.host);
    }
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::Direction::{Client, Server};
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    fn smb1(command: u8, response: bool, words: &[u8], bytes: &[u8]) -> Vec<u8> {
        let mut message = b"\xffSMB".to_vec();
        message.push(command);
        message.extend([0; 27]);
        message[9] = if response { 0x80 } else { 0 };
        message.push((words.len() / 2) as u8);
        message.extend(words);
        message.extend((bytes.len() as u16).to_le_bytes());
        message.extend(bytes);
        let mut whole = (message.len() as u32).to_be_bytes().to_vec();
        whole.extend(message);
        whole
    }

    #[test]
    fn the_dialect_is_the_one_the_server_chose() {
        let mut harness = Harness::new(Transport::Tcp, 445);
        let ask = smb1(0x72, false, &[], b"\x02LM1\0\x02NT LM 0.12\0");
        harness.data(Client, &ask);
        harness.data(Server, &smb1(0x72, true, &[1, 0], b""));
        assert_eq!(harness.texts(&DIALECT), ["NT LM 0.12"]);
    }

    #[test]
    fn files_do_not_depend_on_how_the_stream_is_cut() {
        let mut stream = smb1(0x06, false, &[0, 0], b"\x04one.txt\0");
        stream.extend(smb1(0x75, false, &[0xff, 0, 0, 0, 0, 0, 1, 0], b"\0\\\\HOST\\SHARE\0?????\0"));
        for cut in 8..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 445);
            harness.data(Client, &stream[..cut]);
            harness.data(Client, &stream[cut..]);
            assert_eq!(harness.texts(&FILE), ["one.txt"], "cut at {cut}");
            assert_eq!(harness.texts(&SHARE), ["\\\\HOST\\SHARE"], "cut at {cut}");
        }
    }

    #[test]
    fn chains_that_bite_their_tail_end() {
        let mut harness = Harness::new(Transport::Tcp, 445);
        harness.data(Client, &smb1(0x75, false, &[0x75, 0, 32, 0, 0, 0, 0, 0], b""));
        let mut noise = b"\0\0\x10\0\xfeSMB".to_vec();
        noise.extend((0..4092u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8));
        harness.data(Client, &noise);
        assert!(harness.protocols.contains(&"smb"));
    }
}
