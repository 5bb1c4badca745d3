"""One SSH connection to the collector's SFTP server, and what is done over it; every call blocks, none for ever.

Host keys are checked against a known_hosts file and nothing is trusted silently. Writes are pipelined by hand, since
paramiko's own pipelining forgets the errors of writes.
"""

from __future__ import annotations

import errno
import stat
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import join
from typing import Any

import paramiko
from paramiko.sftp import CMD_EXTENDED, CMD_EXTENDED_REPLY, CMD_STATUS, CMD_WRITE, int64

from hayrick_common import dropped
from hayrick_common.chunk import Manifest
from hayrick_common.clock import steady_ms
from hayrick_common.errors import ConfigError
from hayrick_common.files import PART_SUFFIX
from hayrick_common.pace import Pace
from hayrick_sensor.config import Place

DEADLINE_SECONDS = 20.0
WRITE_BYTES = 32_000  # what every server takes at once; OpenSSH's says that it takes more
WRITE_MOST = 128 << 10  # larger ones are copied more often on their way into packets than they save
WRITE_LEAST = 4_000  # on a line so slow that one of these takes seconds
UNANSWERED_BYTES = 4 << 20
TURN_SECONDS = 3.0  # then something else has its turn
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")


class HostKeyError(ConfigError):
    """The server did not prove to be the one that the operator knows."""


@dataclass
class Acks:
    """The pipelined writes that wait for their answers, in order; the first error there was."""

    client: Any
    pace: Pace
    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    under_way: int = 0
    error: Exception | None = None

    def sent(self, size: int) -> None:
        """One more write went."""
        self.waiting.append((size, steady_ms()))
        self.under_way += size

    def _async_response(self, kind: int, message: Any, number: int) -> None:
        """Called by paramiko's client for each answer."""
        size, sent_ms = self.waiting.popleft()
        self.under_way -= size
        self.pace.came(size, sent_ms, steady_ms())
        try:
            if kind == CMD_STATUS:
                self.client._convert_status(message)  # noqa: SLF001 - nothing public pipelines and keeps errors
        except (OSError, EOFError) as error:
            self.error = self.error or error

    def settle(self, *, wholly: bool) -> None:
        """Read answers until there is room for another write, or until none is missing; raises the first error."""
        while self.under_way and (wholly or not self.pace.room(self.under_way)):
            self.client._read_response()  # noqa: SLF001
        if self.error:
            raise self.error


@dataclass
class Upload:
    """The chunk on its way: `there` bytes lay on the server before, of them the first `sure` as they must be;
    `at` bytes have been sent or found so."""

    manifest: Manifest
    name: str
    file: Any
    there: int
    acks: Acks = field(repr=False)
    sure: int = 0
    at: int = 0

    @property
    def known(self) -> int:
        """Bytes that certainly are on the server."""
        return self.sure if self.acks.error else max(self.sure, self.at - self.acks.under_way)


def new_pace() -> Pace:
    """What is thought of a line before anything is known."""
    return Pace(WRITE_LEAST, UNANSWERED_BYTES, WRITE_BYTES, credit=4 * WRITE_BYTES)


def connect(place: Place, key_file: Path, known_hosts: Path) -> paramiko.SSHClient:
    """An authenticated connection; HostKeyError, or OSError and SSHException as they come."""
    client = paramiko.SSHClient()
    name = place.host if place.port == 22 else f"[{place.host}]:{place.port}"
    try:
        client.load_host_keys(str(known_hosts))
    except FileNotFoundError as error:
        raise HostKeyError(f"{known_hosts} is not there; {_how_to_know(place, known_hosts)}") from error
    if client.get_host_keys().lookup(name) is None:
        raise HostKeyError(f"the host key of {name} is not in {known_hosts}; {_how_to_know(place, known_hosts)}")
    try:
        client.connect(
            place.host, place.port, place.user, key_filename=str(key_file), timeout=DEADLINE_SECONDS,
            banner_timeout=DEADLINE_SECONDS, auth_timeout=DEADLINE_SECONDS, allow_agent=False, look_for_keys=False,
            transport_factory=_transport,
        )  # fmt: skip
    except paramiko.BadHostKeyException as error:
        client.close()
        reason = f"the host key of {name} is not the one in {known_hosts}: another server, or somebody in between; "
        raise HostKeyError(f"{reason}if it was changed on purpose: ssh-keygen -f {known_hosts} -R '{name}', then "
                           f"{_how_to_know(place, known_hosts)}") from error  # fmt: skip
    except BaseException:
        client.close()
        raise
    return client


def _how_to_know(place: Place, known_hosts: Path) -> str:
    return f"run: ssh-keyscan -p {place.port} {place.host} >> {known_hosts}, and compare it with the key on the server"


def _transport(*arguments: Any, **options: Any) -> paramiko.Transport:
    transport = paramiko.Transport(*arguments, **options)
    transport.get_security_options().ciphers = CIPHERS  # paramiko prefers slower ones
    transport.set_keepalive(10)
    return transport


class Session:
    """The sensor's folder on the server. Not for two threads at once, except `close`."""

    def __init__(self, place: Place, key_file: Path, known_hosts: Path, pace: Pace) -> None:
        self._root = place.path
        self._pace = pace
        self._ssh = connect(place, key_file, known_hosts)
        try:
            self._client = self._ssh.open_sftp()
            self._client.get_channel().settimeout(DEADLINE_SECONDS)
            self._client.stat(self._root)
            self._pace.piece_most = self._limit()
        except BaseException:
            self._ssh.close()
            raise

    def close(self) -> None:
        """Cut the connection; a call that waits on it fails."""
        self._ssh.close()

    def receipt(self, key: str) -> dropped.Receipt | None:
        """What the collector has said of the chunk."""
        data = self._read(join(self._root, dropped.RECEIPTS, dropped.note_name(key)))
        try:
            return dropped.decode_receipt(data, key) if data else None
        except ValueError:
            return None

    def forget_receipt(self, key: str) -> None:
        """Take away a refusal, so that the next try counts; where this account may not, the refusal stands."""
        with suppress(FileNotFoundError, PermissionError):
            self._client.remove(join(self._root, dropped.RECEIPTS, dropped.note_name(key)))

    def committed(self, manifest: Manifest) -> bool:
        """Whether the chunk lies there whole, for the collector to take."""
        data = self._read(join(self._root, dropped.note_name(manifest.key)))
        try:
            stored = dropped.decode_delivery(data, manifest.chunk.sensor).stored if data else None
        except ValueError:
            return False
        return stored is not None and self._size(self._final(manifest)) == stored

    def open(self, manifest: Manifest, sure: int = 0) -> Upload:
        """Begin or go on with the hidden file, of which this process has written and seen answered `sure` bytes."""
        name = self._hidden(dropped.chunk_name(manifest, dropped.ZSTD))
        there = self._size(name)
        file = self._client.open(name, "w+" if there is None else "r+")
        acks = Acks(self._client, self._pace)
        return Upload(manifest, name, file, there or 0, acks, sure if sure <= (there or 0) else 0)

    def place(self, upload: Upload, body: bytes) -> tuple[int, int]:
        """Add the bytes unless they are there; from the first that differ on all is written anew.

        On a slow line that ends after some seconds. Returns how many were dealt with, and how many of them written.
        """
        ends, done, written = time.monotonic() + TURN_SECONDS, 0, 0
        while done < len(body) and (not done or time.monotonic() < ends):
            piece = self._found(upload, body, done) if upload.at < upload.there else 0
            if not piece:
                piece = self._write_piece(upload, body[done : done + self._pace.piece])
                written += piece
            done += piece
            upload.at += piece
        return done, written

    def _write_piece(self, upload: Upload, piece: bytes) -> int:
        upload.acks.settle(wholly=False)
        where = int64(upload.at)
        self._client._async_request(upload.acks, CMD_WRITE, upload.file.handle, where, piece)  # noqa: SLF001
        upload.acks.sent(len(piece))
        return len(piece)

    def _found(self, upload: Upload, body: bytes, start: int) -> int:
        """How many bytes of the body from `start` on lie there; at 0, all that does is cut off."""
        if upload.at < upload.sure:
            return min(len(body) - start, upload.sure - upload.at)
        length = min(len(body) - start, upload.there - upload.at, self._pace.credit)
        began = steady_ms()
        found = b"".join(upload.file.readv([(upload.at, length)]))
        if found == body[start : start + length]:
            self._pace.came(length, began, steady_ms())
            return length
        upload.file.truncate(upload.at)
        upload.there = upload.at
        return 0

    def commit(self, upload: Upload) -> None:
        """Sync the file where the server can, write the manifest, give the file its name."""
        upload.acks.settle(wholly=True)
        if upload.there > upload.at:
            upload.file.truncate(upload.at)
        size = upload.file.stat().st_size
        if size != upload.at:
            raise OSError(errno.EIO, f"the server holds {size} bytes of {upload.at}")
        self._sync(upload.file)
        upload.file.close()
        delivery = dropped.Delivery(upload.manifest, dropped.ZSTD, upload.at)
        self._write(dropped.note_name(upload.manifest.key), dropped.encode_delivery(delivery))
        self._client.posix_rename(upload.name, self._final(upload.manifest))

    def discard(self, upload: Upload) -> None:
        """Give the chunk up: the hidden file goes."""
        upload.file.close()
        self._client.remove(upload.name)

    def report(self, data: bytes) -> int:
        """Replace the status file; returns when that was by the server's clock, whole seconds as epoch ms."""
        self._write(dropped.STATUS, data)
        return int(self._client.stat(join(self._root, dropped.STATUS)).st_mtime or 0) * 1000

    def _final(self, manifest: Manifest) -> str:
        return join(self._root, dropped.chunk_name(manifest, dropped.ZSTD))

    def _hidden(self, name: str) -> str:
        return join(self._root, f".{name}{PART_SUFFIX}")

    def _size(self, name: str) -> int | None:
        try:
            found: paramiko.SFTPAttributes = self._client.lstat(name)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode or 0):
            raise OSError(errno.EINVAL, f"{name} on the server is no file")
        return int(found.st_size or 0)

    def _read(self, name: str) -> bytes:
        try:
            with self._client.open(name, "r") as file:
                return bytes(file.read(dropped.TEXT_MAX_BYTES))
        except FileNotFoundError:
            return b""

    def _write(self, name: str, data: bytes) -> None:
        with self._client.open(self._hidden(name), "w") as file:
            file.write(data)
            file.flush()
            self._sync(file)
        self._client.posix_rename(self._hidden(name), join(self._root, name))

    def _limit(self) -> int:
        """How much may be written at once: fewer, larger writes have fewer answers to wait for and to decrypt."""
        try:
            kind, answer = self._client._request(CMD_EXTENDED, "limits@openssh.com")  # noqa: SLF001
        except OSError:
            return WRITE_BYTES
        if kind != CMD_EXTENDED_REPLY:
            return WRITE_BYTES
        _packet, _read, write = (answer.get_int64() for _ in range(3))
        return min(max(int(write), WRITE_BYTES), WRITE_MOST)

    def _sync(self, file: Any) -> None:
        try:
            self._client._request(CMD_EXTENDED, "fsync@openssh.com", file.handle)  # noqa: SLF001
        except OSError as error:
            if "unsupported" not in str(error).lower():
                raise
