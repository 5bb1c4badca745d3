"""What docs/EXPRESSIONS.md shows can be typed as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hayrick_decode
from hayrick_collector.expression import Catalogue, parse_expression

PAGE = Path(__file__).resolve().parents[3] / "docs" / "EXPRESSIONS.md"
EXAMPLES = [
    line for block in re.findall(r"```\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) for line in block.splitlines()
]
CATALOGUE = Catalogue.from_dicts(hayrick_decode.fields())


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_of_the_documents_parses(text: str) -> None:
    parse_expression(text, CATALOGUE)


def test_every_field_of_the_decoder_can_be_asked_for() -> None:
    silent = []
    for field in CATALOGUE.fields:
        if CATALOGUE.members(field):
            parse_expression(f"{field.expression} == EXISTS!", CATALOGUE)
        else:
            silent.append(field.expression)
    assert silent == []
