"""The other side of `process.py`: a process that does one job a line of standard input, until that ends.

Jobs and answers are JSON. An answer is `done`, `failed` (`final`: another attempt would end the same) or `put_off`;
before it may come any number of `progress` and `waiting`. The settings are the process's first argument.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import IO, Any, TypeAlias

from hayrick_collector.config import CollectorConfig

_PR_SET_PDEATHSIG = 1
Say: TypeAlias = Callable[[dict[str, Any]], None]
Attempt: TypeAlias = Callable[[dict[str, Any], Say], dict[str, Any]]
"""Does a job, and returns its answer: whatever goes wrong is in it. What comes before it is said."""


def serve(prepare: Callable[[CollectorConfig], Attempt]) -> int:
    """Serve jobs by what `prepare` makes of the settings; the process's exit code."""
    _die_with_parent()
    answers = _private_output()
    attempt = prepare(CollectorConfig.from_dict(json.loads(sys.argv[1])))

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    for line in sys.stdin:
        say(attempt(json.loads(line), say))
    return 0


def _die_with_parent() -> None:
    """A killed collector leaves no worker writing behind the back of the next one."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle


def _private_output() -> IO[str]:
    """Standard output for answers only: whatever a library prints goes to standard error instead."""
    private = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(private, "w", encoding="utf-8")
