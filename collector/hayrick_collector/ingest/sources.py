"""What `hayrick ingest PATH…` names: files as they are, folders searched for captures by content, `-` for stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from hayrick_collector.backend import Capture
from hayrick_collector.ingest.imports import is_capture
from hayrick_common.errors import UsageError


def captures(names: Sequence[str]) -> Iterator[Capture]:
    """Each capture named or found, once. A file named outright is taken at its word; raises UsageError when absent."""
    seen: set[Path] = set()
    for name in names:
        for capture in _one(name):
            identity = capture.path.resolve() if capture.path else Path(capture.name)
            if identity not in seen:
                seen.add(identity)
                yield capture


def _one(name: str) -> Iterator[Capture]:
    if name == "-":
        yield Capture("-", lambda: _unclosed(sys.stdin.buffer))
        return
    path = Path(name)
    if not path.exists():
        raise UsageError(f"{name}: no such file or folder")
    if not path.is_dir():
        yield _file(path)
        return
    found = [each for each in sorted(path.rglob("*")) if each.is_file() and is_capture(each)]
    if not found:
        raise UsageError(f"{name}: no capture (pcap or pcapng, plain, .gz or .zst) in this folder")
    yield from map(_file, found)


def _file(path: Path) -> Capture:
    size = path.stat().st_size if path.is_file() else None
    return Capture(str(path), lambda: path.open("rb"), size, path)


def _unclosed(stream: BinaryIO) -> BinaryIO:
    return open(stream.fileno(), "rb", closefd=False)
