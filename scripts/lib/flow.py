"""`bench flow`: what flow-record mode puts on the wire for a capture, beside its packets as they are and under zstd."""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path

import zstandard

import hayrick_decode

_LEVEL = 3  # that of the wire's blocks
_BLOCK = 1 << 20


def flow(path: Path) -> None:
    """Print bytes of packets, of packets under zstd by blocks, and of records; and the CPU seconds of each."""
    size = path.stat().st_size
    print(f"{'packets':<22}{size:>14,} B  100.0 %")
    compressed, seconds = _zstd(path)
    print(f"{'packets, zstd blocks':<22}{compressed:>14,} B  {100 * compressed / size:5.1f} %  {seconds:6.2f} CPU s")
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records"
        started = time.process_time()
        summary = hayrick_decode.write_records(path, records)
        seconds = time.process_time() - started
        size_of_records = records.stat().st_size
    share = 100 * size_of_records / size
    print(f"{'records':<22}{size_of_records:>14,} B  {share:5.1f} %  {seconds:6.2f} CPU s, decoding included")
    print(f"{summary['packets']} packets, {summary['sessions']} sessions, {size / size_of_records:.0f} times smaller")
    started = time.process_time()
    hashlib.sha256(path.read_bytes())
    print(f"sha256 of the same file: {time.process_time() - started:.2f} CPU s")


def _zstd(path: Path) -> tuple[int, float]:
    compressor, total, started = zstandard.ZstdCompressor(level=_LEVEL), 0, time.process_time()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total += min(len(block), len(compressor.compress(block)))
    return total, time.process_time() - started
