//! Remote procedure calls (RFC 5531): portmapper, mount and NFS; who calls what, and which files are named.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status, each};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    PROGRAM = Field::set("rpc.program", "rpc.program", Term, "Programs called, by name or number");
    PROCEDURE = Field::set("rpc.procedure", "rpc.procedure", Term, "Procedures called: program, version and procedure");
    HOST = Field::set("rpc.host", "rpc.host", Term, "Names callers give their machines");
    UID = Field::set("rpc.uid", "rpc.uid", Integer, "Users that callers say they are, by number");
    NFS_FILE = Field::set("nfs.filename", "nfs.filename", Term, "Names of files and directories");
    NFS_PATH = Field::set("nfs.path", "nfs.path", Term, "Directories mounted");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "rpc",
    fields: FIELDS,
    signatures: &[Signature::Udp(4, CALL, begin_datagrams), Signature::Tcp(8, CALL, begin_stream)],
};

/// A call, by version 2 of the protocol.
const CALL: &[u8] = b"\0\0\0\0\0\0\0\x02";
/// Sun's own program numbers; others are assigned, or made up by their users.
const PROGRAMS: std::ops::Range<u32> = 100_000..101_000;
const PORTMAP: u32 = 100_000;
const NFS: u32 = 100_003;
const MOUNT: u32 = 100_005;
/// Longest name and longest handle that the protocols allow.
const MAX_NAME: usize = 1_024;
const MAX_HANDLE: usize = 128;
/// Longest credential.
const MAX_CREDENTIAL: usize = 400;

#[rustfmt::skip]
const NFS_3: [&str; 22] = [
    "NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK",
    "MKNOD", "REMOVE", "RMDIR", "RENAME", "LINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT",
];
const PORTMAP_2: [&str; 6] = ["NULL", "SET", "UNSET", "GETPORT", "DUMP", "CALLIT"];
const MOUNTS: [&str; 6] = ["NULL", "MNT", "DUMP", "UMNT", "UMNTALL", "EXPORT"];

fn known(data: &[u8], at: usize) -> bool {
    Reader::at(data, at + CALL.len()).u32().is_some_and(|program| PROGRAMS.contains(&program))
}

fn begin_datagrams(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if known(data, 4) {
        each::begin(flow, "rpc", |flow, message| _ = read(flow, message));
    }
}

fn begin_stream(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    if known(data, 8) && !flow.has_protocol("rpc") {
        flow.protocol("rpc");
        flow.attach(Box::new(Stream { client: direction, frames: Frames::default() }));
    }
}

/// A call; anything else tells nothing.
fn read(flow: &mut Flow<'_>, message: &[u8]) -> Option<()> {
    let mut reader = Reader::at(message, 4);
    if reader.take(CALL.len())? != CALL {
        return None;
    }
    let (program, version, procedure) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let name = program_name(program);
    flow.fields.text(&PROGRAM, &name);
    flow.fields.text(&PROCEDURE, &format!("{name}.{version}.{}", procedure_name(program, version, procedure)));
    if program == NFS {
        flow.protocol("nfs");
    }
    let kind = reader.u32()?;
    let credential = opaque(&mut reader, MAX_CREDENTIAL)?;
    if kind == 1 {
        _ = caller(flow, credential);
    }
    reader.u32()?;
    opaque(&mut reader, MAX_CREDENTIAL)?;
    match (program, version, procedure) {
        (MOUNT, _, 1 | 3) => flow.fields.bytes(&NFS_PATH, opaque(&mut reader, MAX_NAME)?),
        (NFS, 3, 3 | 8..=14) => {
            opaque(&mut reader, MAX_HANDLE)?;
            flow.fields.bytes(&NFS_FILE, opaque(&mut reader, MAX_NAME)?);
        }
        _ => {}
    }
    Some(())
}

/// System credentials: a stamp, the machine, the user.
fn caller(flow: &mut Flow<'_>, credential: &[u8]) -> Option<()> {
    let mut reader = Reader::at(credential, 4);
    flow.fields.bytes(&HOST, opaque(&mut reader, MAX_NAME)?);
    flow.fields.int(&UID, i64::from(reader.u32()?));
    Some(())
}

/// Bytes with their length before them, padded to four.
fn opaque<'a>(reader: &mut Reader<'a>, most: usize) -> Option<&'a [u8]> {
    let length = usize::try_from(reader.u32()?).ok().filter(|length| *length <= most)?;
    let bytes = reader.take(length)?;
    reader.skip(length.next_multiple_of(4) - length)?;
    Some(bytes)
}

fn program_name(program: u32) -> String {
    match program {
        PORTMAP => "portmap".into(),
        100_001 => "rstat".into(),
        NFS => "nfs".into(),
        100_004 => "ypserv".into(),
        MOUNT => "mount".into(),
        100_007 => "ypbind".into(),
        100_011 => "rquota".into(),
        100_021 => "nlockmgr".into(),
        100_024 => "status".into(),
        100_227 => "nfs_acl".into(),
        other => other.to_string(),
    }
}

fn procedure_name(program: u32, version: u32, procedure: u32) -> String {
    let names: &[&str] = match (program, version) {
        (NFS, 3) => &NFS_3,
        (NFS, 4) => &["NULL", "COMPOUND"],
        (PORTMAP, 2) => &PORTMAP_2,
        (MOUNT, _) => &MOUNTS,
        _ => &["NULL"],
    };
    let name = usize::try_from(procedure).ok().and_then(|at| names.get(at));
    name.map_or_else(|| procedure.to_string(), |name| (*name).into())
}

/// Records in a stream: each begins with its length; the highest bit says that it ends a message.
struct Stream {
    client: Direction,
    frames: Frames,
}

fn length(data: &[u8]) -> Length {
    match data.first_chunk() {
        Some(mark) => Length::sum(4, u32::from_be_bytes(*mark) & 0x7fff_ffff),
        None => Length::More,
    }
}

impl Parser for Stream {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if direction != self.client {
            return Status::More;
        }
        let good = self.frames.feed(direction, data, length, |record| {
            _ = record.get(4..).and_then(|message| read(flow, message));
        });
        if good { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    /// A look-up of `a.txt` by user 1000 on `box`, as NFS 3 asks for it.
    fn call() -> Vec<u8> {
        let mut data = vec![0, 0, 0, 7];
        for number in [0u32, 2, NFS, 3, 3, 1, 24, 5] {
            data.extend(number.to_be_bytes());
        }
        data.extend(b"\0\0\0\x03box\0\0\0\x03\xe8\0\0\0\x64\0\0\0\0");
        data.extend(b"\0\0\0\0\0\0\0\0\0\0\0\x04fhfh\0\0\0\x05a.txt\0\0\0");
        data
    }

    fn check(harness: &Harness) {
        assert_eq!(harness.protocols, ["rpc", "nfs"]);
        assert_eq!(harness.texts(&PROCEDURE), ["nfs.3.LOOKUP"]);
        assert_eq!(harness.texts(&HOST), ["box"]);
        assert_eq!(harness.ints(&UID), [1000]);
        assert_eq!(harness.texts(&NFS_FILE), ["a.txt"]);
    }

    #[test]
    fn a_datagram_tells_who_calls_what_and_any_cut_does_no_harm() {
        let mut harness = Harness::new(Transport::Udp, 2049);
        harness.data(Direction::Client, &call());
        check(&harness);
        for at in 0..call().len() {
            harness.data(Direction::Client, &call()[..at]);
        }
        check(&harness);
    }

    #[test]
    fn records_do_not_depend_on_how_the_stream_is_cut() {
        let mut stream = (0x8000_0000 | call().len() as u32).to_be_bytes().to_vec();
        stream.extend(call());
        stream.extend(stream.clone());
        for at in 20..stream.len() {
            let mut harness = Harness::new(Transport::Tcp, 2049);
            harness.data(Direction::Client, &stream[..at]);
            harness.data(Direction::Client, &stream[at..]);
            check(&harness);
        }
    }
}
