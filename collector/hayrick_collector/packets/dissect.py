"""Wireshark's own dissection of one packet, by tshark in a process that can reach nothing.

tshark reads the packets before it, too, as it must to put streams together. It gets them by standard input, has no
folder and may write no file, and its answer (PDML) is read up to a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from hayrick_collector.archive.write import Packet, Pcapng
from hayrick_collector.packets import launch
from hayrick_collector.packets.confined import ConfinedError, answer
from hayrick_common import programs
from hayrick_common.errors import HayrickError

PROGRAM = "tshark"
SECONDS = 20.0
CPU_SECONDS = 10
MEMORY = 3 << 30  # of addresses, most of them never used
MOST_OUTPUT = 8 << 20
BEFORE = 1_000  # packets before the one asked for
MOST_NODES = 20_000
_NOWHERE = "/nonexistent"  # no settings, scripts or plug-ins of anybody
_AT_ONCE = asyncio.Semaphore(2)


class DissectionError(HayrickError):
    """tshark did not dissect the packet: it broke, or took too long."""


@dataclass(slots=True)
class Node:
    """A protocol or field: what Wireshark shows for it, its name in filters, and its bytes in the frame."""

    label: str
    name: str
    position: int
    size: int
    children: list[Node] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """With all below it."""
        below = [each.as_dict() for each in self.children]
        return {"label": self.label, "name": self.name, "position": self.position, "size": self.size, "children": below}


def installed() -> bool:
    """Whether there is a tshark."""
    return programs.find(PROGRAM) is not None


async def dissect(packets: Sequence[Packet], number: int) -> list[Node]:
    """The tree of packet `number` (from 0). Raises DissectionError."""
    first = max(0, number - BEFORE)
    writer = Pcapng()
    capture = b"".join((writer.head(), *map(writer.packet, packets[first : number + 1])))
    async with _AT_ONCE:
        output = await _run(capture, number - first + 1)
    try:
        return parsed(output)
    except expat.ExpatError as error:
        raise DissectionError(f"tshark's answer cannot be read: {error}") from error


async def _run(capture: bytes, frame: int) -> bytes:
    environment = {"PATH": "/usr/bin:/bin", "HOME": _NOWHERE, "WIRESHARK_CONFIG_DIR": _NOWHERE, "LC_ALL": "C.UTF-8"}
    program = programs.find(PROGRAM)
    if program is None:
        raise DissectionError("tshark is not installed")
    command = launch.command(
        program, "-n", "-r", "-", "-T", "pdml", "-Y", f"frame.number == {frame}",
        cpu_seconds=CPU_SECONDS, memory=MEMORY,
    )  # fmt: skip
    try:
        return await answer(PROGRAM, command, capture, seconds=SECONDS, most=MOST_OUTPUT, environment=environment)
    except ConfinedError as error:
        raise DissectionError(str(error)) from error


def parsed(pdml: bytes) -> list[Node]:
    """The protocols of the one packet in a PDML document, but for Wireshark's general information about it."""
    root = Node("", "", 0, 0)
    open_nodes = [root]
    count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        if tag not in ("proto", "field"):
            return
        count += 1
        node = _node(attributes)
        if count <= MOST_NODES and attributes.get("hide") != "yes" and attributes.get("name") != "geninfo":
            open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def end(tag: str) -> None:
        if tag in ("proto", "field"):
            open_nodes.pop()

    def refuse(*_: object) -> None:
        raise DissectionError("tshark's answer declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = start, end, refuse
    parser.Parse(pdml, True)
    return root.children


def _node(attributes: dict[str, str]) -> Node:
    label = attributes.get("showname") or attributes.get("show") or attributes.get("name", "")
    position, size = (int(attributes.get(name) or 0) for name in ("pos", "size"))
    return Node(label[:2000], attributes.get("name", "")[:200], position, size)
