"""The decoder beside tshark and dpkt: packets, bytes, both ends of every packet, and what TCP carried.

PYTHONPATH=.:sensor:collector:common .venv/bin/python scripts/lib/opinions.py CAPTURE_OR_FOLDER ... [--streams 40]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dpkt

import hayrick_decode

_COLUMNS = ("frame.len", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.port", "udp.port", "sctp.port", "tcp.stream")
_SECONDS = 120
# DHCP is one session a station, whose address changes; group management one session, whoever sent it.
_OF_MANY_ENDS = {"dhcp", "igmp", "pim"}
_PREFERENCES = ("-o", "tcp.relative_sequence_numbers:FALSE", "-o", "ip.defragment:TRUE")


def captures(paths: list[Path]) -> Iterator[Path]:
    """The files, and those of the folders."""
    for path in paths:
        yield from sorted(path.glob("*.pcap*")) if path.is_dir() else [path]


def tshark(path: Path, *arguments: str) -> list[str]:
    """Its lines of standard output."""
    run = ["tshark", "-n", "-2", *_PREFERENCES, "-r", str(path), *arguments]
    return subprocess.run(run, check=False, capture_output=True, text=True, timeout=_SECONDS).stdout.splitlines()


def frames(path: Path) -> list[dict[str, set[str]]]:
    """Each frame's values of the columns, of all its layers."""
    fields = [part for column in _COLUMNS for part in ("-e", column)]
    lines = tshark(path, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", *fields)
    return [
        {c: set(filter(None, v.split(","))) for c, v in zip(_COLUMNS, line.split("\t"), strict=False)} for line in lines
    ]


def documents(path: Path) -> tuple[list[dict[str, Any]], hayrick_decode.Summary]:
    """Sessions as documents, and the summary."""
    decoding = hayrick_decode.decode(path)
    found = [json.loads(line) for batch in decoding for line in batch.ndjson().splitlines()]
    return found, decoding.summary


def by_dpkt(path: Path) -> tuple[int, int] | None:
    """Packets and captured bytes; None where dpkt gives up."""
    try:
        with path.open("rb") as file:
            lengths = [len(data) for _, data in dpkt.pcap.UniversalReader(file)]
    except (ValueError, dpkt.Error):
        return None
    return len(lengths), sum(lengths)


def ends_of(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Address and port of both ends; nothing for what is no IP, or is one session of many ends."""
    if "ip" not in document.get("source", {}) or not _OF_MANY_ENDS.isdisjoint(document["protocol"]):
        return []
    return [(document[end]["ip"], str(document[end]["port"])) for end in ("source", "destination")]


def misplaced(document: dict[str, Any], frame: dict[str, set[str]]) -> bool:
    """Whether tshark saw an end of the session nowhere in the frame."""
    addresses = {a.lower() for c in ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst") for a in frame[c]}
    ports = frame["tcp.port"] | frame["udp.port"] | frame["sctp.port"]
    return any(ip not in addresses or (port != "0" and port not in ports) for ip, port in ends_of(document))


def streams(path: Path, numbers: list[str]) -> dict[str, dict[str, bytes]]:
    """Both directions' bytes of some TCP streams, by the sender's address and port."""
    follow = [part for number in numbers for part in ("-z", f"follow,tcp,raw,{number}")]
    found: dict[str, dict[str, bytes]] = {}
    stream, nodes = "", ["", ""]
    for line in tshark(path, "-q", *follow):
        if line.startswith("Filter: tcp.stream eq "):
            stream = line.split()[-1]
            found[stream] = {}
        elif line.startswith(("Node 0: ", "Node 1: ")):
            nodes[int(line[5])] = line[8:].replace("[", "").replace("]", "")
        elif line and not line.startswith(("=", "Follow: ")):
            node = nodes[line.startswith("\t")]
            found[stream][node] = found[stream].get(node, b"") + bytes.fromhex(line.strip())
    return found


def ours(path: Path, document: dict[str, Any]) -> dict[str, bytes]:
    """The same of a session, where nothing is missing; else nothing."""
    (source, port), (other, other_port) = ends_of(document)
    reader = hayrick_decode.Streams((ip_address(source), int(port)))
    pieces = reader.feed(hayrick_decode.read_packets(path, document["packetPos"])) + reader.finish()
    if any(missing for _, _, missing, _ in pieces):
        return {}
    nodes = [f"{source}:{port}", f"{other}:{other_port}"]
    return {n: data for i, n in enumerate(nodes) if (data := b"".join(d for side, _, _, d in pieces if side == i))}


def differences(path: Path, most: int) -> Iterator[str]:
    """What is told differently."""
    found, summary = documents(path)
    seen = frames(path)
    counted = (summary["packets"], summary["bytes"])
    if (theirs := by_dpkt(path)) is not None and theirs != counted:
        yield f"packets, bytes: {counted}; dpkt {theirs}"
    places = sorted({place for each in found for place in each["packetPos"]})
    if len(places) != len(seen):
        yield f"frames: {len(places)} in sessions; tshark {len(seen)}"
        return
    size, length = sum(each["network"]["bytes"] for each in found), sum(int(*each["frame.len"]) for each in seen)
    if size != length:
        yield f"bytes on the wire: {size}; tshark {length}"
    number = {place: index for index, place in enumerate(places)}
    for each in found:
        wrong = [number[place] + 1 for place in each["packetPos"] if misplaced(each, seen[number[place]])]
        if wrong:
            yield f"ends: {each['protocol'][:3]} {ends_of(each)}; not in frames {wrong[:5]}"
    yield from payloads(path, [(each, seen[number[each["packetPos"][0]]]["tcp.stream"]) for each in found], most)


def payloads(path: Path, sessions: list[tuple[dict[str, Any], set[str]]], most: int) -> Iterator[str]:
    """TCP whose bytes are not tshark's: of whole connections, each in one session and one stream."""
    count = Counter(stream for _, numbers in sessions for stream in numbers)
    one = [(each, next(iter(numbers))) for each, numbers in sessions if len(numbers) == 1]
    whole = [(each, stream) for each, stream in one if count[stream] == 1]
    whole = [(each, stream) for each, stream in whole if "tcp" in each["protocol"] and ends_of(each)][:most]
    theirs = streams(path, [stream for _, stream in whole]) if whole else {}
    for each, stream in whole:
        mine = ours(path, each)
        if mine and mine != theirs.get(stream, {}):
            sizes = [{node: len(data) for node, data in side.items()} for side in (mine, theirs.get(stream, {}))]
            yield f"payload of stream {stream}: {sizes[0]}; tshark {sizes[1]}"


def main() -> int:
    """Every difference, then how many captures have any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--streams", type=int, default=40, help="TCP connections compared of each capture")
    args = parser.parse_args()
    all_of_them = list(captures(args.captures))
    differing = 0
    for path in all_of_them:
        told = list(differences(path, args.streams))
        differing += bool(told)
        for each in told:
            print(f"{path.name}: {each}", flush=True)
    print(f"{len(all_of_them)} captures, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
