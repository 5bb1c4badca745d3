"""Usual questions to a store of millions of sessions: median and 95th percentile, at rest and while it is filled."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import cluster as shared
from measuring import CACHE
from synthetic import DAYS, build

import hayrick_decode
from hayrick_collector.config import load_config
from hayrick_collector.expression import Catalogue, parse_expression
from hayrick_collector.store import Query, Store, open_store

TIMES = 15
Question: TypeAlias = Callable[[Store], Awaitable[Any]]

# Indexes a capture as new chunks into the store of the first argument (folder or settings) until standard input ends.
FILL = """
import itertools, sys, threading
import hayrick_decode
from hayrick_collector.config import load_config
from hayrick_collector.store import open_store
from pathlib import Path
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
where = Path(sys.argv[1])
store = open_store(load_config(where) if where.is_file() else where)
for number in itertools.count():
    if ended.is_set():
        break
    with store.writer(f"filling{number}") as writer:
        for batch in hayrick_decode.decode(sys.argv[2], chunk=f"filling{number}"):
            writer.add(batch)
        writer.commit()
    print(f"filling{number}", flush=True)
"""


def query(capture: Path, sessions: int, cluster: str) -> None:
    """Ask an embedded store of so many sessions, or the cluster at this address."""
    if cluster:
        asyncio.run(_of_cluster(capture, sessions, cluster))
    else:
        folder = build(capture, CACHE, sessions)
        asyncio.run(_measured(open_store(folder), folder, capture))


async def _of_cluster(capture: Path, sessions: int, cluster: str) -> None:
    """The sessions stay for the next time, as the embedded store does."""
    folder = CACHE / f"cluster-{sessions}"
    folder.mkdir(parents=True, exist_ok=True)
    settings = shared.settings(folder, cluster, f"hayrick_query_{sessions}_")
    config = load_config(settings)
    await shared.fill(config, capture, sessions)
    await _measured(open_store(config), settings, capture)


async def _measured(store: Store, where: Path, capture: Path) -> None:
    async with store:
        health = await store.health()
        print(f"{health['sessions']} sessions, {health['bytes'] / 1e9:.2f} GB on disk, {TIMES} times each, ms:")
        questions = await _questions(store)
        calm = await _times(store, questions)
        with _filling(where, capture):
            busy = await _times(store, questions)
        for chunk in [str(value) async for value, _ in store.unique(Query(), "chunk") if str(value).startswith("fill")]:
            await store.delete_chunk(chunk)
        await store.maintain()
    for name in questions:
        print(f"  {name:16} {_shown(calm[name])}   while filling {_shown(busy[name])}")


async def _times(store: Store, questions: dict[str, Question]) -> dict[str, list[float]]:
    """Milliseconds of each question, asked in turn."""
    taken: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(TIMES):
        for name, question in questions.items():
            started = time.perf_counter()
            await question(store)
            taken[name].append((time.perf_counter() - started) * 1000)
    return taken


def _shown(taken: list[float]) -> str:
    return f"median {statistics.median(taken):6.0f}  95 % {statistics.quantiles(taken, n=20)[-1]:6.0f}"


async def _questions(store: Store) -> dict[str, Question]:
    """By name; what they look for is taken from a session in the middle."""
    middle = (await store.find(Query(_node("host.dns == *.org"), limit=200))).items[-1]
    address, day = middle["source"]["ip"], middle["firstPacket"]
    network = ".".join(address.split(".")[:2]) if "." in address else address
    return {
        "address": _find(f"ip.src == {address}"),
        "network": _find(f"ip == {network}"),
        "wildcard": _find("host.dns == *.top"),
        "contains": _find('http.uri == "*login*"'),
        "regex": _find(r"host.dns == /[a-f0-9]{2,}\..*\.(top|xyz)/"),
        "exists": _find("http.user-agent == EXISTS!"),
        "combined": _find(
            "protocols == dns && port.dst == 53 && packets > 2", start_ms=day - 43_200_000, stop_ms=day + 43_200_000
        ),
        "newest 50": lambda store: store.find(Query(total=False)),
        "session by id": lambda store: store.get(middle["id"]),
        "top 20": lambda store: store.facets(Query(), "ip.dst", 20, "bytes"),
        "histogram": lambda store: store.histogram(Query(), DAYS * 86_400_000 // 60, "bytes"),
        "unique": lambda store: _all(store.unique(Query(), "host.dns")),
        "connections": lambda store: store.graph(Query(), limit=100),
    }


def _find(text: str, **more: Any) -> Question:
    wanted = replace(Query(_node(text), limit=50), **more)
    return lambda store: store.find(wanted)


def _node(text: str) -> Any:
    return parse_expression(text, Catalogue.from_dicts(hayrick_decode.fields()))


async def _all(found: AsyncIterator[Any]) -> int:
    return len([each async for each in found])


@contextmanager
def _filling(where: Path, capture: Path) -> Iterator[None]:
    """Another process that indexes as fast as it can, as long as the block runs."""
    with subprocess.Popen(
        [sys.executable, "-c", FILL, str(where), str(capture)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.communicate(timeout=60)
