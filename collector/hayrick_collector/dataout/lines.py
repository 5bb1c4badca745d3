"""Pages of documents to JSON lines and to CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator

from hayrick_collector.dataout.columns import cell, row
from hayrick_collector.expression import Field
from hayrick_collector.store import Document

Pages = AsyncIterator[list[Document]]


async def ndjson(pages: Pages) -> AsyncGenerator[bytes]:
    """One object a line, in ASCII: safe for a terminal, and every parser undoes it."""
    async for page in pages:
        yield "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in page).encode()


async def csv_text(pages: Pages, fields: list[Field]) -> AsyncGenerator[bytes]:
    """A heading line with the fields' names in documents, then a line a session."""
    wanted = {field.document: field for field in fields}
    yield _lines([[field.document for field in fields]])
    async for page in pages:
        rows = (row(each, wanted) for each in page)
        yield _lines([[cell(field, each.get(field.document)) for field in fields] for each in rows])


def _lines(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
