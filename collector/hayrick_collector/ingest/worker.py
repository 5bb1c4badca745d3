"""The ingest worker: a process of its own, so that a capture which kills the decoder kills one attempt and no more.

It does jobs as `serving.py` has them: its progress is told in sessions, it is waiting for a store that is slow, and
what is done has a summary. A chunk is put off when the store takes nothing now, from nobody. Run as
`python -m hayrick_collector.ingest.worker CONFIG-AS-JSON`.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import hayrick_decode
from hayrick_collector.archive.container import Form
from hayrick_collector.archive.keylog import Given
from hayrick_collector.archive.paths import finer_than_microseconds
from hayrick_collector.archive.reader import open_file
from hayrick_collector.ingest.enriching import Enriching
from hayrick_collector.ingest.serving import Say, serve
from hayrick_collector.store import Store, open_store
from hayrick_common import room
from hayrick_common.chunk import RECORDS
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import StoreAwayError

BATCH_SESSIONS = 16_384
_AHEAD = 1  # decoded batches that may wait while the store writes the one before


def main() -> int:
    """Serve jobs until standard input ends."""
    return serve(
        lambda config: partial(_attempt, open_store(config), config.archive.form, Enriching(config.enrichment))
    )


def _attempt(store: Store, form: Form, enriching: Enriching, job: dict[str, Any], say: Say) -> dict[str, Any]:
    try:
        tables = enriching.tables()
    except (OSError, ValueError) as error:  # no fault of the chunk's, and mended by the operator
        return {"put_off": f"enrichment: {error}"}
    try:
        path = Path(job["path"])
        with open_file(path, form.keys) as packets:
            return {"done": index(store, packets, job, tables, say, Given(path, form))}
    except (StoreAwayError, TimeoutError) as error:  # no fault of the chunk's: it costs no attempt
        return {"put_off": str(error)}
    except ValueError as error:  # not a capture: no attempt will make it one
        return {"failed": str(error), "final": True}
    except Exception as error:  # noqa: BLE001 - the reason travels to the catalog, and the attempt is counted there
        reason = f"{type(error).__name__}: {error}"
        return {"put_off": reason} if _no_room(error) else {"failed": reason, "final": False}


def _no_room(error: Exception) -> bool:
    """Whether the disk is full, which is no fault of the chunk's and passes. DuckDB tells it in words only."""
    return room.lacking(error) or "No space left on device" in str(error)


def index(
    store: Store, packets: BinaryIO, job: dict[str, Any], tables: hayrick_decode.Enrichment | None, say: Say,
    secrets: Given | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Bring one chunk's sessions into the store as a segment; what stood there for the chunk is replaced.

    The summary, with `again` when secrets of the chunk came that it was not indexed with."""
    told = {} if job.get("content") == RECORDS else {"nanoseconds": finer_than_microseconds(packets.read(4))}
    decoding = sessions_of(packets, job, tables, secrets.text if secrets else b"")
    sessions = 0
    with store.writer(job["key"], lambda reason: say({"waiting": reason})) as writer:
        for batch in _ahead(decoding):
            writer.add(batch)
            sessions += len(batch)
            say({"progress": sessions})
        writer.commit()
    settled = secrets is None or secrets.settle(decoding.key_log)
    return {**decoding.summary, **told, **({} if settled else {"again": True})}


def sessions_of(
    stored: BinaryIO, job: dict[str, Any], tables: hayrick_decode.Enrichment | None, key_log: bytes
) -> hayrick_decode.Decoding:
    """The chunk's sessions: decoded here, or out of the records that its sensor decoded."""
    origin: dict[str, Any] = {
        "chunk": job["key"],
        "node": job["node"],
        "file": job["file"],
        "tags": tuple(job["tags"]),
        "batch_sessions": BATCH_SESSIONS,
        "indexed_ms": epoch_ms(),
        "enrichment": tables,
    }
    if job.get("content") == RECORDS:
        return hayrick_decode.read_records(stored, size=job["size"], **origin)
    return hayrick_decode.decode(stored, key_log=key_log, **origin)


def _ahead(batches: Iterator[Any]) -> Iterator[Any]:
    """Decode the next batch in a thread while this one is being written: both let go of the interpreter's lock."""
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def decode() -> None:
        try:
            for batch in batches:
                waiting.put(("batch", batch))
                if stopped.is_set():
                    return
            waiting.put(("end", None))
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that waits
            waiting.put(("error", error))

    thread = threading.Thread(target=decode, name="decode", daemon=True)
    thread.start()
    try:
        yield from _taken(waiting)
    finally:
        stopped.set()
        while thread.is_alive():
            _drain(waiting)
            thread.join(0.05)


def _taken(waiting: queue.Queue[tuple[str, Any]]) -> Iterator[Any]:
    while True:
        kind, value = waiting.get()
        if kind == "error":
            raise value
        if kind == "end":
            return
        yield value


def _drain(waiting: queue.Queue[Any]) -> None:
    while not waiting.empty():
        waiting.get_nowait()


if __name__ == "__main__":
    sys.exit(main())
