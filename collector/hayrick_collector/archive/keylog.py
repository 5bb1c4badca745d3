"""A chunk's TLS secrets beside its packets: `FILE.keys`, a key log closed to other users, sealed where the archive is.

They are given by who brings the capture, or by the capture itself; indexing leaves those of sessions that are in it.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import hayrick_decode
from hayrick_collector.archive.container import SEALED_SUFFIX, Form, truncated, with_suffix
from hayrick_collector.archive.keyring import KeyRing
from hayrick_collector.archive.reader import FrameFile, open_file
from hayrick_common.files import commit_rename, part_path, remove, sync_folder

MOST_KEY_LOG = 64 << 20  # bytes that are taken at once
_SUFFIX = ".keys"


def forms(stored: Path) -> tuple[Path, Path]:
    """Where the secrets of a stored file lie: in the clear, or sealed."""
    plain = Path(f"{with_suffix(stored, '')}{_SUFFIX}")
    return plain, with_suffix(plain, SEALED_SUFFIX)


def read(stored: Path, keys: KeyRing | None) -> bytes:
    """The secrets of a stored file, empty when it has none. Raises ArchiveError or KeyFileError as reading packets."""
    try:
        with open_file(forms(stored)[0], keys) as file:
            return file.read()
    except FileNotFoundError:
        return b""


def write(stored: Path, text: bytes, form: Form) -> None:
    """Make these the secrets of a stored file, whole or not at all; none of them removes the file."""
    plain, sealed = forms(stored)
    final, other = (sealed, plain) if form.keys else (plain, sealed)
    if text:
        _write(final, text, Form(0, form.keys))
    for each in (other,) if text else (other, final):
        remove(each)
    sync_folder(stored.parent)


def add(stored: Path, text: bytes, form: Form) -> None:
    """Add the lines of a key log to the secrets of a stored file. Raises ValueError when it is none, or there are more
    secrets than the decoder takes: nothing is kept then that a chunk could not be indexed with."""
    known = read(stored, form.keys)
    lines = dict.fromkeys(line.strip() for line in (known + b"\n" + text).splitlines())
    joined = b"".join(line + b"\n" for line in lines if line)
    for each in (text, joined):
        hayrick_decode.opened([], each)
    write(stored, joined, form)


class Given:
    """The secrets of a stored file as they are when its indexing begins."""

    def __init__(self, stored: Path, form: Form) -> None:
        self._stored = stored
        self._form = form
        self.text = read(stored, form.keys)

    def settle(self, found: bytes) -> bool:
        """Leave those that were `found` to belong to it. False when others came meanwhile: to be indexed again."""
        if read(self._stored, self._form.keys) != self.text:
            return False
        if found != self.text:
            write(self._stored, found, self._form)
        return True


def rewrap(stored: Path, form: Form) -> bool:
    """Bring the secrets into the form of the settings, under the newest key; whether there was something to do."""
    text = read(stored, form.keys)
    newest = form.keys.newest()[0] if form.keys else None
    if not text or _sealed_by(stored, form.keys) == newest:
        return False
    write(stored, text, form)
    return True


def _sealed_by(stored: Path, keys: KeyRing | None) -> str | None:
    with open_file(forms(stored)[0], keys) as file:
        return file.key_name if isinstance(file, FrameFile) else None


def _write(final: Path, text: bytes, form: Form) -> None:
    # A name of its own: a collector and its worker may write at once.
    hidden = part_path(final.with_name(f"{final.name}.{uuid.uuid4().hex}"))
    try:
        with truncated(hidden) as file:
            os.fchmod(file.fileno(), 0o600)
            writer = form.writer(file)
            writer.resume(len, 0)
            writer.write(text)
            writer.finish()
        commit_rename(hidden, final)
    except BaseException:
        remove(hidden)
        raise
