"""This machine, where the collector often is, as a connection like any other."""

from __future__ import annotations

import os
import subprocess

from hayrick_common.errors import HayrickError
from hayrick_deploy.connection import Done


class LocalConnection:
    """Commands run here; as root only where we are root."""

    def run(self, command: str, *, stdin: bytes = b"", root: bool = False, seconds: float = 120) -> Done:
        """Run a shell command."""
        as_root = ["sudo", "-n"] if root and os.geteuid() != 0 else []
        try:
            done = subprocess.run(
                [*as_root, "sh", "-c", command], input=stdin, capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise HayrickError(f"it did not end within {seconds:.0f} s") from error
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def close(self) -> None:
        """Nothing to let go of."""
