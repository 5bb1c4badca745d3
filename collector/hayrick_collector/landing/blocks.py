"""Blocks as they come over the wire, uncompressed within bounds: a sensor may be anybody's by now."""

from __future__ import annotations

from dataclasses import replace

from hayrick_collector.archive.container import decompressed
from hayrick_collector.archive.zstdframes import is_standalone, plain_length
from hayrick_common import wire
from hayrick_common.errors import WireError


def unpacked(message: wire.Message) -> tuple[wire.Message, bytes | None]:
    """The message with its body uncompressed, and the zstd frame that it came in, if it did.

    Raises WireError for a frame that is damaged, more than one, or says that it holds more than a block may.
    """
    if not isinstance(message, (wire.Block, wire.Pulled)) or message.encoding == wire.RAW:
        return message, None
    frame = message.body
    return replace(message, encoding=wire.RAW, body=_plain(frame)), frame


def _plain(frame: bytes) -> bytes:
    try:
        size = plain_length(frame)
        if not 0 < size <= wire.BODY_MAX_BYTES or not is_standalone(frame, size):
            raise WireError("block: not one zstd frame of at most a block's bytes")
        return decompressed(frame, size)
    except ValueError as error:
        raise WireError(f"block: {error}") from error
