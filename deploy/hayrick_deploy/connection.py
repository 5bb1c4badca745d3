"""What operations need of a host, however it is reached: run a command, put a file."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Protocol

from hayrick_common.errors import HayrickError


@dataclass(frozen=True)
class Done:
    """How a command ended; `out` and `err` are text, cut at a megabyte each."""

    code: int
    out: str
    err: str

    @property
    def problem(self) -> str:
        """Its last words, one line."""
        lines = [each.strip() for each in (self.err or self.out).splitlines() if each.strip()]
        return lines[-1][:300] if lines else f"exit status {self.code}"


class Connection(Protocol):
    """One host."""

    def run(self, command: str, *, stdin: bytes = b"", root: bool = False, seconds: float = 120) -> Done:
        """Run a shell command, as root if asked; HayrickError when the host is lost or the time is over."""

    def close(self) -> None:
        """Let go of it."""


class UnreachableError(HayrickError):
    """A host does not answer, or does not let us in; nothing was changed there."""

    exit_code = 69


def must(connection: Connection, command: str, *, stdin: bytes = b"", seconds: float = 120) -> str:
    """Run a command as root that has to work; what it printed."""
    done = connection.run(command, stdin=stdin, root=True, seconds=seconds)
    if done.code:
        raise HayrickError(f"`{command.strip().splitlines()[0][:100]}` failed: {done.problem}")
    return done.out


def put(connection: Connection, path: str, data: bytes, mode: int) -> None:
    """Write a file whole or not at all: hidden, synced, then named. Whoever owns its folder owns it."""
    folder, _, name = path.rpartition("/")
    hidden, owner = shlex.quote(f"{folder}/.{name}.part"), f"--reference={shlex.quote(folder)}"
    must(
        connection,
        f"umask 077 && cat > {hidden} && chown {owner} {hidden} && chmod {mode:04o} {hidden} && "
        f"sync {hidden} && mv -f {hidden} {shlex.quote(path)}",
        stdin=data,
        seconds=60 + len(data) / 100_000,
    )
