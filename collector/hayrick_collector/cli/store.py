"""`hayrick store`: prepare the store that the settings name, look how it is, move sessions to a shared cluster."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.config import CollectorConfig

_ABOUT = {
    "init": "Make ready what the store needs (folders; on Elasticsearch index templates); once more changes nothing.",
    "check": "Tell how the store is, and what to do about it; exit code 1 when it does not work as it should.",
    "reindex": "Make indices of an Elasticsearch anew that were made with another kind for a field: copied within the"
    " cluster, then put in the old one's place at once, so that no search finds a session twice or not at all. Chunks"
    " of these days wait meanwhile.",
    "migrate": "Copy all sessions, with tags and packet positions, from the data folder's embedded store to the"
    " Elasticsearch of the settings. Chunks that are there already are left alone, so it can be run again; the embedded"
    " store stays as it is.",
}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "store", help="prepare, check and move the store of sessions", description="Look after the store of sessions."
    )
    inner = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    for name, work in (("init", _init), ("check", _check), ("migrate", _migrate), ("reindex", _reindex)):
        action = inner.add_parser(name, help=_ABOUT[name].partition(",")[0].rstrip("."), description=_ABOUT[name])
        options.add_folder(action)
        if name == "check":
            action.add_argument("--json", action="store_true", help="as JSON")
        if name == "reindex":
            action.add_argument("--all", action="store_true", help="every index, not only those that need it")
        action.set_defaults(run=run, work=work)


def run(args: argparse.Namespace) -> int:
    """Do it with the settings that are meant."""
    from hayrick_collector.config import load_config

    work: Callable[[argparse.Namespace, CollectorConfig], Coroutine[Any, Any, int]] = args.work
    return asyncio.run(work(args, load_config(args.config, data=args.data)))


async def _init(args: argparse.Namespace, config: CollectorConfig) -> int:
    from hayrick_collector.store import open_store

    await asyncio.to_thread(config.folder.create)
    async with open_store(config):
        print(f"the store is ready: {_where(config)}")
    return 0


async def _check(args: argparse.Namespace, config: CollectorConfig) -> int:
    from hayrick_collector.store import open_store

    async with open_store(config) as store:
        health = await store.health()
        advice = await store.advice()
    lines = [f"{name}: {_said(value)}" for name, value in health.items()] + [f"to do: {each}" for each in advice]
    print(json.dumps({**health, "advice": advice}) if args.json else "\n".join(lines))
    return 0 if health["ok"] else 1


async def _migrate(args: argparse.Namespace, config: CollectorConfig) -> int:
    import hayrick_decode
    from hayrick_collector.expression import Catalogue
    from hayrick_collector.store import open_store
    from hayrick_collector.store.migrate import move

    if not config.store.shared:
        raise UsageError("the settings name no cluster to move to: set store.kind = 'elasticsearch' and store.urls")
    if not config.folder.store.is_dir():
        raise UsageError(f"{config.folder.store} is not there: nothing to move")
    catalogue = Catalogue.from_dicts(hayrick_decode.fields())
    async with open_store(config.folder.store) as source, open_store(config) as target:
        moved = await move(source, target, catalogue, _progress)
    print(f"{moved.sessions} sessions of {moved.chunks} chunks moved; {moved.skipped} chunks were there already")
    return 0


async def _reindex(args: argparse.Namespace, config: CollectorConfig) -> int:
    from hayrick_collector.store import open_store
    from hayrick_collector.store.elasticsearch import ElasticsearchStore

    async with open_store(config) as store:
        if not isinstance(store, ElasticsearchStore):
            raise UsageError(
                "the embedded store has no indices; `hayrick store reindex` is for store.kind = 'elasticsearch'"
            )
        made = await store.reindex(everything=args.all, say=_progress)
    print("\n".join(f"{name}: {sessions} sessions" for name, sessions in made.items()) or "no index needs it")
    return 0


def _where(config: CollectorConfig) -> str:
    return ", ".join(config.store.urls) if config.store.shared else str(config.folder.store)


def _said(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr, flush=True)
