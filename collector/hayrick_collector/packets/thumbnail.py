"""A small picture of an image that was found in packets, made anew from its pixels by a process that can reach nothing.

The image may be made to break whatever reads it: it is decoded in that process alone, by the one format that its bytes
begin like, up to bounds of size, pixels, time and memory. What comes back is a PNG of ours, with pixels in it and
nothing else. Drawings that are programs, SVG first of all, have no thumbnails.
"""

from __future__ import annotations

import asyncio
import os
import sys

from hayrick_collector.packets.confined import ConfinedError, answer
from hayrick_collector.packets.files import File

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
MOST_BYTES = 16 << 20
MOST_ANSWER = 1 << 20
SECONDS = 10.0
_AT_ONCE = asyncio.Semaphore(2)


class NoThumbnailError(ConfinedError):
    """The file is no image that is read here, or it is one that cannot or must not be read."""


def possible(file: File) -> bool:
    """Whether it is worth the attempt."""
    return file.whole and file.kind in FORMATS and len(file.data) <= MOST_BYTES


async def thumbnail(file: File) -> bytes:
    """A PNG of the file. Raises NoThumbnailError."""
    if not possible(file):
        raise NoThumbnailError("no thumbnail: not a whole PNG, JPEG, GIF or WebP image of a size that is read")
    command = [sys.executable, "-m", "hayrick_collector.packets.thumbnailer", FORMATS[file.kind]]
    try:
        async with _AT_ONCE:
            return await answer(
                "no thumbnail: the decoder", command, file.data,
                seconds=SECONDS, most=MOST_ANSWER, environment=os.environ,
            )  # fmt: skip
    except ConfinedError as error:
        raise NoThumbnailError(str(error)) from error
