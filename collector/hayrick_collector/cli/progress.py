"""A progress bar over files being copied and indexed; silent when nobody watches."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from hayrick_collector.backend import Capture
from hayrick_collector.backend import Progress as Reporter
from hayrick_collector.cli import text


class Bar:
    """One line for all files (bytes copied), one for each that is being indexed (sessions found)."""

    def __init__(self, captures: Sequence[Capture], *, shown: bool) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not shown,
            transient=True,
        )
        self._shown = shown
        self._sizes = {id(capture): capture.size for capture in captures}
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def reporter(self, capture: Capture) -> Reporter:
        """What the backend calls for this file."""
        name = text.safe(capture.name.rpartition("/")[2])
        task = self._progress.add_task(name, total=self._sizes[id(capture)], amount="")
        self._tasks[id(capture)] = task

        def report(phase: str, amount: int) -> None:
            if phase == "copy":
                self._progress.update(task, completed=amount, amount=text.size(amount))
            else:
                self._progress.update(task, total=None, amount=f"{amount} sessions")

        return report

    def finished(self, capture: Capture) -> None:
        """This file is done: its line goes."""
        self._progress.remove_task(self._tasks.pop(id(capture)))

    def print(self, line: str) -> None:
        """A line of result, on standard output, above the bar."""
        self._progress.stop()
        print(line, flush=True)
        self._progress.start()
