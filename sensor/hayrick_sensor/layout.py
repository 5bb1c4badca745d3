"""Where a sensor keeps what: the spool folder's names, and the renames and removals in it.

journal.sqlite   lock   status.json   reserve   keys/sensor.{secret,public}   run/STREAM.{pid,stderr}
open/STREAM/LAUNCH-SECONDS.pcap[N]      tcpdump's own, being written or just closed
open/STREAM/STAMP.copy                  copied from a foreign folder
chunks/STREAM/SEQUENCE-SHA16.pcap       closed, measured, in the journal
records/STREAM/SEQUENCE-SHA16.records   its sessions, where the stream ships those
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hayrick_common.files import commit_rename, make_folder, remove
from hayrick_sensor.spool_events import Entry

log = logging.getLogger(__name__)
CHUNK_FILE = re.compile(r"(\d{10})-([0-9a-f]{16})\.pcap")


@dataclass(frozen=True)
class Layout:
    """The spool folder `root`."""

    root: Path

    @property
    def journal(self) -> Path:
        """The journal's database."""
        return self.root / "journal.sqlite"

    @property
    def lock(self) -> Path:
        """Held (flock) by the one sensor that works here."""
        return self.root / "lock"

    @property
    def reserve(self) -> Path:
        """Room that is given up when the disk is full, so that the journal can be written."""
        return self.root / "reserve"

    @property
    def status(self) -> Path:
        """The running sensor's latest report, as JSON."""
        return self.root / "status.json"

    @property
    def run(self) -> Path:
        """Process numbers and stderr of tcpdumps."""
        return self.root / "run"

    @property
    def records(self) -> Path:
        """Records files of chunks that ship as records, until they are received."""
        return self.root / "records"

    def open_folder(self, stream: str) -> Path:
        """Where the stream's tcpdump writes."""
        return self.root / "open" / stream

    def make(self, streams: Iterable[str]) -> None:
        """Create every folder."""
        make_folder(self.run)
        for stream in streams:
            make_folder(self.open_folder(stream))
            make_folder(self.root / "chunks" / stream)

    def source(self, stream: str, source: str) -> Path:
        """The closed file: `source` is a name in the stream's open folder, or an adopted file's whole path."""
        return self.open_folder(stream) / source

    def file(self, entry: Entry) -> Path:
        """Where the chunk lies."""
        return self.chunk(entry.path)

    def settle(self, entry: Entry) -> bool:
        """Give the file its chunk's name unless it has it; False if there is no such file."""
        final = self.file(entry)
        if final.is_file():
            return True
        source = self._unsettled(entry) if entry.owned else None
        if source is None:
            return False
        commit_rename(source, final)
        return True

    def _unsettled(self, entry: Entry) -> Path | None:
        """The owned chunk's file under an earlier name: as it was closed or copied, or with another number."""
        chunk = entry.manifest.chunk
        first = self.copy(chunk.stream, entry.stamp) if entry.stamp else self.source(chunk.stream, entry.source)
        if first.is_file():
            return first
        return next((self.root / "chunks" / chunk.stream).glob(f"*-{chunk.sha256[:16]}.pcap"), None)

    def copy(self, stream: str, stamp: str) -> Path:
        """Our copy of a foreign file."""
        return self.open_folder(stream) / f"{stamp}.copy"

    def chunk_files(self, stream: str) -> dict[int, Path]:
        """The stream's chunk files by number, whatever the journal says."""
        found = {}
        for path in sorted((self.root / "chunks" / stream).iterdir()):
            match = CHUNK_FILE.fullmatch(path.name)
            if match:
                found[int(match[1])] = path
        return found

    def chunk(self, path: str) -> Path:
        """A chunk's file: `path` is relative to chunks/, or an adopted file's whole path."""
        return self.root / "chunks" / path

    def drop_oldest(self) -> bool:
        """Where no journal can be opened for want of room, a chunk must go; once opened, the journal misses it."""
        found = min((self.root / "chunks").glob("*/*.pcap"), key=lambda path: path.name, default=None)
        if found:
            log.error("the disk is full and the journal cannot be opened: giving up %s", found)
            remove(found)
        return found is not None

    def sweep(self, known: Iterable[Entry]) -> None:
        """Delete chunk files that the journal has given up, whose removal was cut short."""
        keep = {self.file(entry) for entry in known}
        for path in (self.root / "chunks").glob("*/*.pcap"):
            if path not in keep:
                remove(path)
