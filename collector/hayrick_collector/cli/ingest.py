"""`hayrick ingest`: capture files, folders or standard input into the store, under tags."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_collector.cli.office import note_sources, open_case
from hayrick_collector.tags import check_tags

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend, Capture, Ingested


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "ingest",
        help="index capture files under a case tag",
        description="Index captures: pcap or pcapng, plain, .gz or .zst, told by their content. The same bytes are"
        " never indexed twice: a file that is known already only gets the tags that are new to it.",
        epilog=options.EPILOG_WHERE,
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file, a folder (searched through), or - for stdin")
    parser.add_argument("-t", "--tag", action="append", default=[], metavar="TAG", help="tag every session; repeatable")
    parser.add_argument("--case", metavar="NAME", help="into this case, which is opened if need be: its name is a tag")
    parser.add_argument("--force", action="store_true", help="index again what is known; its sessions are replaced")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, only the last line")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="files at once (default: %(default)s)")
    options.add_key_log(parser)
    options.add_where(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 1 when some file could not be indexed."""
    from hayrick_collector.ingest.sources import captures

    tags = check_tags([*args.tag, *([args.case] if args.case else [])])
    found = list(captures(args.paths))
    return options.run_backend(args, lambda backend: _ingest(backend, args, found, tags))


async def _ingest(backend: Backend, args: argparse.Namespace, found: Sequence[Capture], tags: tuple[str, ...]) -> int:
    from hayrick_collector.cli.progress import Bar

    started = time.monotonic()
    key_log = await asyncio.to_thread(options.key_log_of, args)
    if args.case:
        await open_case(backend, args.case)
    turn = asyncio.Semaphore(max(args.jobs, 1))
    with Bar(found, shown=not args.quiet and sys.stderr.isatty()) as bar:

        async def one(capture: Capture) -> Ingested:
            async with turn:
                done = await backend.ingest(
                    capture, tags=tags, force=args.force, progress=bar.reporter(capture), key_log=key_log
                )
            bar.finished(capture)
            if not args.quiet:
                bar.print(line(done))
            return done

        results = await asyncio.gather(*map(one, found))
    if args.case:
        await note_sources(backend, args.case)
    print(total(results, time.monotonic() - started))
    return 1 if any(each.outcome == "failed" for each in results) else 0


def line(done: Ingested) -> str:
    """What came of one file."""
    name = text.safe(done.name)
    if done.outcome == "failed":
        return f"{name}: FAILED: {text.safe(done.error)}"
    if done.outcome == "known":
        tags = f", tags added: {' '.join(done.tags_added)}" if done.tags_added else ""
        return f"{name}: already indexed ({_amounts(done)}){tags}"
    anomalies = _names(done.summary.get("anomalies", {}))
    protocols = _names(done.summary.get("protocols", {}))
    return (
        f"{name}: {_amounts(done)}, {done.seconds:.1f} s"
        + (f"\n    protocols: {protocols}" if protocols else "")
        + (f"\n    anomalies: {anomalies}" if anomalies else "")
    )


def total(results: Sequence[Ingested], seconds: float) -> str:
    """The last line, over all files."""
    outcomes: Counter[str] = Counter(each.outcome for each in results)
    fresh = [each.summary for each in results if each.outcome == "indexed"]
    protocols = {name for summary in fresh for name in summary.get("protocols", {})}
    anomalies = sum(sum(summary.get("anomalies", {}).values()) for summary in fresh)
    files = ", ".join(
        f"{outcomes[outcome]} {word}"
        for outcome, word in (("indexed", "indexed"), ("known", "already indexed"), ("failed", "failed"))
        if outcomes[outcome]
    )
    return (
        f"{len(results)} file{'' if len(results) == 1 else 's'} ({files}):"
        f" {sum(summary.get('packets', 0) for summary in fresh)} packets,"
        f" {sum(summary.get('sessions', 0) for summary in fresh)} sessions,"
        f" {len(protocols)} protocols, {anomalies} anomalies, {seconds:.1f} s"
    )


def _amounts(done: Ingested) -> str:
    summary = done.summary
    return f"{summary.get('packets', 0)} packets, {summary.get('sessions', 0)} sessions, {text.size(done.size)}"


def _names(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{text.safe(name)} {count}" for name, count in ordered[:12])
    return listed + (f" and {len(ordered) - 12} more" if len(ordered) > 12 else "")
