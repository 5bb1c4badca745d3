"""tshark on one packet, where it can reach nothing, and its answer read with care."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from tests.collector.captures import http_exchange

from hayrick_collector.archive.write import Packet
from hayrick_collector.packets import dissect
from hayrick_collector.packets.dissect import DissectionError, Node, parsed

PACKETS = [Packet(1_700_000_000_000_000_000 + number, 1, len(frame), frame) for number, frame in
           enumerate(http_exchange("/needle?<b>\x1b"))]  # fmt: skip


def labels(nodes: list[Node]) -> list[str]:
    return [label for each in nodes for label in (each.label, *labels(each.children))]


def test_tree_is_wiresharks_own_with_the_bytes_of_each_field() -> None:
    tree = asyncio.run(dissect.dissect(PACKETS, 3))
    assert [each.name for each in tree] == ["frame", "eth", "ip", "tcp", "http"]
    request = next(each for each in tree if each.name == "http")
    assert (request.position, "Host: www.example\\r\\n" in labels([request])) == (54, True)


def test_program_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dissect, "SECONDS", 0.0)
    with pytest.raises(DissectionError, match="longer than"):
        asyncio.run(dissect.dissect(PACKETS, 0))


def test_what_is_launched_has_no_network_writes_nothing_and_is_nobody() -> None:
    tell = "import os,socket\nprint(os.getuid(), len(socket.if_nameindex()))\n"
    tell += "try:\n open('/tmp/hayrick-x','w').write('x'*9)\n"
    tell += "except OSError: print('no')\ntry:\n bytearray(1<<30)\nexcept MemoryError: print('less')\n"
    launch = Path(dissect.__file__).with_name("launch.py")
    command = [sys.executable, "-I", "-S", str(launch), "5", str(1 << 29), "/usr/bin/python3", "-I", "-S", "-c", tell]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert found.stdout.splitlines() in (["65534 1", "no", "less"], ["65534 1", "less"])


def test_entities_in_an_answer_are_refused() -> None:
    with pytest.raises(DissectionError):
        parsed(b'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaa">]><pdml><packet><proto name="x"/></packet></pdml>')
