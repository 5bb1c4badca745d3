"""The archive's key file: one key a line, `NAME HEX`; the last one seals what is new, all open what there is.

It is read again when it changes, so that a rotation needs no restart. Nothing else keeps a key.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path

from hayrick_common.errors import KeyFileError
from hayrick_common.files import make_folder, write_file
from hayrick_common.keys import check_private

KEY_BYTES = 32
LONGEST_NAME = 16
_LINE = re.compile(rf"([A-Za-z0-9_-]{{1,{LONGEST_NAME}}}) ([0-9a-f]{{{2 * KEY_BYTES}}})")
_TITLE = "# Keys of a Hayrick archive: the last one seals new files. Without this file sealed packets are lost.\n"
_LARGEST = 1 << 20


class KeyRing:
    """The keys of one file. Raises KeyFileError when it is absent, malformed or readable by others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] = ()
        self._keys: dict[str, bytes] = {}

    def newest(self) -> tuple[str, bytes]:
        """Name and bytes of the key that seals."""
        self._read()
        name = next(reversed(self._keys))
        return name, self._keys[name]

    def get(self, name: str) -> bytes | None:
        """The key of that name."""
        self._read()
        return self._keys.get(name)

    def names(self) -> list[str]:
        """All keys' names, the newest last."""
        self._read()
        return list(self._keys)

    def _read(self) -> None:
        try:
            stat = self.path.stat()
        except OSError as error:
            raise KeyFileError(f"{self.path}: {error.strerror}; `hayrick archive rotate-key` makes one") from error
        stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size, stat.st_mode)
        if stamp != self._stamp:
            check_private(self.path)
            self._keys = _parse(self.path)
            self._stamp = stamp


def add_key(path: Path) -> str:
    """Add a new key to the file, made if absent; what it seals depends on the file from now on. Returns its name."""
    known = _parse(path) if path.exists() else {}
    if known:
        check_private(path)
    name = f"{time.strftime('%Y%m%d', time.gmtime())}-{secrets.token_hex(3)}"
    keys = {**known, name: secrets.token_bytes(KEY_BYTES)}
    make_folder(path.parent.absolute(), 0o700)
    write_file(path, (_TITLE + "".join(f"{each} {key.hex()}\n" for each, key in keys.items())).encode(), 0o600)
    return name


def _parse(path: Path) -> dict[str, bytes]:
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode("ascii", "replace")
    except OSError as error:
        raise KeyFileError(f"{path}: {os.strerror(error.errno or 0)}") from error
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if not found:
            raise KeyFileError(f"{path}: line {number} is not `NAME HEX` with {2 * KEY_BYTES} hex digits")
        if found[1] in keys:
            raise KeyFileError(f"{path}: line {number}: a second key named {found[1]}")
        keys[found[1]] = bytes.fromhex(found[2])
    if not keys:
        raise KeyFileError(f"{path}: holds no key; `hayrick archive rotate-key` adds one")
    return keys
