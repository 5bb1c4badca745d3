"""Flow-record mode: a closed chunk's sessions in a records file, which is shipped in place of the packets.

Each file is made by a process of its own (`records_process`), one at a time, so that neither memory, nor time, nor a
capture that kills the decoder is the sensor's. A chunk that cannot be decoded is shipped as packets: nothing is lost.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from hayrick_common.chunk import RECORDS, Manifest
from hayrick_common.errors import ConfigError
from hayrick_common.files import commit_rename, make_folder, part_path, remove
from hayrick_sensor.records_process import RETRY
from hayrick_sensor.spool_events import LANDED, Entry

AGAIN_SECONDS = 20.0
WALL_SECONDS = 120.0
WALL_SECONDS_PER_MB = 1.0
_READ_BYTES = 1 << 20

Ready = Callable[[Manifest, bool], None]
Count = Callable[[str, int], None]


def check_decoder(streams: Iterable[str]) -> None:
    """ConfigError when streams ship records and no decoder is installed."""
    names = ", ".join(streams)
    if names and importlib.util.find_spec("hayrick_decode") is None:
        raise ConfigError(
            f"ship = 'records' (stream {names}) needs the decoder on this sensor: "
            "the Debian package hayrick-flow, or pip install 'hayrick[flow]'"
        )


class Records:
    """Makes records files under `folder`, in order. `ready(manifest, landed)` is told what is to be shipped."""

    def __init__(
        self,
        folder: Path,
        streams: Iterable[str],
        chunk: Callable[[Entry], Path],
        ready: Ready,
        count: Count,
        *,
        memory_megabytes: int = 512,
    ) -> None:
        self.folder = folder
        self.streams = frozenset(streams)
        check_decoder(sorted(self.streams))
        self._chunk, self._ready, self._count = chunk, ready, count
        self._memory = memory_megabytes
        self._wanted: dict[str, Entry] = {}
        self._some = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._at = ""
        for stream in self.streams:
            make_folder(folder / stream)

    @property
    def waiting(self) -> int:
        """Chunks that are not decoded yet."""
        return len(self._wanted)

    def serves(self, stream: str) -> bool:
        """Whether the stream ships records."""
        return stream in self.streams

    def want(self, entry: Entry) -> None:
        """Have the chunk's records made; one that has landed needs none."""
        if entry.state == LANDED:
            self._ready(entry.manifest, True)
            return
        self._wanted[entry.key] = entry
        self._some.set()

    def forget(self, key: str) -> None:
        """The chunk needs no records any more: received and indexed, or given up."""
        self._wanted.pop(key, None)
        if self._at == key and self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self.serves(key.split(".")[1]):
            remove(self.path(key))

    def path(self, key: str) -> Path:
        """Where the chunk's records lie."""
        _, stream, sequence, sha16 = key.split(".")
        return self.folder / stream / f"{sequence}-{sha16}.{RECORDS}"

    def sweep(self, entries: Iterable[Entry]) -> None:
        """Delete what belongs to no chunk that still waits."""
        keep = {self.path(entry.key) for entry in entries}
        for path in self.folder.glob("*/*"):
            if path not in keep:
                remove(path)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                self._some.clear()
                if not self._wanted:
                    await self._some.wait()
                    continue
                await self._one(next(iter(self._wanted.values())))
        finally:
            if self._process is not None and self._process.returncode is None:
                self._process.kill()

    async def _one(self, entry: Entry) -> None:
        self._at = entry.key
        code = 0 if self.path(entry.key).is_file() else await self._make(entry)
        self._at = ""
        if code == RETRY:
            await asyncio.sleep(AGAIN_SECONDS)
            return
        manifest = await asyncio.to_thread(self._described, entry) if code == 0 else entry.manifest
        if self._wanted.pop(entry.key, None) is None:
            remove(self.path(entry.key))
            return
        self._count("undecoded_chunks" if manifest.content != RECORDS else "records_made", 1)
        self._ready(manifest, False)

    async def _make(self, entry: Entry) -> int:
        """Run the process; its exit code, 0 when the file has its name."""
        final = self.path(entry.key)
        hidden = part_path(final)
        megabytes = 1 + entry.manifest.size // 1_000_000
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hayrick_sensor.records_process", self._chunk(entry), hidden,
            str(self._memory), str(30 + megabytes), stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await asyncio.wait_for(self._process.wait(), WALL_SECONDS + WALL_SECONDS_PER_MB * megabytes)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.wait()
        code = self._process.returncode or 0
        if code == 0:
            await asyncio.to_thread(commit_rename, hidden, final)
        else:
            remove(hidden)
        return code

    def _described(self, entry: Entry) -> Manifest:
        digest, size = hashlib.sha256(), 0
        with self.path(entry.key).open("rb") as file:
            while block := file.read(_READ_BYTES):
                digest.update(block)
                size += len(block)
        return replace(entry.manifest, content=RECORDS, content_sha256=digest.hexdigest(), content_size=size)
