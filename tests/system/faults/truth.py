"""What tcpdump really wrote, known without any of Hayrick's code: by links to its files, and by a second tcpdump.

A link keeps a file's bytes where they are, whatever the sensor does with its name. Two truths come of that: `written`,
the counters in files that the sensor's tcpdump wrote, and `passed`, what a second tcpdump saw, which nobody disturbs.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.faults.generator import MARK

LOOK_SECONDS = 0.015
HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP
FILE_HEADER = 24
RECORD = struct.Struct("<IIII")


def packets(data: bytes) -> Iterator[tuple[str, int, float]]:
    """(sensor, counter, epoch seconds) of every whole packet in a pcap's bytes; a cut last one does not count."""
    place = FILE_HEADER
    while place + RECORD.size <= len(data):
        seconds, micros, kept, _ = RECORD.unpack_from(data, place)
        place += RECORD.size + kept
        if kept == 0 or place > len(data):
            return
        said = data[place - kept + HEADERS : place].split(b" ", 3)
        if len(said) == 4 and said[0] == MARK:
            yield said[1].decode(), int(said[2]), seconds + micros / 1e6


def counters(path: Path) -> list[int]:
    """The counters in a capture, in order."""
    return [counter for _, counter, _ in packets(path.read_bytes())]


def times(path: Path) -> dict[int, float]:
    """Counter -> epoch seconds."""
    return {counter: stamp for _, counter, stamp in packets(path.read_bytes())}


@dataclass
class Truncation:
    """A chunk's file that was cut under the reader: what it held before."""

    sensor: str
    name: str
    counters: list[int]


@dataclass
class Witness:
    """Links every file of a sensor's `open` folder into `kept`, on the same file system, as soon as it is there."""

    sensor: str
    open_folder: Path
    chunks: Path
    kept: Path
    truncations: list[Truncation] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    def look(self) -> None:
        """Link what is new."""
        for folder in (self.open_folder, self.chunks):
            with contextlib.suppress(OSError):
                for each in os.scandir(folder):
                    self._keep(each)

    def _keep(self, entry: os.DirEntry[str]) -> None:
        number = entry.inode()
        if number in self._seen:
            return
        with contextlib.suppress(FileNotFoundError):
            os.link(entry.path, self.kept / f"{number}-{entry.name}")
            self._seen.add(number)

    def truncate(self, path: Path) -> bool:
        """Cut the file in half, and note what it held; False if it is gone or holds too little."""
        try:
            before = counters(path)
            if len(before) < 4:
                return False
            os.truncate(path, path.stat().st_size // 2)
        except FileNotFoundError:
            return False
        self.truncations.append(Truncation(self.sensor, path.name, before))
        return True

    def written(self) -> Counter[int]:
        """Every counter in files that tcpdump wrote, those that a truncation took away included."""
        self.look()
        found: Counter[int] = Counter()
        for path in self.kept.iterdir():
            found.update(counters(path))
        for each in self.truncations:
            for counter in each.counters:
                found[counter] = max(1, found[counter])
        return found


class Watching(threading.Thread):
    """Lets witnesses look, some sixty times a second, until `finish`."""

    def __init__(self, witnesses: list[Witness]) -> None:
        super().__init__(daemon=True)
        self._witnesses, self._done = witnesses, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            for each in self._witnesses:
                each.look()

    def finish(self) -> None:
        """Stop."""
        self._done.set()
        self.join()
