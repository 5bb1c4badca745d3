"""CURVE key files: one z85 key a file, the secret one for its owner's eyes only."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hayrick_common.errors import KeyFileError
from hayrick_common.files import make_folder, write_file

Z85 = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
PUBLIC_SUFFIX = ".public"
SECRET_SUFFIX = ".secret"


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair as z85 text; repr hides the secret."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"


def check_key(text: str, where: str) -> str:
    """Return the z85 key in `text`, else raise KeyFileError naming `where`."""
    key = text.strip()
    if not Z85.fullmatch(key):
        raise KeyFileError(f"{where}: not a CURVE key (40 characters of z85 expected)")
    return key


def read_public(path: Path) -> str:
    """The public key in `path`."""
    return check_key(_read(path), str(path))


def read_secret(path: Path) -> str:
    """The secret key in `path`; refused when group or others may read it."""
    key = check_key(_read(path), str(path))
    check_private(path)
    return key


def check_private(path: Path) -> None:
    """Raise KeyFileError unless the secret key in `path` is there, and for its owner's eyes only."""
    _read(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyFileError(f"{path}: mode {mode:04o} lets others read this secret key; run: chmod 600 {path}")


def read_pair(folder: Path, name: str) -> KeyPair:
    """Both keys called `name` in `folder`."""
    return KeyPair(read_public(folder / (name + PUBLIC_SUFFIX)), read_secret(folder / (name + SECRET_SUFFIX)))


def write_pair(folder: Path, name: str, pair: KeyPair) -> None:
    """Write NAME.secret (0600) and NAME.public (0644); never over an existing secret."""
    secret = folder / (name + SECRET_SUFFIX)
    if secret.exists():
        raise KeyFileError(f"{secret}: exists already; move it away to make a new key")
    make_folder(folder)
    write_file(folder / (name + PUBLIC_SUFFIX), pair.public.encode() + b"\n", 0o644)
    write_file(secret, pair.secret.encode() + b"\n", 0o600)


def read_allowed(folder: Path) -> dict[str, str]:
    """Allow-list: public key -> sensor name, from every NAME.public in `folder`; a bad file is left out.

    A half-written or foreign file must not lock out the sensors whose files are good.
    """
    allowed: dict[str, str] = {}
    for path in sorted(folder.glob("*" + PUBLIC_SUFFIX)):
        with suppress(KeyFileError):
            allowed[read_public(path)] = path.name[: -len(PUBLIC_SUFFIX)]
    return allowed


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(4096).decode("ascii", "replace")
    except OSError as error:
        raise KeyFileError(f"{path}: {os.strerror(error.errno or 0)}") from error
