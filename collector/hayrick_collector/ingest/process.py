"""One worker seen from the event loop: started when first needed, given one job at a time, mourned.

Workers index chunks, or hunt; how they answer is told in `serving.py`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hayrick_common.errors import HayrickError

_LINE_LIMIT = 8 << 20  # a summary line names every protocol and anomaly, and no more
_GRACE_SECONDS = 10


class WorkerError(HayrickError):
    """A worker died or stood still over a job, or reported that it could not do it.

    `final` tells that another attempt would end the same.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class PutOffError(HayrickError):
    """The store takes nothing now: the chunk is as it was, and costs no attempt."""


class WorkerProcess:
    """A worker process that is replaced after it dies. Used by one task at a time."""

    def __init__(
        self, config: dict[str, Any], *, stall_seconds: float, module: str = "hayrick_collector.ingest.worker"
    ) -> None:
        self._module = module
        self._config = json.dumps(config)
        self._stall_seconds = stall_seconds
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The process number, when one runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def do(
        self, job: dict[str, Any], progress: Callable[[int], None], waiting: Callable[[str], None] = lambda reason: None
    ) -> dict[str, Any]:
        """Have a job done; returns what it answers. Raises WorkerError, PutOffError; a cancelled call kills the worker.
        `waiting` is told why, while the store makes it wait."""
        process = await self._running()
        try:
            return await self._converse(process, job, progress, waiting)
        except PutOffError:
            raise
        except WorkerError as error:
            if process.returncode is not None:
                self._process = None
            raise error
        except BaseException:
            await self._kill()
            raise

    async def stop(self) -> None:
        """End the worker: its input closes, and it is killed if it does not go by itself."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, self._config,
                stdin=PIPE, stdout=PIPE, limit=_LINE_LIMIT,
            )  # fmt: skip
        return self._process

    async def _converse(
        self, process: Process, job: dict[str, Any], progress: Callable[[int], None], waiting: Callable[[str], None]
    ) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(ConnectionError):  # a dead worker is told of below, by its end of output
            process.stdin.write(json.dumps(job).encode() + b"\n")
            await process.stdin.drain()
        reason = ""
        while True:
            answer = await self._answer(process, process.stdout, reason)
            reason = str(answer.get("waiting", ""))
            if "progress" in answer:
                progress(int(answer["progress"]))
            elif "waiting" in answer:
                waiting(reason)
            elif "put_off" in answer:
                raise PutOffError(str(answer["put_off"]))
            elif "done" in answer:
                return dict(answer["done"])
            else:
                raise WorkerError(str(answer["failed"]), final=bool(answer["final"]))

    async def _answer(self, process: Process, output: asyncio.StreamReader, waits_for: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._stall_seconds):  # wait_for may lose a cancellation (Python 3.11)
                line = await output.readline()
        except TimeoutError:
            await self._kill()
            if waits_for:
                raise PutOffError(waits_for) from None
            reason = f"the worker made no progress for {self._stall_seconds:g} seconds and was killed"
            raise WorkerError(reason) from None
        if not line:
            await process.wait()
            raise WorkerError(f"the worker {_end(process.returncode or 0)} before it was done")
        return dict(json.loads(line))

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _end(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
