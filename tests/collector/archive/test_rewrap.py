"""Bringing an archive into another form changes no byte of a capture, wherever it is cut off, and lets the old go."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hayrick_collector.archive import open_packets
from hayrick_collector.archive.container import Form, truncated
from hayrick_collector.archive.keyring import KeyRing, add_key
from hayrick_collector.archive.reader import open_file
from hayrick_collector.archive.rewrap import rewrap, survey
from hayrick_collector.catalog import Catalog
from hayrick_collector.config import ArchiveConfig, CollectorConfig
from hayrick_common.chunk import ChunkId
from hayrick_common.errors import HayrickError, KeyFileError

REWRAP = (
    "import sys; from hayrick_common.cli import main; sys.exit(main(['archive', 'rewrap', '--config', sys.argv[1]]))"
)


@pytest.fixture
def config(tmp_path: Path) -> CollectorConfig:
    made = CollectorConfig(data=tmp_path / "data")
    made.folder.create()
    return made


def fill(config: CollectorConfig, count: int, form: Form, first: int = 1, size: int = 30_000) -> dict[str, bytes]:
    """Chunks that have landed in a form; their bytes by key."""
    made = {}
    catalog = Catalog(config.folder.catalog)
    for number in range(first, first + count):
        body = random.Random(number).randbytes(size // 2) + bytes([number % 256]) * (size // 2)
        chunk = ChunkId("s1", "eth0", number, hashlib.sha256(body).hexdigest())
        path = config.folder.archive / "s1" / "eth0" / "20261125" / (chunk.file_name + form.suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        with truncated(path) as file:
            writer = form.writer(file)
            writer.resume(lambda data: None, 0)
            for start in range(0, len(body), 7000):
                writer.append(body[start : start + 7000])
            writer.finish()
        assert catalog.landed(chunk, size=len(body), path=config.folder.relative(path))
        made[chunk.key] = body
    catalog.close()
    return made


def stored(config: CollectorConfig) -> dict[str, bytes]:
    """What the catalog leads to, by key; and no file beside it."""
    catalog = Catalog(config.folder.catalog)
    rows = catalog.after("")
    catalog.close()
    found = {}
    for row in rows:
        with open_packets(config, row) as file:
            found[row.key] = file.read()
    files = [path for path in config.folder.archive.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(config.folder.absolute(row.path) for row in rows)
    return found


def with_archive(config: CollectorConfig, level: int, key_file: Path | None = None) -> CollectorConfig:
    return replace(config, archive=ArchiveConfig(level, str(key_file or "")))


def run(config: CollectorConfig) -> int:
    """Rewrap; how many files it changed."""
    catalog = Catalog(config.folder.catalog)
    try:
        walked = rewrap(config, catalog)
    finally:
        catalog.close()
    assert walked.troubles == []
    return walked.changed


def test_old_plain_files_become_zstd_then_sealed_then_sealed_anew(config: CollectorConfig, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    bodies = fill(config, 3, Form(0)) | fill(config, 2, Form(1), first=4)
    assert stored(config) == bodies
    first = add_key(keys)
    for stage, changed in ((with_archive(config, 1), 3), (with_archive(config, 1, keys), 5)):
        assert run(stage) == changed
        assert stored(stage) == bodies
        assert run(stage) == 0
    second = add_key(keys)
    sealed = with_archive(config, 1, keys)
    assert run(sealed) == 5
    assert stored(sealed) == bodies
    heads = {path.read_bytes()[:24] for path in config.folder.archive.rglob("*.enc")}
    assert all(second.encode() in head and first.encode() not in head for head in heads)
    keys.write_text("\n".join(line for line in keys.read_text().splitlines() if not line.startswith(first)) + "\n")
    assert stored(sealed) == bodies


def test_a_rewrap_that_is_killed_again_and_again_loses_nothing(config: CollectorConfig, tmp_path: Path) -> None:
    keys, settings = tmp_path / "keys", tmp_path / "collector.toml"
    add_key(keys)
    old = Form(1, KeyRing(keys))
    bodies = fill(config, 40, Form(0), size=200_000) | fill(config, 40, old, first=41, size=200_000)
    add_key(keys)
    settings.write_text(f'data = "{config.data}"\n[archive]\nkey_file = "{keys}"\n')
    sealed, kills, chance = with_archive(config, 1, keys), 0, random.Random(4)
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", REWRAP, settings], stdout=subprocess.DEVNULL) as process:
            before, deadline = _changed(config), time.monotonic() + 60
            while process.poll() is None and _changed(config) <= before and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.03)
            process.kill()
        kills += process.returncode != 0
        catalog = Catalog(config.folder.catalog)
        assert survey(sealed, catalog, thorough=True).troubles == []
        catalog.close()
    assert kills >= 1
    run(sealed)
    assert stored(sealed) == bodies
    assert len(list(config.folder.archive.rglob("*.enc"))) == 80


def _changed(config: CollectorConfig) -> int:
    return sum(1 for _ in config.folder.archive.rglob("*.pcap.enc"))


def test_what_does_not_hold_what_landed_is_left_as_it_is_and_named(config: CollectorConfig, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    add_key(keys)
    bodies = fill(config, 2, Form(0)) | fill(config, 1, Form(1), first=3)
    plain, zstd = sorted(config.folder.archive.rglob("*-*.pcap*"))[1:]
    damaged = {path: path.read_bytes()[:-40] + os.urandom(40) for path in (plain, zstd)}
    for path, data in damaged.items():
        path.write_bytes(data)
    catalog = Catalog(config.folder.catalog)
    walked = rewrap(with_archive(config, 1, keys), catalog)
    assert walked.changed == 1
    assert sorted(line.split()[0].strip(":") for line in walked.troubles) == sorted(map(str, damaged))
    assert {path: path.read_bytes() for path in damaged} == damaged
    assert survey(config, catalog, thorough=True).troubles != []
    catalog.close()
    assert len(bodies) == 3


def test_a_chunk_that_retention_takes_meanwhile_stays_taken(config: CollectorConfig, tmp_path: Path) -> None:
    fill(config, 1, Form(0))
    catalog = Catalog(config.folder.catalog)
    (row,) = catalog.after("")

    class Forgetful(Catalog):
        """The chunk goes just before its file gets the new form's name."""

        def moved(self, key: str, before: str, after: str) -> bool:
            catalog._write("DELETE FROM chunks WHERE key = ?", (key,))
            return super().moved(key, before, after)

    forgetful = Forgetful(config.folder.catalog)
    assert rewrap(config, forgetful).gone == 1
    assert [path for path in config.folder.archive.rglob("*") if path.is_file()] == []
    assert not config.folder.absolute(row.path).exists()
    forgetful.close()
    catalog.close()


def test_a_path_from_before_leads_to_the_later_form_and_none_to_a_less_protected_one(
    config: CollectorConfig, tmp_path: Path
) -> None:
    add_key(tmp_path / "keys")
    ring = KeyRing(tmp_path / "keys")
    (body,) = fill(config, 1, Form(0)).values()
    (plain,) = config.folder.archive.rglob("*.pcap")
    assert run(with_archive(config, 1, tmp_path / "keys")) == 1
    assert not plain.exists()
    for path in (plain, plain.with_name(plain.name + ".zst"), plain.with_name(plain.name + ".enc")):
        with open_file(path, ring) as file:
            assert file.read() == body
    plain.with_name(plain.name + ".enc").rename(tmp_path / "away")
    plain.write_bytes(body)
    with pytest.raises(FileNotFoundError):
        open_file(plain.with_name(plain.name + ".enc"), ring)


def test_records_in_a_chunk_s_place_are_checked_by_their_own_hash(config: CollectorConfig) -> None:
    chunk, records = ChunkId("s1", "eth0", 1, "a" * 64), b"sessions" * 100
    path = config.folder.archive / "s1" / "0000000001-aaaa.records"
    path.parent.mkdir()
    path.write_bytes(records)
    catalog = Catalog(config.folder.catalog)
    meta = {"content": "records", "content_sha256": hashlib.sha256(records).hexdigest()}
    catalog.landed(chunk, size=10**6, path=config.folder.relative(path), meta=meta)
    for number, wrong in ((2, ""), (3, "b" * 64)):
        other = ChunkId("s1", "eth0", number, hashlib.sha256(records).hexdigest())
        copy = path.with_name(f"{number}.pcap")
        copy.write_bytes(records)
        catalog.landed(other, size=800, path=config.folder.relative(copy), meta={"content_sha256": wrong})
    walked = rewrap(config, catalog)
    catalog.close()
    assert walked.changed == 2
    assert [line.split(":")[0] for line in walked.troubles] == [str(path.with_name("3.pcap"))]
    assert path.with_name("0000000001-aaaa.records.zst").exists()


def test_two_rewraps_do_not_work_on_one_archive(config: CollectorConfig) -> None:
    fill(config, 1, Form(0))
    outer = Catalog(config.folder.catalog)

    class Nested(Catalog):
        def after(self, key: str, *, limit: int = 1000) -> list:
            with pytest.raises(HayrickError, match="works on"):
                rewrap(config, outer)
            return super().after(key, limit=limit)

    nested = Nested(config.folder.catalog)
    assert rewrap(config, nested).changed == 1
    nested.close()
    outer.close()


def test_without_its_keys_nothing_is_touched(config: CollectorConfig, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    add_key(keys)
    fill(config, 1, Form(1, KeyRing(keys)))
    catalog = Catalog(config.folder.catalog)
    assert "names no key file" in rewrap(config, catalog).troubles[0]
    with pytest.raises(KeyFileError, match="rotate-key"):
        rewrap(with_archive(config, 1, tmp_path / "none"), catalog)
    catalog.close()
    assert len(list(config.folder.archive.rglob("*.enc"))) == 1
