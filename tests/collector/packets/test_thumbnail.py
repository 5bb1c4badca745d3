"""Images found in packets become small PNGs of their pixels, by a process without any reach; hostile ones do not."""

from __future__ import annotations

import asyncio
import io
import struct
import subprocess
import sys
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.web.traffic import HTML, PNG, SVG

from hayrick_collector.packets import thumbnail as making
from hayrick_collector.packets.files import File, kind_of
from hayrick_collector.packets.thumbnail import FORMATS, NoThumbnailError, possible, thumbnail
from hayrick_collector.packets.thumbnailer import SIDE

SECRET = b"hidden in the image"


def image(kind: str = "PNG", size: tuple[int, int] = (640, 320), colour: str = "teal") -> bytes:
    out = io.BytesIO()
    text = PngInfo()
    text.add_text("Comment", SECRET.decode())
    Image.new("RGB", size, colour).save(out, kind, pnginfo=text, icc_profile=SECRET)
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of a few kilobytes that would be 3.6 gigabytes of pixels."""
    side = 30_000
    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    body = zlib.compress(bytes(4 << 20), 9)
    chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    packed = (struct.pack(">I", len(each)) + name + each + struct.pack(">I", zlib.crc32(name + each))
              for name, each in chunks)  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def file(data: bytes, kind: str = "") -> File:
    return File(1, "picture", kind or kind_of(data), "", True, (), data)


def made(data: bytes, kind: str = "") -> bytes:
    return asyncio.run(thumbnail(file(data, kind)))


@pytest.mark.parametrize("kind", sorted(FORMATS.values()))
def test_an_image_becomes_a_small_png_of_its_pixels_alone(kind: str) -> None:
    polyglot = image(kind) + b"\0" + HTML.encode() + SECRET
    answer = made(polyglot)
    with Image.open(io.BytesIO(answer), formats=("PNG",)) as small:
        assert (small.size, small.mode, small.info) == ((SIDE, SIDE // 2), "RGBA", {})
        shown = small.getpixel((10, 10))
        assert isinstance(shown, tuple)
        assert all(abs(one - other) < 8 for one, other in zip(shown, (0, 128, 128, 255), strict=True))
    assert SECRET not in answer
    assert b"script" not in answer


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (image()[:-40], "", "failed"),
        (image("JPEG")[: len(image("JPEG")) // 2], "", "failed"),
        (PNG, "", "failed"),
        (b"GIF89a" + HTML.encode(), "", "failed"),
        (bomb(), "", "too many"),
        (image("GIF"), "image/png", "failed"),  # read as what it begins like, or not at all
        (SVG, "", "not a whole PNG"),
        (SVG, "image/png", "failed"),
        (b"", "image/webp", "failed"),
    ],
    ids=["cut", "half", "noise", "markup", "bomb", "other", "svg", "svg-as-png", "empty"],
)
def test_a_hostile_image_has_no_thumbnail(data: bytes, kind: str, said: str) -> None:
    with pytest.raises(NoThumbnailError, match=said):
        made(data, kind)


def test_decoding_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "SECONDS", 0.0)
    with pytest.raises(NoThumbnailError, match="longer than"):
        made(image())


def test_what_is_not_whole_or_too_large_is_not_tried() -> None:
    assert possible(file(image()))
    assert not possible(File(1, "picture", "image/png", "", False, (), image()))
    assert not possible(file(image() + bytes(making.MOST_BYTES)))


def test_the_decoder_is_nobody_and_opens_nothing() -> None:
    """The first thing that it would decode is replaced by code of an attacker's."""
    tell = """
import os, socket, subprocess, sys
from hayrick_collector.packets import thumbnailer
real = thumbnailer.picture
def taken(data, kind):
    if data != b"now":
        return real(data, kind)
    tried = []
    for each in (lambda: open("/etc/passwd"), socket.socket, lambda: os.pipe(), lambda: bytearray(1 << 30), os.fork):
        try:
            each()
            tried.append("done")
        except (OSError, MemoryError) as error:
            tried.append(type(error).__name__)
    return f"{os.getuid()} {tried}".encode()
thumbnailer.picture = taken
sys.argv[1:] = ["PNG"]
sys.exit(thumbnailer.main())
"""
    done = subprocess.run([sys.executable, "-c", tell], input=b"now", capture_output=True, timeout=60, check=True)
    user, _, tried = done.stdout.decode().partition(" ")
    assert user == "65534"
    assert tried == "['OSError', 'OSError', 'OSError', 'MemoryError', 'BlockingIOError']"
