"""The tag command's words: a leading dash removes, and options may stand anywhere."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pytest

from hayrick_collector.cli import tag
from hayrick_common.errors import UsageError


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    tag.add_parser(parser.add_subparsers())
    return parser.parse_args(["tag", *words])


def test_plus_adds_and_minus_removes() -> None:
    args = parse(["dns", "+one", "-two", "+three,four", "-h"])
    assert tag.changes(args) == (("one", "three", "four"), ("two", "h"))
    assert args.expression == "dns"


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "/d", "--last", "24h", "dns", "+a", "-b"],
        ["dns", "+a", "-b", "--data", "/d", "--last", "24h"],
        ["--last", "24h", "dns", "+a", "--data", "/d", "-b"],
    ],
)
def test_options_may_stand_before_and_after_the_tags(words: list[str]) -> None:
    args = parse(words)
    assert tag.changes(args) == (("a",), ("b",))
    assert (args.data, args.last, args.server) == (Path("/d"), "24h", None)


@pytest.mark.parametrize("words", [["dns"], ["dns", "tag"], ["dns", "+"], ["dns", "+a b"], ["dns", "--unknown"]])
def test_what_is_no_tag_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        tag.changes(parse(words))
