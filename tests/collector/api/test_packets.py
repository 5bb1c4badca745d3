"""A session's packets, conversation and files over the API."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator

import httpx
import pytest
import pyzipper
from tests.collector.captures import write_pcap
from tests.system.collector_process import Running, collector
from tests.web.conftest import upload
from tests.web.traffic import PNG, SVG, TEXT, files


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("packets")
    with collector(folder / "data", folder / "log") as started:
        frames = files()
        frames[4], frames[5] = frames[5], frames[4]  # out of order
        upload(started, write_pcap(folder / "files.pcap", [*frames[:6], frames[5], *frames[6:]]))  # and sent twice
        yield started


@pytest.fixture
def address(running: Running) -> str:
    [session] = running.get("/api/sessions", fields="id")["items"]
    return f"/api/sessions/{session['id']}"


def test_packets_are_listed_with_their_sides(running: Running, address: str) -> None:
    found = running.get(f"{address}/packets", offset=1, limit=2)
    assert found["count"] == len(files()) + 1
    assert [(each["number"], each["side"], each["source"]) for each in found["items"]] == [
        (1, 1, "10.8.8.8:80"), (2, 0, "10.1.0.7:50000"),
    ]  # fmt: skip
    assert "SYN ACK" in found["items"][0]["info"]


def test_dissection_comes_with_the_packets_bytes(running: Running, address: str) -> None:
    found = running.get(f"{address}/packets/3")
    assert base64.b64decode(found["data"]) == files()[3]
    assert [each["name"] for each in found["protocols"]] == ["frame", "eth", "ip", "tcp", "http"]
    assert httpx.get(f"{running.url}{address}/packets/9999").status_code == 404


def test_conversation_is_in_order_whatever_the_packets_were(running: Running, address: str) -> None:
    raw = running.get(f"{address}/conversation")
    answers = b"".join(base64.b64decode(each["data"]) for each in raw["items"] if each["side"] == 1)
    assert PNG in answers
    assert answers.count(PNG) == 1
    decoded = running.get(f"{address}/conversation", decode=True)["items"]
    assert [(each["side"], each["kind"]) for each in decoded] == [(0, "head"), (1, "head"), (1, "body")] * 3
    greeting = decoded[5]
    assert (base64.b64decode(greeting["data"]).decode(), greeting["undone"]) == (TEXT, ["chunked", "gzip"])


def test_files_have_types_by_content_and_come_as_encrypted_zips(running: Running, address: str) -> None:
    items = running.get(f"{address}/files")["items"]
    assert [(each["name"], each["kind"], each["size"]) for each in items] == [
        ("picture.png", "image/png", len(PNG)),
        ("greeting.txt", "text/plain", len(TEXT.encode())),
        ("drawing.svg", "image/svg+xml", len(SVG)),
    ]
    assert items[2]["sha256"] == hashlib.sha256(SVG).hexdigest()
    answer = httpx.get(f"{running.url}{address}/files/2.zip")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    with pyzipper.AESZipFile(io.BytesIO(answer.content)) as archive:
        with pytest.raises(RuntimeError):
            archive.read("drawing.svg")
        archive.setpassword(b"infected")
        assert archive.read("drawing.svg") == SVG


def test_an_image_that_cannot_be_read_and_a_drawing_have_no_thumbnail(running: Running, address: str) -> None:
    assert [each["thumbnail"] for each in running.get(f"{address}/files")["items"]] == [True, False, False]
    for number in (0, 2):
        answer = httpx.get(f"{running.url}{address}/files/{number}.png", timeout=30)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_thumbnail")
    assert httpx.get(f"{running.url}{address}/files/3.png").status_code == 404


def test_session_that_is_not_there_has_no_packets(running: Running) -> None:
    for what in ("packets", "packets/0", "conversation", "files", "files/0.zip", "files/0.png"):
        assert httpx.get(f"{running.url}/api/sessions/231114-none/{what}").status_code == 404
