"""Pages of documents to one Parquet file.

A Parquet file's columns and the places of its parts are known at its end only, so the rows go to disk first, and DuckDB
makes the file from there: memory is bounded, the disk takes the rows and the file for the time being.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

from hayrick_collector.dataout.columns import row
from hayrick_collector.dataout.lines import Pages
from hayrick_collector.expression import Catalogue, Field
from hayrick_collector.store.embedded.tablefile import write_parquet
from hayrick_common.files import make_folder

PIECE = 256 << 10


async def parquet(pages: Pages, catalogue: Catalogue, fields: list[Field], spill: Path) -> AsyncGenerator[bytes]:
    """A column for each of the fields; without any, for each that some session has. `spill` holds rows meanwhile."""
    await asyncio.to_thread(make_folder, spill)
    with tempfile.TemporaryDirectory(dir=spill) as folder:
        rows, out = Path(folder) / "rows.ndjson", Path(folder) / "out.parquet"
        seen = await _write_rows(pages, rows, _wanted(catalogue, fields))
        columns = fields or sorted(seen.values(), key=lambda field: field.document)
        await asyncio.to_thread(write_parquet, rows, out, columns)
        with out.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece


def _wanted(catalogue: Catalogue, fields: list[Field]) -> dict[str, Field]:
    every = [field for field in catalogue.fields if field.column == field.document and not field.counts]
    return {field.document: field for field in reversed(fields or every)}


async def _write_rows(pages: Pages, path: Path, wanted: dict[str, Field]) -> dict[str, Field]:
    """The fields that some session has."""
    seen: dict[str, Field] = {}
    with path.open("w", encoding="utf-8") as file:
        async for page in pages:
            rows = [row(each, wanted) for each in page]
            seen.update((each, wanted[each]) for found in rows for each in found)
            lines = "".join(json.dumps(each) + "\n" for each in rows)
            await asyncio.to_thread(file.write, lines)
    return seen
