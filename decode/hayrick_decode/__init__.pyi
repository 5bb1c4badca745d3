"""Captures to sessions: the Rust decoder as Python sees it."""

import os
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol, TypedDict

__all__ = [
    "Batch",
    "Decoding",
    "Enrichment",
    "Streams",
    "Table",
    "decode",
    "fields",
    "opened",
    "read_packets",
    "read_records",
    "write_records",
]

class SeekableFile(Protocol):
    """What is read of a binary file object: `read(n)` gives at most n bytes, none only at its end."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int, /) -> int: ...

class FieldInfo(TypedDict):
    """One field of the catalogue."""

    expression: str
    """Name in expressions."""
    document: str | None
    """Dotted name in documents; None for a field that only expressions know."""
    group: str
    """Protocol the field belongs to, or `general`."""
    kind: str
    """`termfield`, `lotermfield`, `uptermfield`, `integer`, `ip`, `date` (ms since 1970), `boolean` or `object`."""
    multi: bool
    """Whether a session may hold several values; its column is a list then."""
    count: str | None
    """Document's name of the number of values."""
    help: str
    table: str | None
    """Table of the field's column; None when it has none."""
    column: str | None
    """Column's name. A single address has two: `NAME.hi` and `NAME.lo`."""
    aliases: list[str]
    any_of: list[str]
    """For a virtual field: the expressions any of which may match; `*` stands for any text."""

class Summary(TypedDict):
    """What a whole capture held."""

    format: str
    packets: int
    bytes: int
    """Captured bytes, without record headers."""
    sessions: int
    first_packet: int | None
    """Milliseconds since 1970."""
    last_packet: int | None
    protocols: dict[str, int]
    """Sessions each protocol was found in."""
    anomalies: dict[str, int]
    """What is wrong with sessions and with the file, and how often."""
    linktypes: list[int]
    seekable: bool
    """Whether what precedes the first packet is all that packets refer to: so in a pcap, and in nearly every pcapng."""

class Table:
    """One Arrow table of a batch."""

    @property
    def num_rows(self) -> int: ...
    @property
    def columns(self) -> list[str]: ...
    @property
    def types(self) -> list[str]:
        """The columns' types, by DuckDB's names."""

    def span(self, column: str) -> tuple[Any, Any] | None:
        """The least and the greatest value of a column of whole numbers or texts; None if it has none, or is not
        there. Raises ValueError for a column of another type."""

    def parquet(self, more: Sequence[Table], rows_a_group: int) -> bytes:
        """One Parquet file of this table's rows and those of others of its kind with the same columns, packed to be
        there soon. Raises RuntimeError if the columns differ."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """The Arrow PyCapsule interface: DuckDB, Polars, pandas and pyarrow read the table through it."""

class Batch:
    """Finished sessions."""

    def __len__(self) -> int: ...
    def tables(self) -> dict[str, Table]:
        """`sessions`, one table a protocol found, `documents` (`id`, `document`) and `packets` (positions, lengths)."""

    def ndjson(self) -> bytes:
        """Whole session documents with their packets' positions, one JSON object a line."""

    def bulk(self, chunk: str, stamp: int, most_items: int, most_bytes: int) -> list[tuple[str, int, bytes]]:
        """Bodies of Elasticsearch's `_bulk` for one day's sessions each: the day (`yymmdd`), how many items, their
        lines; every document has `hayrick.stamp`. A body ends with the item that reaches a bound. Raises ValueError
        when a session is not of the chunk."""

class Decoding(Iterator[Batch]):
    """Batches of sessions: as they end, from one capture; or as they stand in its records file."""

    def __iter__(self) -> Decoding: ...
    def __next__(self) -> Batch: ...
    @property
    def summary(self) -> Summary:
        """Known once all batches were taken, RuntimeError before; a records file's is counted from its sessions."""

    @property
    def key_log(self) -> bytes:
        """Once all batches were taken: of the secrets that were given, and those that the capture brought, the lines
        of sessions whose client's hello was in it."""

class Enrichment:
    """Local tables of addresses, in memory: what they say of a session's ends is added to it."""

    def __init__(
        self,
        *,
        country: str | os.PathLike[str] | None = None,
        asn: str | os.PathLike[str] | None = None,
        rir: str | os.PathLike[str] | None = None,
        oui: str | os.PathLike[str] | None = None,
    ) -> None:
        """`country` and `asn` are MMDB files, `rir` IANA's CSV of the IPv4 space, `oui` IEEE's CSV or a `manuf` file.

        Raises OSError for a file that cannot be read, ValueError for one that is no such table; both name it.
        """

def decode(
    path: str | os.PathLike[str] | SeekableFile,
    *,
    chunk: str = "",
    node: str = "",
    file: str = "",
    tags: Sequence[str] = (),
    batch_sessions: int = 8192,
    indexed_ms: int = 0,
    enrichment: Enrichment | None = None,
    key_log: bytes | None = None,
) -> Decoding:
    """Opens a pcap or pcapng file, plain, gzip or zstd, and decodes it as its batches are taken.

    `chunk` (its key), `node`, `file` and `tags` are written into each session; `chunk` also makes the sessions'
    identities, so the same chunk decoded again gives the same ids. `indexed_ms` is `@timestamp`, left out when 0.
    OSError when the file cannot be read, ValueError when it is no capture. What is wrong inside it is told as
    anomalies, of sessions and in the summary.

    `key_log` is the text of a key log (SSLKEYLOGFILE): what it opens of TLS 1.2 and 1.3 is decoded too, and the session
    tagged `tls-decrypted`. A pcapng's own secrets are taken without being asked. ValueError when it is no key log.

    `path` may be a binary file object: it is read from its start, by whichever thread takes the batches, a MiB at a
    time; what it raises, taking a batch raises.
    """

def write_records(path: str | os.PathLike[str], out: str | os.PathLike[str], *, level: int = 9) -> Summary:
    """Decodes the capture at `path` into the new records file `out`, compressed at zstd's `level` (1 to 19).

    The same capture gives the same bytes, whoever decodes it by the same version. Memory held is the decoder's.
    ValueError when it is no capture, OSError when a file cannot be read or written.
    """

def read_records(
    path: str | os.PathLike[str] | SeekableFile,
    *,
    size: int,
    chunk: str,
    node: str = "",
    file: str = "",
    tags: Sequence[str] = (),
    batch_sessions: int = 8192,
    indexed_ms: int = 0,
    enrichment: Enrichment | None = None,
) -> Decoding:
    """Opens a records file of the chunk `chunk`, whose capture has `size` bytes; the sessions are those that `decode`
    would give of that capture.

    Whoever wrote the file is not trusted. Ids, chunk, node, file and tags are what the arguments say; a session twice,
    a packet outside the capture, a value out of its field's kind or bounds, a damaged or inflated file are ValueError,
    raised by the batch where it is found. Fields that this version does not know are left out.
    """

class Streams:
    """What was said in one session: feed its packets in the session's order, take each direction's bytes in order.

    `source` is the client's address and port; without it whoever sends first is the client. Memory held beyond what is
    returned: a bounded number of segments out of order, and of fragments.
    """

    def __init__(self, source: tuple[IPv4Address | IPv6Address, int] | None = None) -> None: ...
    def feed(self, packets: Sequence[tuple[int, int, int, bytes]]) -> list[tuple[int, int, int, bytes]]:
        """Of packets as `read_packets` gives them: (side, 0 the client and 1 the server; time in ns since 1970; bytes
        missing before these; bytes), as they come in order."""

    def finish(self) -> list[tuple[int, int, int, bytes]]:
        """The rest, which waited for bytes that never came."""

    def sides(self, packets: Sequence[tuple[int, int, int, bytes]]) -> list[int | None]:
        """Which side sent each packet; None for a fragment."""

def opened(pieces: Sequence[tuple[int, int, int, bytes]], key_log: bytes) -> list[tuple[int, int, int, bytes]] | None:
    """All of a session's pieces, as `Streams` tells them, with TLS undone by the secrets of a key log: what it carried,
    and what was said before TLS began. None when nothing could be opened; ValueError when it is no key log."""

def fields() -> list[FieldInfo]:
    """The catalogue: every field of every protocol."""

def read_packets(
    path: str | os.PathLike[str] | SeekableFile, positions: Sequence[int], *, seekable: bool = False
) -> list[tuple[int, int, int, bytes]]:
    """Packets by position: (time in ns since 1970, link type, length on the wire, captured bytes), in the order asked.

    Of a classic pcap only the places asked for are read, of a pcapng too if it is known to be `seekable` (its summary
    says so); otherwise it is read from its start. ValueError when a position holds no packet, OSError when the file
    cannot be read, and what a file object raises.
    """
