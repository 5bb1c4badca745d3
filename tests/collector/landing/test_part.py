"""A part grows in its final form, goes on where it was cut, and is never on the disk in the clear when it is sealed."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest
import zstandard

from hayrick_collector.archive.container import Form
from hayrick_collector.archive.keyring import KeyRing, add_key
from hayrick_collector.archive.reader import open_file
from hayrick_collector.landing.part import Part, already_named, discard
from hayrick_common.chunk import ChunkId, Manifest

BODY = random.Random(1).randbytes(150_000) + b"a needle in the hay " * 10_000
BLOCK = 50_000


def manifest_of(body: bytes) -> Manifest:
    return Manifest(ChunkId("s1", "eth0", 1, hashlib.sha256(body).hexdigest()), len(body), closed_ms=1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "incoming").mkdir()
    return tmp_path


@pytest.fixture(params=["plain", "zstd", "sealed"])
def form(request: pytest.FixtureRequest, tmp_path: Path) -> Form:
    if request.param == "sealed":
        add_key(tmp_path / "keys")
        return Form(1, KeyRing(tmp_path / "keys"))
    return Form(0 if request.param == "plain" else 1)


def deliver(part: Part, body: bytes, stop: int | None = None) -> None:
    """Blocks from where the part ends, every other one as a zstd frame of the sensor's."""
    for start in range(part.offset, len(body) if stop is None else stop, BLOCK):
        block = body[start : start + BLOCK]
        part.write(start, block, zstandard.compress(block, 9) if start // BLOCK % 2 else None)


def test_a_chunk_lands_in_its_form_whatever_cuts_its_delivery(data: Path, form: Form) -> None:
    manifest = manifest_of(BODY)
    chance = random.Random(2)
    for stop in (BLOCK, 3 * BLOCK, 3 * BLOCK, 5 * BLOCK):
        part = Part(data, manifest, form)
        deliver(part, BODY, stop)
        part.close()
        with part.path.open("r+b") as torn:
            torn.truncate(max(0, torn.seek(0, os.SEEK_END) - chance.randrange(2000)))
    part = Part(data, manifest, form)
    assert part.offset >= 2 * BLOCK  # the last tear may have taken a few frames: they are small
    deliver(part, BODY)
    assert part.finish()
    assert part.final.name.endswith(".pcap" + form.suffix)
    with open_file(part.final, form.keys) as file:
        assert file.read() == BODY
    assert list((data / "incoming").iterdir()) == []
    assert already_named(data, manifest, form) == part.final


def test_the_sensor_s_own_frame_is_what_is_stored(data: Path) -> None:
    part = Part(data, manifest_of(BODY), Form(1))
    deliver(part, BODY)
    assert part.finish()
    assert zstandard.compress(BODY[BLOCK : 2 * BLOCK], 9) in part.final.read_bytes()
    assert zstandard.compress(BODY[3 * BLOCK : 4 * BLOCK], 9) in part.final.read_bytes()


def test_bytes_that_are_not_the_promised_ones_get_no_name(data: Path, form: Form) -> None:
    wrong = BODY[:-1] + b"x"
    part = Part(data, manifest_of(BODY), form)
    deliver(part, wrong)
    assert not part.finish()
    assert not list(data.glob("archive/**/*.pcap*"))
    discard(data, part.manifest)
    assert list((data / "incoming").iterdir()) == []


def test_nothing_of_a_sealed_part_is_in_the_clear_not_what_was_begun_unsealed_either(data: Path) -> None:
    manifest = manifest_of(BODY)
    begun = Part(data, manifest, Form(0))
    deliver(begun, BODY, 5 * BLOCK)
    begun.close()
    assert b"needle" in begun.path.read_bytes()
    add_key(data / "keys")
    form = Form(0, KeyRing(data / "keys"))
    part = Part(data, manifest, form)
    assert part.offset == 0
    deliver(part, BODY, 5 * BLOCK)
    files = [path for path in data.rglob("*") if path.is_file()]
    assert part.path in files
    assert not begun.path.exists()
    assert all(b"needle" not in path.read_bytes() for path in files)
    deliver(part, BODY)
    assert part.finish()
    assert b"needle" not in part.final.read_bytes()


def test_without_a_key_a_chunk_is_not_taken_rather_than_stored_in_the_clear(data: Path) -> None:
    with pytest.raises(OSError, match="rotate-key"):
        Part(data, manifest_of(BODY), Form(1, KeyRing(data / "none")))


def test_a_part_whose_key_is_gone_begins_anew_under_the_newest(data: Path) -> None:
    add_key(data / "keys")
    part = Part(data, manifest_of(BODY), Form(1, KeyRing(data / "keys")))
    deliver(part, BODY, 2 * BLOCK)
    part.close()
    (data / "keys").unlink()
    name = add_key(data / "keys")
    part = Part(data, manifest_of(BODY), Form(1, KeyRing(data / "keys")))
    assert part.offset == 0
    deliver(part, BODY)
    assert part.finish()
    assert name.encode() in part.final.read_bytes()[:24]


def test_a_chunk_that_has_its_name_already_is_known_in_any_form(data: Path) -> None:
    manifest = manifest_of(BODY)
    part = Part(data, manifest, Form(0))
    deliver(part, BODY)
    assert part.finish()
    assert already_named(data, manifest, Form(1)) == part.final
    part.final.write_bytes(BODY[:-1])
    assert already_named(data, manifest, Form(1)) is None
    damaged = part.final.with_name(part.final.name + ".zst")
    damaged.write_bytes(BODY)
    assert already_named(data, manifest, Form(1)) is None
