"""`bench archive`: what each stored form costs to write, how large it is, and what reading one session back takes."""

from __future__ import annotations

import hashlib
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

import hayrick_decode
from hayrick_collector.archive.container import Form
from hayrick_collector.archive.keyring import KeyRing, add_key
from hayrick_collector.archive.reader import FrameFile, open_file
from hayrick_collector.landing.part import Part
from hayrick_common.chunk import ChunkId, Manifest

BLOCK = 512 << 10
ROUNDS = 3
SESSIONS = 300
SENSOR_LEVEL = 3
LARGEST = 128 << 20  # of the capture: it is held in memory, so that reading it is not measured


@dataclass
class Written:
    """One form's costs: the best of all rounds."""

    form: Form
    frames: bool
    wall: float = float("inf")
    cpu: float = float("inf")
    stored: int = 0
    path: Path = field(default_factory=Path)


def archive(capture: Path) -> None:
    """Each form written as a delivery's blocks come, in turns; then sessions read out of each, in turns."""
    with capture.open("rb") as file:
        body = file.read(LARGEST)
    blocks = [body[start : start + BLOCK] for start in range(0, len(body), BLOCK)]
    compressor = zstandard.ZstdCompressor(SENSOR_LEVEL)
    frames = [compressor.compress(block) for block in blocks]
    with tempfile.TemporaryDirectory(prefix="hayrick-bench-") as folder:
        add_key(Path(folder) / "keys")
        keys = KeyRing(Path(folder) / "keys")
        forms = {
            "as it came": Written(Form(0), False),
            "zstd, compressed here": Written(Form(), False),
            "zstd, frames as they came": Written(Form(), True),
            "sealed, compressed here": Written(Form(keys=keys), False),
            "sealed, frames as they came": Written(Form(keys=keys), True),
        }
        for number in range(ROUNDS):
            for place, each in enumerate(forms.values()):
                _write(Path(folder) / f"{number}-{place}", each, blocks, frames if each.frames else None)
        _tell_writing(forms, len(body))
        _read(forms, keys)


def _write(data: Path, written: Written, blocks: list[bytes], frames: list[bytes] | None) -> None:
    digest = hashlib.sha256(b"".join(blocks)).hexdigest()
    manifest = Manifest(ChunkId("bench", "a", 1, digest), sum(map(len, blocks)), closed_ms=1)
    (data / "incoming").mkdir(parents=True)
    wall, cpu = time.monotonic(), time.process_time()
    part = Part(data, manifest, written.form)
    for number, block in enumerate(blocks):
        part.write(part.offset, block, frames[number] if frames else None)
    assert part.finish()
    written.wall = min(written.wall, time.monotonic() - wall)
    written.cpu = min(written.cpu, time.process_time() - cpu)
    written.stored, written.path = part.final.stat().st_size, part.final


def _tell_writing(forms: dict[str, Written], size: int) -> None:
    for name, each in forms.items():
        print(
            f"write {name:28}: {size / each.wall / 1e6:5.0f} MB/s with hash and sync, "
            f"{each.cpu / size * 1e9:5.2f} CPU s a GB, {100 * each.stored / size:5.1f}% of its size"
        )


def _read(forms: dict[str, Written], keys: KeyRing) -> None:
    plain = forms["as it came"].path
    sessions = [
        json.loads(line)["packetPos"] for batch in hayrick_decode.decode(plain) for line in batch.ndjson().splitlines()
    ]
    chosen = sessions[:: max(1, len(sessions) // SESSIONS)]
    times: dict[str, list[float]] = {name: [] for name in forms}
    undone: dict[str, int] = dict.fromkeys(forms, 0)
    for positions in chosen:
        answers = set()
        for name, each in forms.items():
            started = time.perf_counter()
            with open_file(each.path, keys) as file:
                packets = hayrick_decode.read_packets(file, positions)
                times[name].append(1000 * (time.perf_counter() - started))
                undone[name] += file.undone if isinstance(file, FrameFile) else 0
            answers.add(hash(tuple(packets)))
        assert len(answers) == 1
    _tell_reading(times, undone)


def _tell_reading(times: dict[str, list[float]], undone: dict[str, int]) -> None:
    for name, taken in times.items():
        frames = f", {undone[name] / len(taken):.1f} frames undone" if undone[name] else ""
        print(
            f"read one session {name:28}: median {statistics.median(taken):.2f} ms, "
            f"95% within {statistics.quantiles(taken, n=20)[-1]:.2f} ms ({len(taken)} sessions){frames}"
        )
