"""Runs as a process of its own: an image on standard input, a small PNG of it on standard output.

    python -m hayrick_collector.packets.thumbnailer PNG|JPEG|GIF|WEBP

All code is loaded first, by a rehearsal; then it opens no file, starts no process and has no network any more, and
only then reads.
"""

from __future__ import annotations

import io
import resource
import sys

from PIL import Image, MpoImagePlugin, WebPImagePlugin

from hayrick_collector.packets import launch

SIDE = 160
MOST_PIXELS = 32_000_000
CPU_SECONDS = 5
MEMORY = 768 << 20
_LAZY = (MpoImagePlugin, WebPImagePlugin)  # Pillow loads them when an image asks for it


def picture(data: bytes, kind: str) -> bytes:
    """A PNG with the pixels of the first frame, made smaller, and nothing else of the image."""
    with Image.open(io.BytesIO(data), formats=(kind,)) as image:
        image.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG need not be unpacked whole
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels are too many")
        small = image.convert("RGBA")
    small.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    Image.frombytes("RGBA", small.size, small.tobytes()).save(out, "PNG")
    return out.getvalue()


def _rehearse(kind: str) -> None:
    """Make a picture of an image of our own, so that all code is loaded which that takes."""
    ours = io.BytesIO()
    Image.new("RGB", (2, 2)).convert("P" if kind == "GIF" else "RGB").save(ours, kind)
    picture(ours.getvalue(), kind)


def main() -> int:
    """Whatever is wrong with the image ends in one line and a code."""
    _rehearse(sys.argv[1])
    Image.MAX_IMAGE_PIXELS = None  # ours is told apart, after JPEG's own reduction
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    launch.confine(CPU_SECONDS, MEMORY, files=3)
    try:
        made = picture(sys.stdin.buffer.read(), sys.argv[1])
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything over a broken image
        sys.stderr.write(f"{type(error).__name__}: {error}"[:200])
        return 1
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
