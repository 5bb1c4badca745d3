"""Random expressions over real captures: the embedded store, Elasticsearch and a plain evaluation must find the same.

PYTHONPATH=.:sensor:collector:common:deploy .venv/bin/python scripts/lib/differential.py CAPTURE_OR_FOLDER ...
    [--examples 500] [--seconds 3600] [--seed 0] [--elasticsearch http://127.0.0.1:19200]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.collector.elasticsearch import cluster_of, wipe
from tests.collector.store.evaluator import holds
from tests.collector.store.expressions import expressions, pools

import hayrick_decode
from hayrick_collector.expression import Catalogue, parse_expression
from hayrick_collector.store import Query, Store
from hayrick_collector.store.elasticsearch import ElasticsearchStore
from hayrick_collector.store.embedded import EmbeddedStore
from hayrick_common.errors import ExpressionError

CATALOGUE = Catalogue.from_dicts(hayrick_decode.fields())
PAGE = 10_000


def captures(paths: list[Path]) -> Iterator[Path]:
    """The files, and those of the folders."""
    for path in paths:
        yield from sorted(path.glob("*.pcap*")) if path.is_dir() else [path]


def fill(stores: list[Store], paths: list[Path], most: int) -> list[dict[str, Any]]:
    """Index the captures in every store; the documents."""
    documents: list[dict[str, Any]] = []
    for path in captures(paths):
        if len(documents) >= most:
            break
        chunk = f"corpus-{path.stem}"
        writers = [store.writer(chunk) for store in stores]
        for batch in hayrick_decode.decode(path, chunk=chunk, node="test", file=f"/pcap/{path.name}", tags=["corpus"]):
            documents += [json.loads(line) for line in batch.ndjson().splitlines()]
            for writer in writers:
                writer.add(batch)
        for writer in writers:
            writer.commit()
    return documents


async def found(store: Store, query: Query) -> set[str]:
    """All ids, page by page."""
    ids: set[str] = set()
    while True:
        page = await store.find(query)
        ids.update(item["id"] for item in page.items)
        if page.cursor is None:
            return ids
        query = replace(query, cursor=page.cursor)


class Comparison:
    """Asks every store what a plain evaluation says, and remembers where they differ."""

    def __init__(self, runner: asyncio.Runner, stores: list[Store], documents: list[dict[str, Any]]) -> None:
        self._runner, self._stores, self._documents = runner, stores, documents
        self.asked = self.refused = self.something = 0
        self.differing: dict[str, list[str]] = {}

    def ask(self, text: str) -> None:
        """One expression."""
        try:
            node = parse_expression(text, CATALOGUE)
        except ExpressionError:
            self.refused += 1
            return
        self.asked += 1
        wanted = {each["id"] for each in self._documents if holds(node, each)}
        self.something += 0 < len(wanted) < len(self._documents)
        for store in self._stores:
            query = Query(node, limit=PAGE, fields=("id",), sort=(("id", "asc"),), total=False)
            try:
                got = self._runner.run(found(store, query))
            except Exception as error:  # noqa: BLE001 - every failure is a finding here
                self.differing.setdefault(text, []).append(f"{type(store).__name__}: {type(error).__name__}: {error}")
                continue
            if got != wanted:
                lacks, more = sorted(wanted - got)[:2], sorted(got - wanted)[:2]
                self.differing.setdefault(text, []).append(
                    f"{type(store).__name__}: {len(got)} instead of {len(wanted)}, lacks {lacks}, has {more}"
                )


def run(comparison: Comparison, documents: list[dict[str, Any]], examples: int, seconds: float, start: int) -> None:
    """Draw so many expressions; those drawn when the time is over are not asked."""
    deadline = time.monotonic() + seconds
    strategy = expressions(CATALOGUE, pools(CATALOGUE, documents))

    @seed(start)
    @settings(max_examples=examples, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(strategy)
    def each(text: str) -> None:
        if time.monotonic() < deadline:
            comparison.ask(text)

    each()


def main() -> int:
    """The command line; 1 when something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=3600, help="at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=20_000, help="sessions at most, from the first captures on")
    parser.add_argument("--elasticsearch", metavar="URL")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        stores: list[Store] = [EmbeddedStore(Path(folder) / "store", CATALOGUE)]
        cluster = cluster_of(Path(folder), args.elasticsearch) if args.elasticsearch else None
        if cluster is not None:
            stores.append(ElasticsearchStore(cluster, CATALOGUE))
        for store in stores:
            runner.run(store.open())
        started = time.monotonic()
        documents = fill(stores, args.captures, args.most)
        for store in stores:
            runner.run(store.maintain())
        print(f"{len(documents)} sessions indexed in {time.monotonic() - started:.1f} s")
        comparison = Comparison(runner, stores, documents)
        run(comparison, documents, args.examples, args.seconds, args.seed)
        for store in stores:
            runner.run(store.close())
        if cluster is not None:
            wipe(cluster)
    for text, reasons in comparison.differing.items():
        print(text, *reasons, sep="\n    ")
    told = (
        f"{comparison.asked} expressions ({comparison.something} found some sessions and not all), {len(stores)} stores"
    )
    differ = f"{comparison.refused} refused, {len(comparison.differing)} differ"
    print(f"{told}, {differ}; {time.monotonic() - started:.0f} s")
    return 1 if comparison.differing else 0


if __name__ == "__main__":
    sys.exit(main())
