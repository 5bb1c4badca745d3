"""`hayrick tag`: add and remove tags on all sessions that match."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options
from hayrick_collector.tags import check_tags
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "tag",
        help="add or remove tags on found sessions",
        description="Add (+TAG) and remove (-TAG) tags on all sessions that match.",
        usage="hayrick tag [options] EXPR +TAG|-TAG …",
        epilog=options.EPILOG_WHERE,
    )
    parser.add_argument("expression", metavar="EXPR", help="such as 'host.dns == evil.example'")
    parser.add_argument("changes", metavar="+TAG|-TAG", nargs=argparse.REMAINDER, help="tags to add, tags to remove")
    options.add_times(parser)
    options.add_where(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Change the tags and say on how many sessions."""
    add, remove = changes(args)
    return options.run_backend(args, lambda backend: _tag(backend, args, add, remove))


def changes(args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tags to add and to remove. Options may follow them: argparse leaves all after EXPR to us, since -TAG looks like
    an option; what starts with two dashes is one."""
    late = argparse.ArgumentParser(prog="hayrick tag", add_help=False, allow_abbrev=False)
    options.add_times(late)
    options.add_where(late)
    for action in late._actions:  # noqa: SLF001 - what was given before EXPR stays
        action.default = argparse.SUPPRESS
    _, words = late.parse_known_args(args.changes, namespace=args)
    bad = [word for word in words if word[:1] not in "+-" or word.startswith("--") or len(word) < 2]
    if bad or not words:
        raise UsageError(f"{bad[0]!r} is neither +TAG nor -TAG" if bad else "say which tags: +TAG adds, -TAG removes")
    return _signed(words, "+"), _signed(words, "-")


async def _tag(backend: Backend, args: argparse.Namespace, add: tuple[str, ...], remove: tuple[str, ...]) -> int:
    if not args.expression.strip() and args.start is None and args.stop is None and args.last is None:
        raise UsageError("an empty expression would tag everything: say which sessions")
    count = await backend.tag(options.search_of(args), add, remove)
    words = [*(f"+{tag}" for tag in add), *(f"-{tag}" for tag in remove)]
    print(f"{count} session{'' if count == 1 else 's'}: {' '.join(words)}")
    return 0


def _signed(words: Sequence[str], sign: str) -> tuple[str, ...]:
    return check_tags(word[1:] for word in words if word.startswith(sign))
