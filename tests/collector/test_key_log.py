"""Secrets that came beside a capture stay with it: sessions are decoded and read by them, and they go when it goes."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.collector.api.office import Office, at_work
from tests.tls_traffic import Relay, certificate, fetch, served

from hayrick_collector.archive import keylog
from hayrick_collector.archive.keyring import add_key
from hayrick_collector.archive.rewrap import rewrap, survey
from hayrick_collector.backend import Capture, Search
from hayrick_collector.config import ArchiveConfig, CollectorConfig
from hayrick_collector.direct import DirectBackend
from hayrick_collector.packets import conversation, files
from hayrick_collector.packets.reading import read, secrets
from hayrick_collector.retention import Retention
from hayrick_common.cli import main
from hayrick_common.errors import ArchiveError


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A server of one page."""
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder)
    (folder / "page").write_bytes(b"<html>the needle</html>")
    with served(folder, "-WWW") as relay:
        yield relay


@pytest.fixture
def evidence(pages: Relay, tmp_path: Path) -> tuple[Path, Path]:
    """A capture of one fetch, and its key log."""
    log = tmp_path / "keys.log"
    pages.said.clear()
    fetch(pages, "/page", log)
    return pages.capture(tmp_path / "evidence.pcap"), log


def _config(tmp_path: Path, *, sealed: bool) -> CollectorConfig:
    key_file = tmp_path / "archive.keys"
    if sealed and not key_file.exists():
        add_key(key_file)
    archive = ArchiveConfig(key_file=str(key_file) if sealed else "")
    return CollectorConfig(data=tmp_path / "data", archive=archive)


def _capture(path: Path) -> Capture:
    return Capture(path.name, lambda: path.open("rb"), path=path)


def with_backend(config: CollectorConfig, work: Callable[[DirectBackend], Awaitable[None]]) -> None:
    """The work on a data folder."""

    async def run() -> None:
        backend = await DirectBackend.open(config)
        try:
            await work(backend)
        finally:
            await backend.close()

    asyncio.run(run())


async def _document(backend: DirectBackend) -> dict[str, Any]:
    (found,) = (await backend.search(Search("http.uri == *page* && tags == tls-decrypted"))).items
    return found


@pytest.mark.parametrize("sealed", [False, True])
def test_what_was_opened_can_be_searched_and_read_again(
    evidence: tuple[Path, Path], tmp_path: Path, sealed: bool
) -> None:
    capture, log = evidence
    config = _config(tmp_path, sealed=sealed)
    foreign = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n"

    async def work(backend: DirectBackend) -> None:
        done = await backend.ingest(_capture(capture), key_log=foreign + log.read_bytes())
        assert done.outcome == "indexed", done.error
        document = await _document(backend)
        again = replace(await read(backend, document["id"]), key_log=secrets(backend, document))
        made, _ = conversation.pieces(document, again, 1 << 20)
        said = conversation.sides(made)
        assert said[0].startswith(b"GET /page HTTP/1.1\r\n")
        assert [each.data for each in files.files(*said)] == [b"<html>the needle</html>"]
        row = backend.catalog.get(done.key)
        assert row
        plain, under_seal = keylog.forms(config.folder.absolute(row.path))
        kept, other = (under_seal, plain) if sealed else (plain, under_seal)
        assert not other.exists()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert (b"TRAFFIC_SECRET" in kept.read_bytes()) is not sealed
        assert foreign not in secrets(backend, document), "secrets of sessions that are not in it are not kept"

    with_backend(config, work)


def test_a_key_log_that_comes_later_opens_what_is_indexed_already(evidence: tuple[Path, Path], tmp_path: Path) -> None:
    capture, log = evidence

    async def work(office: Office) -> None:
        key = (await office.backend.ingest(_capture(capture))).key
        assert not (await office.backend.search(Search("http.uri == *page*"))).items
        person = office.token("ann", "admin")
        secrets_of = f"/api/chunks/{key}/secrets"
        assert (await person.post(secrets_of, content=b"no such thing")).status_code == 400
        assert (await person.post("/api/chunks/import.none/secrets", content=log.read_bytes())).status_code == 404
        assert (await person.post(secrets_of, content=log.read_bytes())).status_code == 202
        assert (await office.backend.ingest(_capture(capture))).outcome == "indexed", "it waited to be indexed again"
        document = await _document(office.backend)
        said = (await person.get(f"/api/sessions/{document['id']}/conversation")).json()["items"]
        assert base64.b64decode(said[0]["data"]).startswith(b"GET /page HTTP/1.1\r\n")

    at_work(_config(tmp_path, sealed=False), work)


def test_secrets_are_sealed_checked_and_removed_with_their_capture(evidence: tuple[Path, Path], tmp_path: Path) -> None:
    capture, log = evidence

    async def work(backend: DirectBackend) -> None:
        done = await backend.ingest(_capture(capture), key_log=log.read_bytes())
        row = backend.catalog.get(done.key)
        assert row
        config = _config(tmp_path, sealed=True)
        plain, sealed = keylog.forms(config.folder.absolute(row.path))
        before = plain.read_bytes()
        assert rewrap(config, backend.catalog).changed == 1
        assert not plain.exists()
        assert keylog.read(plain.with_suffix(""), config.archive.keys) == before
        assert rewrap(config, backend.catalog).changed == 0
        sealed.write_bytes(sealed.read_bytes()[:-3])
        (trouble,) = survey(config, backend.catalog, thorough=True).troubles
        assert str(sealed) in trouble
        with pytest.raises(ArchiveError):
            keylog.read(plain.with_suffix(""), config.archive.keys)
        retention = replace(config.retention, days=1)
        await Retention(replace(config, retention=retention), backend.catalog, backend.store).run()
        assert not sealed.exists()

    with_backend(_config(tmp_path, sealed=False), work)


def test_commands_take_a_key_log(
    evidence: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, log = evidence
    assert main(["decode", str(capture), "--key-log", str(log)]) == 0
    assert json.loads(capsys.readouterr().out)["http"]["path"] == ["/page"]
    data = str(tmp_path / "data")
    assert main(["ingest", str(capture), "--data", data, "--key-log", str(log)]) == 0
    assert "http 1" in capsys.readouterr().out
    assert main(["ingest", str(capture), "--data", data, "--key-log", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_secrets_that_come_while_a_chunk_is_indexed_have_it_indexed_again(tmp_path: Path) -> None:
    stored, form = tmp_path / "x.pcap", _config(tmp_path, sealed=False).archive.form
    one, two = (b"CLIENT_RANDOM " + each * 32 + b" " + b"cd" * 48 + b"\n" for each in (b"01", b"02"))
    keylog.add(stored, one, form)
    given = keylog.Given(stored, form)
    keylog.add(stored, two + one, form)
    assert given.text == one
    assert not given.settle(one)
    assert keylog.read(stored, None) == one + two, "nothing that came meanwhile is lost"
    assert keylog.Given(stored, form).settle(b"")
    assert keylog.read(stored, None) == b""


def test_no_more_secrets_are_kept_than_a_chunk_can_be_indexed_with(tmp_path: Path) -> None:
    stored, form = tmp_path / "x.pcap", _config(tmp_path, sealed=False).archive.form
    half, other = (
        b"".join(b"CLIENT_RANDOM %064x %s\n" % (number, b"cd" * 48) for number in range(start, start + 60_000))
        for start in (0, 60_000)
    )
    keylog.add(stored, half, form)
    with pytest.raises(ValueError, match="too many"):
        keylog.add(stored, other, form)
    assert keylog.read(stored, None) == half
