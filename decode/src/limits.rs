//! Every bound on what a capture can make us hold, each with its reason.

/// Distinct values one field keeps of a session; a flood of names must not own the memory.
pub const MAX_VALUES: usize = 2_000;
/// Bytes of one text value; longer ones are cut.
pub const MAX_TEXT: usize = 8_192;
/// Objects (DNS transactions, certificates) a session keeps.
pub const MAX_OBJECTS: usize = 500;
/// Bytes of text all fields of one session keep together.
pub const MAX_SESSION_TEXT: usize = 1 << 20;
/// Largest captured packet; libpcap's own maximum.
pub const MAX_PACKET: usize = 262_144;
/// Open sessions; past it the longest idle one is written out.
pub const MAX_OPEN_SESSIONS: usize = 100_000;
/// Bytes held out of order for one direction of a TCP session before a hole is given up.
pub const MAX_HELD_BYTES: usize = 256 << 10;
/// Segments held out of order for one direction of a TCP session.
pub const MAX_HELD_SEGMENTS: usize = 256;
/// Bytes held out of order by all sessions together.
pub const MAX_HELD_TOTAL: usize = 64 << 20;
/// Datagrams being put together from fragments.
pub const MAX_FRAGMENTED: usize = 1_024;
/// Largest IP datagram.
pub const MAX_DATAGRAM: usize = 65_535;
/// Packets of one segment of a session; the next one starts a linked segment.
pub const MAX_SEGMENT_PACKETS: usize = 10_000;
/// Parsers of one session at a time.
pub const MAX_PARSERS: usize = 8;
/// Protocol layers within layers (tunnels) of one packet.
pub const MAX_LAYERS: usize = 16;
/// Protocols within a protocol (SOCKS, CONNECT, STARTTLS) of one session.
pub const MAX_NESTING: u8 = 4;
/// Bytes of one direction that a parser may hold while it waits for the rest of a message.
pub const MAX_MESSAGE: usize = 64 << 10;

/// TLS sessions whose secrets are kept: some 60 MB of them.
pub const MAX_SECRETS: usize = 100_000;
/// Bytes of a capture's own block of secrets; a longer one is passed over.
pub const MAX_SECRETS_BLOCK: usize = 16 << 20;

/// Idle time that ends a session, and the age that splits one, in seconds (the peer's defaults).
pub const TCP_IDLE: u64 = 600;
pub const UDP_IDLE: u64 = 60;
pub const ICMP_IDLE: u64 = 60;
pub const OTHER_IDLE: u64 = 600;
/// A TCP session older than this is written as a segment and goes on as a linked one.
pub const TCP_SPLIT: u64 = 720;
/// A closed TCP session waits this long for stragglers.
pub const TCP_CLOSING: u64 = 5;
