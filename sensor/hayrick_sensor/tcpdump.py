"""What tcpdump is told and what it says: its arguments, the names of its files, its counts."""

from __future__ import annotations

import itertools
import os
import pwd
import re
from dataclasses import dataclass

from hayrick_common import programs
from hayrick_common.errors import CaptureError
from hayrick_sensor.config import StreamSettings

FILE_NAME = re.compile(r"(?P<launch>[0-9a-f]{12,20})-(?P<started>\d+)\.pcap(?P<part>\d*)(?P<piece>\.\d+-\d+)?")
READY = "listening on"
_COUNTS = re.compile(r"(\d+) packets? (captured|received by filter|dropped by kernel|dropped by interface)")
_NAMES = {
    "captured": "captured",
    "received by filter": "received",
    "dropped by kernel": "dropped",
    "dropped by interface": "interface_dropped",
}


@dataclass(frozen=True)
class Counts:
    """tcpdump's own counts since it started."""

    captured: int = 0
    received: int = 0
    dropped: int = 0
    interface_dropped: int = 0

    def at_least(self, other: Counts) -> Counts:
        """The greater of each: counts never fall while tcpdump runs."""
        return Counts(
            max(self.captured, other.captured),
            max(self.received, other.received),
            max(self.dropped, other.dropped),
            max(self.interface_dropped, other.interface_dropped),
        )

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.captured + other.captured,
            self.received + other.received,
            self.dropped + other.dropped,
            self.interface_dropped + other.interface_dropped,
        )


def parse_counts(text: str) -> Counts:
    """The last counts in tcpdump's stderr; zeros where it has not said any."""
    found = {_NAMES[name]: int(number) for number, name in _COUNTS.findall(text)}
    return Counts(**found)


def told_all(text: str) -> bool:
    """Whether these are its last counts, which it says a line each when it ends well."""
    return bool(re.search(r"^\d+ packets? captured$", text, re.MULTILINE))


def last_line(text: str) -> str:
    """tcpdump's last word, without its own name in front: the reason, when it has given up."""
    lines = [each.strip() for each in text.splitlines() if each.strip() and not _COUNTS.search(each)]
    return lines[-1].removeprefix("tcpdump: ")[:300] if lines else ""


def drop_user(stream: StreamSettings) -> str:
    """The user tcpdump is to become, "" for none: only root can change."""
    if os.geteuid() != 0:
        return ""
    return stream.user or ("tcpdump" if _exists("tcpdump") else "root")


def arguments(stream: StreamSettings, launch: str) -> list[str]:
    """tcpdump's command line. File names are relative, since the user it becomes may not pass the folders above.

    `launch` is new at every start, so that no file of an earlier one can be overwritten.
    """
    program = programs.find("tcpdump")
    if program is None:
        raise CaptureError("tcpdump is not installed; run: apt-get install tcpdump")
    command = [program, "-n", "-i", stream.interface, "-s", str(stream.snaplen), "-G", str(stream.rotate_seconds)]
    if stream.rotate_megabytes:
        command += ["-C", str(stream.rotate_megabytes)]
    user = drop_user(stream)
    if user:
        command += ["-Z", user]
    command += [*stream.extra, "-w", f"{launch}-%s.pcap"]
    return [*command, stream.filter] if stream.filter else command


def launch_of(name: str) -> str:
    """The launch that wrote the file (or whose piece it is), "" for a foreign name."""
    match = FILE_NAME.fullmatch(name)
    return match["launch"] if match else ""


def is_piece(name: str) -> bool:
    """Whether it is a piece of a file of tcpdump's, rather than such a file."""
    match = FILE_NAME.fullmatch(name)
    return bool(match and match["piece"])


def launch_in(command: list[str]) -> str:
    """The launch in a tcpdump's command line, "" if it is none of ours."""
    names = [value for option, value in itertools.pairwise(command) if option == "-w"]
    match = re.fullmatch(r"([0-9a-f]{12,20})-%s\.pcap", names[0]) if names else None
    return match[1] if match else ""


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
