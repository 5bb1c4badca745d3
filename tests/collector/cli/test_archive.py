"""Packets of every stored form give the same answers; `hayrick archive` tells, checks, seals and rotates."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.collector.captures import dns_query, mixed_frames, write_pcap
from tests.collector.conftest import Hayrick


def settings(tmp_path: Path, lines: str, name: str = "collector.toml") -> dict[str, str]:
    """Settings by environment, as every command takes them."""
    path = tmp_path / name
    path.write_text(f"[archive]\n{lines}\n")
    return {"HAYRICK_COLLECTOR_CONFIG": str(path)}


@pytest.fixture
def sealed(tmp_path: Path, hayrick: Hayrick) -> dict[str, str]:
    """Settings with a key file that has a key."""
    where = settings(tmp_path, f'key_file = "{tmp_path / "archive.keys"}"')
    assert "keep a copy elsewhere" in hayrick("archive", "rotate-key", **where).stdout
    return where


def test_exports_are_the_same_whatever_form_packets_are_stored_in(
    hayrick: Hayrick, tmp_path: Path, data: Path, sealed: dict[str, str]
) -> None:
    frames = [*mixed_frames(), *(dns_query(f"{'long' * 15}{number}.example") for number in range(9000))]
    capture = write_pcap(tmp_path / "evidence.pcap", frames, step=0.001)
    plain = settings(tmp_path, "compression = 0", "plain.toml")
    forms: dict[str, dict[str, str]] = {".pcap": plain, ".pcap.zst": {}, ".pcap.enc": sealed}
    exports, found = set(), set()
    for suffix, where in forms.items():
        folder = {**where, "HAYRICK_DATA": str(tmp_path / suffix)}
        hayrick("ingest", capture, **folder)
        hayrick("export", "", "-o", tmp_path / "out.pcap", **folder)
        exports.add((tmp_path / "out.pcap").read_bytes())
        (tmp_path / "out.pcap").unlink()
        found.add(hayrick("search", "protocols == http", **folder).stdout)
        (stored,) = (path for path in (tmp_path / suffix / "archive").rglob("*") if path.is_file())
        assert stored.name.endswith(suffix)
        assert stored.name.count(".") == suffix.count(".")
        hayrick("archive", "check", **folder)
    assert len(exports) == len(found) == 1
    assert exports.pop()[24:] == capture.read_bytes()[24:]
    for path in (tmp_path / ".pcap.enc" / "archive").rglob("*.enc"):
        assert b"needle" not in path.read_bytes()


def test_a_folder_of_old_files_is_sealed_and_its_key_rotated(
    hayrick: Hayrick, tmp_path: Path, data: Path, sealed: dict[str, str]
) -> None:
    hayrick("ingest", write_pcap(tmp_path / "evidence.pcap", mixed_frames()))
    assert "zstd: 1 files" in hayrick("archive", "status", **sealed).stdout
    assert "1 files brought into another form" in hayrick("archive", "rewrap", **sealed).stdout
    old = (tmp_path / "archive.keys").read_text().splitlines()[1].split()[0]
    assert f"sealed with {old}: 1 files" in hayrick("archive", "status", **sealed).stdout
    told = hayrick("archive", "rotate-key", "--rewrap", **sealed).stdout
    assert f"no file needs the key {old} any more" in told
    hayrick("export", "", "-o", tmp_path / "out.pcap", **sealed)
    assert len((tmp_path / "out.pcap").read_bytes()) > 800
    assert list((data / "archive").rglob("*.pcap")) == list((data / "archive").rglob("*.zst")) == []


def test_without_its_key_a_case_says_so_and_stores_nothing_in_the_clear(
    hayrick: Hayrick, tmp_path: Path, data: Path, sealed: dict[str, str]
) -> None:
    capture = write_pcap(tmp_path / "evidence.pcap", mixed_frames())
    hayrick("ingest", capture, **sealed)
    keys = tmp_path / "archive.keys"
    kept = keys.read_text()
    keys.unlink()
    assert "rotate-key" in hayrick("export", "", "-o", tmp_path / "out.pcap", code=78, **sealed).stderr
    other = write_pcap(tmp_path / "other.pcap", [dns_query("needle.example")])
    assert "archive.keys" in hayrick("ingest", other, code=1, **sealed).stdout
    assert not [path for path in data.glob("incoming/**/*") if path.is_file()]
    keys.write_text(kept)
    keys.chmod(0o644)
    assert "chmod 600" in hayrick("export", "", "-o", tmp_path / "out.pcap", code=78, **sealed).stderr
    keys.chmod(0o600)
    hayrick("export", "", "-o", tmp_path / "out.pcap", **sealed)
    assert "archive.key_file names no file" in hayrick("archive", "rotate-key", code=78).stderr


def test_a_damaged_file_is_named_by_check_and_by_export(hayrick: Hayrick, tmp_path: Path, data: Path) -> None:
    hayrick("ingest", write_pcap(tmp_path / "evidence.pcap", mixed_frames()))
    (stored,) = (data / "archive").rglob("*.zst")
    whole = stored.read_bytes()
    stored.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert f"{stored.name}: frame 0 (bytes 0 to" in hayrick("archive", "check", code=1).stderr
    assert f"{stored.name}: frame 0 (bytes 0 to" in hayrick("export", "", "-o", tmp_path / "out.pcap", code=74).stderr
