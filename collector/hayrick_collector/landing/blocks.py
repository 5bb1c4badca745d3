"""Blocks as they come over the wire, uncompressed within bounds: a sensor may be anybody's by now."""

from __future__ import annotations

from dataclasses import replace

import zstandard

from hayrick_collector.archive.zstdframes import is_standalone, plain_length
from hayrick_common import wire
from hayrick_common.errors import WireError

WINDOW_MAX = 8 << 20
_unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX)


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
        data: bytes = _unpacker.decompress(frame)  # fills a buffer of the promised size, or fails
    except (ValueError, zstandard.ZstdError) as error:
        raise WireError(f"block: {error}") from error
    if len(data) != size:
        raise WireError("block: its zstd frame holds another size than it says")
    return data
