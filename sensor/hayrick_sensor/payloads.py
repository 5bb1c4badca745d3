"""What goes out of a chunk: its packets or its records, read whole and compressed. Called from threads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hayrick_common import wire
from hayrick_common.chunk import RECORDS, Manifest
from hayrick_sensor.blocks import read_exactly
from hayrick_sensor.layout import Layout
from hayrick_sensor.measure import Measure, measure
from hayrick_sensor.packing import Packer
from hayrick_sensor.pulls import MOVED_ON
from hayrick_sensor.records import Records
from hayrick_sensor.shipper import Shipper
from hayrick_sensor.shipper_events import SendBlock
from hayrick_sensor.spool import Spool
from hayrick_sensor.spool_events import Entry

ZSTD_SINCE = 2  # the wire version


class Payloads:
    """`block` for what the collector fetches, `kept` for what it pulls; `unreadable(entry, reason, left)` may come."""

    def __init__(
        self,
        spool: Spool,
        shipper: Shipper,
        records: Records,
        layout: Layout,
        unreadable: Callable[[Entry, str, Measure | None], object],
    ) -> None:
        self._spool, self._shipper, self._records, self._layout = spool, shipper, records, layout
        self._unreadable = unreadable
        self._packer = Packer()

    def manifest(self, entry: Entry) -> Manifest:
        """What the chunk was offered with."""
        return self._shipper.manifests.get(entry.key, entry.manifest)

    def block(self, command: SendBlock) -> wire.Block | None:
        """The block, or None when the chunk is gone from here or its file cannot be read."""
        entry = self._spool.entries.get(command.key)
        if entry is None:
            return None
        try:
            data = self._payload(entry, command.offset, command.length)
        except (OSError, ValueError) as error:
            self._unreadable(entry, str(error)[:200], self._left(entry))
            return None
        packing = self._shipper.spoken >= ZSTD_SINCE
        encoded = self._packer.pack(command.key, data) if packing else (wire.RAW, bytes(data))
        return wire.Block(command.key, command.offset, *encoded)

    def kept(self, key: str, offset: int, length: int) -> bytes:
        """Bytes of a chunk that is kept here; OSError when it is not, ValueError when they are not its own."""
        entry = self._spool.entries.get(key)
        if entry is None:
            raise FileNotFoundError(MOVED_ON)
        if offset + length > entry.manifest.size:
            raise ValueError("that is outside the chunk")
        return bytes(self._packets(entry, offset, length))

    def _payload(self, entry: Entry, offset: int, length: int) -> memoryview:
        manifest = self.manifest(entry)
        if manifest.content == RECORDS:
            return read_exactly(self._records.path(entry.key), manifest.content_size, offset, length)
        return self._packets(entry, offset, length)

    def _left(self, entry: Entry) -> Measure | None:
        """What is there yet of a chunk of ours whose file was cut short, if a packet is."""
        with suppress(OSError):
            left = measure(self._layout.file(entry)) if entry.owned else None
            if left and left.packets and left.size < entry.manifest.size:
                return left
        return None

    def _packets(self, entry: Entry, offset: int, length: int) -> memoryview:
        stamp = "" if entry.owned else entry.stamp
        return read_exactly(self._layout.file(entry), entry.manifest.size, offset, length, stamp)
