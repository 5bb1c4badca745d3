"""The drop: each sensor's own folder, filled through any SFTP server, emptied chunk by chunk and answered by receipts.

A chunk is copied while it is hashed, so that what the archive holds is ours alone, and leaves the folder only after
its receipt is written: a crash anywhere repeats the step and doubles nothing.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from hayrick_collector.archive.container import Form
from hayrick_collector.landing.closings import FolderClosings
from hayrick_collector.landing.dropped_files import copy_in, note_of, pinned, read_small, refuse
from hayrick_collector.landing.part import short_of_disk
from hayrick_collector.landing.sink import LandedSink
from hayrick_common import wire
from hayrick_common.chunk import NAME, ChunkId
from hayrick_common.clock import epoch_ms
from hayrick_common.closed_files import SETTLED_SECONDS, ClosedFiles
from hayrick_common.dropped import (
    RECEIPTS,
    REFUSED,
    STATUS,
    Delivery,
    Receipt,
    chunk_name,
    decode_delivery,
    decode_receipt,
    encode_receipt,
    key_of,
    note_name,
    stream_and_sequence,
)
from hayrick_common.errors import WireError
from hayrick_common.files import make_folder, remove, write_file

log = logging.getLogger(__name__)
FOLDERS_SECONDS = 2.0
RENEW_SECONDS = 60.0
AGAIN_SECONDS = 10.0
FRESH_MS = 60_000
SUFFIXES = (".pcap", ".records", ".zst")


class RefusalError(ValueError):
    """The chunk is not taken; `code` as on the wire."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Drop:
    """`run()` serves every folder `SENSOR/` in `folder` (`data/drop`), those made later too."""

    def __init__(
        self,
        data: Path,
        sink: LandedSink,
        settled: float = SETTLED_SECONDS,
        form: Form | None = None,
        folder: Path | None = None,
    ) -> None:
        self.data = data
        self._form = form or Form()
        self.folder = folder or data / "drop"
        self.counters: Counter[str] = Counter()
        self.keep_free_bytes = 0
        self._sink = sink
        self._settled = settled
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._unindexed: dict[str, str] = {}
        make_folder(self.folder, 0o755)
        make_folder(data / "incoming")

    async def run(self) -> None:
        """Serve until cancelled; raises what a folder's watch or the sink raised."""
        renewed = time.monotonic()
        try:
            while True:
                self._watch_folders()
                if time.monotonic() - renewed > RENEW_SECONDS:
                    renewed = time.monotonic()
                    self._renew()
                await asyncio.sleep(FOLDERS_SECONDS)
        finally:
            for task in self._watches.values():
                task.cancel()

    def _watch_folders(self) -> None:
        for sensor in [sensor for sensor, task in self._watches.items() if task.done()]:
            self._watches.pop(sensor).result()
        for path in self.folder.iterdir():
            if path.name not in self._watches and NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                self._watches[path.name] = asyncio.create_task(self._watch(path.name, path))

    async def _watch(self, sensor: str, folder: Path) -> None:
        try:
            self._remember(folder)
            async for path in ClosedFiles(folder, "*", FolderClosings, self._settled, whole).closed():
                if path.name == STATUS:
                    self._status(sensor, path)
                elif path.suffix in SUFFIXES and path.exists():
                    await self._one(sensor, path)
        except OSError as error:
            self.counters["unwatched"] += 1
            log.warning("drop: the folder of %s is not as it must be: %s", sensor, error)
            await asyncio.sleep(AGAIN_SECONDS)

    # --- chunks ---------------------------------------------------------------------------------------------------

    async def _one(self, sensor: str, path: Path) -> None:
        try:
            delivery = self._delivery(sensor, path)
            manifest = delivery.manifest
            known = self._sink.known(manifest.chunk)
            if known is None:
                await self._land(delivery, path)
            elif known.sha256 != manifest.chunk.sha256:
                reason = f"number {manifest.chunk.sequence} has landed with other bytes; was the sensor's journal lost?"
                raise RefusalError("conflict", reason)
            else:
                self.counters["known"] += 1
            self._answer(manifest.chunk, bool(known and known.indexed))
        except (ValueError, OverflowError) as error:
            self._refuse(path, error)
        except OSError as error:
            self.counters["put_off"] += 1
            log.warning("drop: %s of %s stays for now: %s", path.name, sensor, error)
        else:
            remove(path)
            remove(note_of(path))

    def _delivery(self, sensor: str, path: Path) -> Delivery:
        try:
            delivery = decode_delivery(read_small(note_of(path)), sensor)
        except FileNotFoundError as error:
            raise RefusalError("garbled", "there is no manifest beside it") from error
        except (ValueError, OverflowError) as error:
            raise RefusalError("garbled", f"manifest: {error}") from error
        if path.name != chunk_name(delivery.manifest, delivery.encoding):
            raise RefusalError("garbled", f"the manifest is of {chunk_name(delivery.manifest, delivery.encoding)}")
        return delivery

    async def _land(self, delivery: Delivery, path: Path) -> None:
        if short_of_disk(self.data, self.keep_free_bytes):
            self.counters["disk_low"] += 1
            raise OSError(errno.ENOSPC, "the collector's disk is nearly full")
        manifest = delivery.manifest
        final = await asyncio.to_thread(copy_in, self.data, delivery, path, self._form)
        if final is None:
            raise RefusalError("content", "its bytes are not those that the manifest promises")
        meta = {name: value for name, value in asdict(manifest).items() if name not in ("chunk", "size")}
        self._sink.landed(manifest.chunk, final, manifest.size, meta)
        self.counters["landed"] += 1

    def _refuse(self, path: Path, error: Exception) -> None:
        self.counters["refused"] += 1
        log.warning("drop: %s of %s refused: %s", path.name, path.parent.name, error)
        code = error.code if isinstance(error, RefusalError) else "garbled"
        try:
            refuse(path, str(error))
            self._write(
                path.parent, Receipt(key_of(path.name) or path.stem, REFUSED, code=code, reason=str(error)[:200])
            )
        except OSError as trouble:
            self.counters["put_off"] += 1
            log.warning("drop: %s cannot be set aside: %s", path.name, trouble)

    # --- receipts -------------------------------------------------------------------------------------------------

    def indexed(self, key: str) -> None:
        """The chunk is searchable: write the second receipt if it came this way. Call on the loop."""
        sha256 = self._unindexed.pop(key, None)
        if sha256 is not None:
            try:
                self._write(self.folder / key.partition(".")[0], Receipt(key, wire.INDEXED, sha256))
            except OSError as error:
                self._unindexed[key] = sha256
                log.warning("drop: the receipt of %s waits: %s", key, error)

    def _answer(self, chunk: ChunkId, indexed: bool) -> None:
        state = wire.INDEXED if indexed else wire.LANDED
        if not indexed:
            self._unindexed[chunk.key] = chunk.sha256
        self._write(self.folder / chunk.sensor, Receipt(chunk.key, state, chunk.sha256))
        self._renew_one(chunk.key)

    def _write(self, folder: Path, receipt: Receipt) -> None:
        with pinned(folder / RECEIPTS) as receipts:
            write_file(receipts / note_name(receipt.key), encode_receipt(receipt), 0o644)

    def _remember(self, folder: Path) -> None:
        """Take up the first receipts that still want their second one."""
        with pinned(folder / RECEIPTS) as receipts:
            for path in receipts.glob("*.json"):
                try:
                    receipt = decode_receipt(read_small(path), path.stem)
                except (OSError, ValueError):
                    continue
                if receipt.state == wire.LANDED and receipt.key.partition(".")[0] == folder.name:
                    self._unindexed[receipt.key] = receipt.sha256
        self._renew()

    def _renew(self) -> None:
        for key in list(self._unindexed):
            self._renew_one(key)

    def _renew_one(self, key: str) -> None:
        try:
            stream, sequence = stream_and_sequence(key)
            chunk = ChunkId(key.partition(".")[0], stream, sequence, self._unindexed[key])
        except (ValueError, KeyError):
            self._unindexed.pop(key, None)
            return
        known = self._sink.known(chunk)
        if known and known.indexed and known.sha256 == chunk.sha256:
            self.indexed(key)

    # --- heartbeats -----------------------------------------------------------------------------------------------

    def _status(self, sensor: str, path: Path) -> None:
        try:
            seen_ms = path.stat().st_mtime_ns // 1_000_000
            if epoch_ms() - seen_ms < FRESH_MS:
                self._sink.seen(sensor, heartbeat(read_small(path), sensor, seen_ms))
        except (OSError, ValueError, OverflowError, RecursionError, WireError) as error:
            self.counters["garbled_status"] += 1
            log.warning("drop: the report of %s is not taken: %s", sensor, error)


def whole(path: Path) -> bool:
    """Whether a chunk has all its bytes by its manifest: a server that has not noticed a dead connection keeps it open
    for hours, and the copy is hashed anyway."""
    try:
        delivery = decode_delivery(read_small(note_of(path)), path.parent.name)
        return path.name == chunk_name(delivery.manifest, delivery.encoding) and path.stat().st_size == delivery.stored
    except (OSError, ValueError, OverflowError):
        return False


def heartbeat(data: bytes, sensor: str, seen_ms: int) -> dict[str, object]:
    """The sensor's report in `data`, checked as on the wire, with the clock's skew; WireError or ValueError."""
    report = json.loads(data)
    if not isinstance(report, dict) or report.get("sensor") != sensor:
        raise ValueError("it is another sensor's")
    sent_ms = report.get("time_ms")
    message = wire.decode(wire.encode(wire.Heartbeat(sent_ms if isinstance(sent_ms, int) else seen_ms, report)))
    assert isinstance(message, wire.Heartbeat)
    return {**message.report, "clock_skew_ms": message.sent_ms - seen_ms}
