"""The sealed container: each frame encrypted and authenticated by AES-256-GCM under a key of the file's own.

The file's key is derived (HKDF-SHA256) from one of the key file and a random salt, so no frame opens in another file.
A frame is bound to its number and its offset, the index to its place: nothing can be moved, left out or cut off unseen.
Nonces are random, 96 bits under a key that seals one file: a write that is cut and repeated never uses one again.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hayrick_collector.archive.keyring import LONGEST_NAME, KeyRing
from hayrick_collector.archive.zstdframes import LARGEST_FRAME, LARGEST_STORED
from hayrick_common.errors import KeyFileError

MAGIC = b"HAYSEAL\x01"  # the last byte is the format's version
PLAIN, ZSTD, INDEX = 0, 1, 2  # what a frame holds
_HEADER = struct.Struct(f"<8s{LONGEST_NAME}s32s")
_HEAD = struct.Struct("<IIB12s")  # sealed bytes that follow, bytes they stand for, what they are, nonce
_PLACE = struct.Struct("<QQ")  # a frame's number and the offset of its first byte in the whole
_ENTRY = struct.Struct("<II")
_FOOTER = struct.Struct("<QI4s")
_END = b"HAYE"
_TAG = 16
HEADER_BYTES, HEAD_BYTES, FOOTER_BYTES = _HEADER.size, _HEAD.size, _FOOTER.size


@dataclass(frozen=True, slots=True)
class Head:
    """A frame's head as it stands in the file; `length` counts the sealed bytes that follow it."""

    raw: bytes
    length: int
    plain: int
    kind: int
    nonce: bytes


class Seal:
    """Seals and opens the frames of one file; `header` is what the file begins with. Raises ValueError for damage."""

    def __init__(self, header: bytes, key: bytes) -> None:
        self.header = header
        self.key_name = _key_name(header)
        derived = HKDF(SHA256(), 32, salt=header[-32:], info=b"hayrick archive" + header[:-32]).derive(key)
        self._cipher = AESGCM(derived)

    @classmethod
    def new(cls, keys: KeyRing) -> Seal:
        """For a new file, under the newest key."""
        name, key = keys.newest()
        return cls(_HEADER.pack(MAGIC, name.encode(), os.urandom(32)), key)

    @classmethod
    def of(cls, header: bytes, keys: KeyRing | None) -> Seal:
        """For a file that begins so. Raises KeyFileError when its key is not at hand."""
        if len(header) < HEADER_BYTES or header[:7] != MAGIC[:7]:
            raise ValueError("is no sealed file, or damaged in bytes 0 to 7")
        if header[7] != MAGIC[7]:
            raise ValueError(f"is sealed in format {header[7]}, and this Hayrick knows {MAGIC[7]} (byte 7)")
        name = _key_name(header)
        if keys is None:
            raise KeyFileError(f"is sealed with the key {name}, and archive.key_file names no key file")
        key = keys.get(name)
        if key is None:
            raise KeyFileError(f"is sealed with the key {name} (bytes 8 to 23), which is not in {keys.path}")
        return cls(header, key)

    def frame(self, number: int, offset: int, plain: int, kind: int, data: bytes) -> bytes:
        """A whole frame: `data` stands for `plain` bytes at `offset`, as they are or as one zstd frame (`kind`)."""
        return self._sealed(data, plain, kind, _PLACE.pack(number, offset))

    def index(self, frames: list[tuple[int, int]], at: int) -> bytes:
        """What closes a file whose frames end at `at`; of each frame its stored and its uncompressed length."""
        entries = b"".join(_ENTRY.pack(*each) for each in frames)
        footer = _FOOTER.pack(at, len(frames), _END)
        return self._sealed(entries, 0, INDEX, footer) + footer

    def open(self, head: Head, body: bytes, number: int, offset: int) -> bytes:
        """The bytes within a frame. Raises ValueError when they are not what was sealed at this place of this file."""
        return self._opened(head, body, _PLACE.pack(number, offset))

    def open_index(self, index: bytes, footer: bytes) -> list[tuple[int, int]]:
        """Stored and uncompressed length of each frame, as `index` sealed them."""
        at, count, _ = _FOOTER.unpack(footer)
        entries = self._opened(read_head(index), index[HEAD_BYTES:], footer)
        frames = [(each[0], each[1]) for each in _ENTRY.iter_unpack(entries)]
        if len(frames) != count or HEADER_BYTES + sum(stored for stored, _ in frames) != at:
            raise ValueError("its index does not fit its length")
        return frames

    def _sealed(self, data: bytes, plain: int, kind: int, place: bytes) -> bytes:
        nonce = os.urandom(12)
        head = _HEAD.pack(len(data) + _TAG, plain, kind, nonce)
        return head + self._cipher.encrypt(nonce, data, head + place)

    def _opened(self, head: Head, body: bytes, place: bytes) -> bytes:
        if len(body) != head.length:
            raise ValueError("is cut short or damaged")
        try:
            return self._cipher.decrypt(head.nonce, body, head.raw + place)
        except InvalidTag:
            raise ValueError("is not what was sealed at this place of this file") from None


def read_head(data: bytes) -> Head:
    """The head of a frame. Raises ValueError when it is none."""
    if len(data) < HEAD_BYTES:
        raise ValueError("is cut short")
    length, plain, kind, nonce = _HEAD.unpack_from(data)
    bounded = kind == INDEX or (kind in (PLAIN, ZSTD) and plain <= LARGEST_FRAME and length <= LARGEST_STORED)
    if length < _TAG or not bounded:
        raise ValueError("has a damaged head")
    return Head(data[:HEAD_BYTES], length, plain, kind, nonce)


def index_place(footer: bytes, size: int) -> int:
    """Where the index of a file of `size` begins, by the file's last bytes. Raises ValueError when it cannot be."""
    at, count, end = _FOOTER.unpack(footer)
    if end != _END:
        raise ValueError("is cut short, or damaged in its last bytes")
    if at < HEADER_BYTES or at + HEAD_BYTES + count * _ENTRY.size + _TAG + FOOTER_BYTES != size:
        raise ValueError("has an index that does not fit its length")
    return int(at)


def _key_name(header: bytes) -> str:
    name: bytes = _HEADER.unpack(header)[1]
    return name.rstrip(b"\0").decode("ascii", "backslashreplace")
