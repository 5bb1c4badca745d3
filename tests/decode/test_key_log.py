"""A key log beside a capture opens its TLS sessions, and what is inside is decoded like any stream."""

from __future__ import annotations

import hashlib
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.collector.captures import write_pcap
from tests.tls_traffic import Relay, certificate, connection, fetch, served, talk

import hayrick_decode

PAGE = b"<html>" + bytes(range(256)) * 200  # several records
ANY = "ALL:@SECLEVEL=0"
SUITES = [
    ("1.2", "ECDHE-RSA-AES128-GCM-SHA256"), ("1.2", "AES256-GCM-SHA384"), ("1.2", "ECDHE-RSA-CHACHA20-POLY1305"),
    ("1.2", "AES128-SHA"), ("1.2", "AES256-SHA"), ("1.2", "AES128-SHA256"), ("1.2", "AES256-SHA256"),
    ("1.2", "ECDHE-RSA-AES256-SHA384"), ("1.2", "DHE-RSA-AES128-SHA"),
    ("1.3", "TLS_AES_128_GCM_SHA256"), ("1.3", "TLS_AES_256_GCM_SHA384"), ("1.3", "TLS_CHACHA20_POLY1305_SHA256"),
]  # fmt: skip
Document = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server serves."""
    made = tmp_path_factory.mktemp("tls")
    certificate(made)
    (made / "page").write_bytes(PAGE)
    return made


@pytest.fixture(scope="module")
def pages(folder: Path) -> Iterator[Relay]:
    """A server of that folder."""
    with served(folder, "-WWW", "-cipher", ANY) as relay:
        yield relay


def decoded(path: Path, key_log: bytes | None) -> tuple[list[Document], hayrick_decode.Decoding]:
    """A capture's sessions."""
    decoding = hayrick_decode.decode(path, key_log=key_log)
    lines = [line for batch in decoding for line in batch.ndjson().splitlines()]
    return [json.loads(line) for line in lines], decoding


def one(path: Path, key_log: bytes | None) -> Document:
    (found,) = decoded(path, key_log)[0]
    return found


def said(path: Path, document: Document, key_log: bytes) -> list[bytes] | None:
    """Each side's bytes, opened."""
    streams = hayrick_decode.Streams()
    pieces = [*streams.feed(hayrick_decode.read_packets(path, document["packetPos"])), *streams.finish()]
    found = hayrick_decode.opened(pieces, key_log)
    if found is None:
        return None
    return [b"".join(data for side, _, _, data in found if side == wanted) for wanted in (0, 1)]


def fetched(relay: Relay, folder: Path, *options: str, name: str = "/page") -> tuple[Path, bytes]:
    """A capture of one fetch by curl, and its key log."""
    log, relay.said[:] = folder / "keys", []
    log.unlink(missing_ok=True)
    fetch(relay, name, log, *options)
    return relay.capture(folder / "x.pcap"), log.read_bytes()


def _version(version: str, cipher: str) -> list[str]:
    chosen = "--ciphers" if version == "1.2" else "--tls13-ciphers"
    return [f"--tlsv{version}", "--tls-max", version, chosen, cipher + (":@SECLEVEL=0" if version == "1.2" else "")]


@pytest.mark.parametrize(("version", "cipher"), SUITES)
def test_what_each_kind_of_cipher_carried_is_found(
    pages: Relay, tmp_path: Path, folder: Path, version: str, cipher: str
) -> None:
    capture, log = fetched(pages, tmp_path, *_version(version, cipher), name="/page")
    closed = one(capture, None)
    assert closed["protocol"] == ["tcp", "tls"]
    assert "http" not in closed
    assert "tags" not in closed
    found = one(capture, log)
    assert found["protocol"] == ["tcp", "tls", "http"]
    assert found["tags"] == ["tls-decrypted"]
    assert found["http"]["path"] == ["/page"]
    assert found["http"]["statuscode"] == [200]
    assert found["http"]["sha256"] == [hashlib.sha256(PAGE).hexdigest()]
    assert found["cert"][0]["subjectCN"] == ["sealed.example"]
    assert "anomaly" not in found
    without = {"protocol", "protocolCnt", "http", "tags", "tagsCnt", "cert", "certCnt", "host", "hostCnt"}
    assert {k: v for k, v in found.items() if k not in without} == {
        k: v for k, v in closed.items() if k not in without
    }, "what is told of the session itself does not change"
    both = said(capture, found, log)
    assert both
    assert both[0].startswith(b"GET /page HTTP/1.1\r\n")
    assert both[1].endswith(PAGE)


@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES256-SHA256"])
def test_the_mac_within_what_is_encrypted_is_understood_too(folder: Path, tmp_path: Path, cipher: str) -> None:
    with served(folder, "-WWW", "-cipher", ANY, "-no_etm") as relay:
        capture, log = fetched(relay, tmp_path, *_version("1.2", cipher))
    assert one(capture, log)["http"]["sha256"] == [hashlib.sha256(PAGE).hexdigest()]


ASK = "GET /page HTTP/1.1\r\nHost: inner.example\r\n\r\n"
READY = ("", "Verify return code")
ONE = ("-num_tickets", "1")  # a second one would be written over the first, at any time


def test_new_keys_within_a_session_are_followed(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "keys"
    steps = [READY, ("K\n", "KEYUPDATE"), ("k\n", "KEYUPDATE"), (ASK, "inner.example"), ("K\n", "KEYUPDATE")]
    with served(folder) as relay:
        talk(relay, log, [*steps, (ASK.replace("page", "last"), "/last")], "-tls1_3")
        capture = relay.capture(tmp_path / "x.pcap")
    found = one(capture, log.read_bytes())
    assert found["http"]["path"] == ["/page", "/last"]
    assert "anomaly" not in found


def test_another_handshake_within_a_session_is_followed(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "keys"
    steps = [READY, ("R\n", "verify return:1"), (ASK, "inner.example")]
    with served(folder, "-client_renegotiation") as relay:
        talk(relay, log, steps, "-tls1_2")
        capture = relay.capture(tmp_path / "x.pcap")
    found = one(capture, log.read_bytes())
    assert found["http"]["path"] == ["/page"]
    assert "anomaly" not in found
    assert len(set(log.read_bytes().split(b"CLIENT_RANDOM"))) == 3, "there were two handshakes"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_that_is_taken_up_again_is_opened(folder: Path, tmp_path: Path, version: str) -> None:
    log, ticket = tmp_path / "keys", tmp_path / "ticket"
    with served(folder, *ONE) as relay:
        talk(relay, log, [READY, (ASK, "inner.example")], version, ticket=ticket)
        printed = talk(relay, log, [READY, (ASK, "inner.example")], version, "-sess_in", str(ticket))
        capture = relay.capture(tmp_path / "x.pcap")
    assert "Reused" in printed
    first, second = decoded(capture, log.read_bytes())[0]
    assert first["http"]["path"] == second["http"]["path"] == ["/page"]


def test_early_data_are_opened(folder: Path, tmp_path: Path) -> None:
    log, ticket, early = tmp_path / "keys", tmp_path / "ticket", tmp_path / "early"
    early.write_bytes(b"GET /early HTTP/1.1\r\nHost: early.example\r\n\r\n")
    with served(folder, "-early_data", "-no_anti_replay", *ONE) as relay:
        talk(relay, log, [READY], ticket=ticket)
        relay.said.clear()
        steps = [("", "Early data was accepted"), (ASK, "inner.example")]
        talk(relay, log, steps, "-sess_in", str(ticket), "-early_data", str(early))
        capture = relay.capture(tmp_path / "x.pcap")
    found = one(capture, log.read_bytes())
    assert found["http"]["path"] == ["/early", "/page"]
    assert "anomaly" not in found
    without = b"\n".join(line for line in log.read_bytes().splitlines() if b"EARLY" not in line)
    rest = one(capture, without)
    assert "anomaly" not in rest
    assert rest["http"]["path"] == ["/page"], "early data stay closed, and break nothing"


def test_a_wrong_key_leaves_the_session_as_it_was_and_is_told(pages: Relay, tmp_path: Path) -> None:
    capture, log = fetched(pages, tmp_path)
    wrong = b"\n".join(line[:-64] + b"0" * 64 for line in log.splitlines() if b"SECRET" in line)
    closed, found = one(capture, None), one(capture, wrong)
    assert found.pop("anomaly") == ["tls-wrong-key"]
    assert found.pop("anomalyCnt") == 1
    assert found == closed
    assert said(capture, found, wrong) is None
    other = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48
    assert one(capture, other) == closed, "nothing is told of a session that the log does not know"


def test_after_starttls_the_mail_inside_is_read(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "keys"
    mail = "MAIL FROM:<a@b.example>\nrcpt to:<c@d.example>\nDATA\nSubject: inside\n\nx\n.\n"
    with served(folder) as relay:
        talk(relay, log, [READY, ("EHLO inner.example\n", "EHLO"), (mail, "Subject")], "-crlf", "-tls1_3")
        (inside,) = relay.said
    before = [
        (False, b"220 mail ESMTP\r\n"), (True, b"EHLO outer.example\r\n"), (False, b"250 STARTTLS\r\n"),
        (True, b"STARTTLS\r\n"), (False, b"220 go\r\n"),
    ]  # fmt: skip
    capture = write_pcap(tmp_path / "x.pcap", connection([*before, *inside], server=25))
    found = one(capture, log.read_bytes())
    assert found["email"]["subject"] == ["inside"]
    assert found["protocol"] == ["tcp", "smtp", "tls"]
    both = said(capture, found, log.read_bytes())
    assert both
    assert both[0].startswith(b"EHLO outer.example\r\nSTARTTLS\r\nEHLO inner.example")


def test_http2_inside_is_read(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "keys"
    field = bytes([0x82, 0x87, 0x44, 6]) + b"/h2two" + bytes([0x41, 4]) + b"name"
    head = len(field).to_bytes(3, "big") + bytes([1, 5, 0, 0, 0, 1]) + field
    asked = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + head).decode("latin-1")
    with served(folder) as relay:
        talk(relay, log, [READY, (asked, "PRI")], "-alpn", "h2")
        capture = relay.capture(tmp_path / "x.pcap")
    found = one(capture, log.read_bytes())
    assert "http2" in found["protocol"]
    assert found["http"]["path"] == ["/h2two"]


def test_a_capture_that_brings_its_secrets_needs_no_key_log(pages: Relay, tmp_path: Path) -> None:
    capture, log = fetched(pages, tmp_path)
    path = with_secrets(capture, tmp_path / "x.pcapng", log)
    (found,), decoding = decoded(path, None)
    assert found["http"]["path"] == ["/page"]
    assert sorted(decoding.key_log.split()) == sorted(
        word for line in log.splitlines() if not line.startswith(b"EXPORTER") for word in line.split()
    )
    assert said(path, found, decoding.key_log)


def test_only_the_secrets_of_sessions_in_the_capture_are_told(pages: Relay, tmp_path: Path) -> None:
    capture, log = fetched(pages, tmp_path)
    (tmp_path / "other").mkdir()
    _, foreign = fetched(pages, tmp_path / "other")
    _, decoding = decoded(capture, foreign + log)
    assert decoding.key_log
    assert set(decoding.key_log.splitlines()) < set(log.splitlines())
    with pytest.raises(ValueError, match="not a key log"):
        hayrick_decode.decode(capture, key_log=b"no such thing")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_damaged_sessions_are_opened_as_far_as_they_go(pages: Relay, tmp_path: Path, version: str) -> None:
    capture, log = fetched(pages, tmp_path, "--tls-max", version)
    whole, damaged = capture.read_bytes(), tmp_path / "damaged.pcap"
    anomalies = set()
    for seed in range(150):
        chance = random.Random(seed)
        data = bytearray(whole)
        for _ in range(chance.choice((1, 5))):
            data[chance.randrange(24, len(data))] ^= 1 << chance.randrange(8)
        damaged.write_bytes(data[: chance.choice((len(data), chance.randrange(24, len(data))))])
        for document in decoded(damaged, log)[0]:
            anomalies.update(document.get("anomaly", ()))
            said(damaged, document, log)
    assert "decoder-fault" not in anomalies
    assert "tls-record-not-opened" in anomalies, "a changed record is not believed"


def with_secrets(capture: Path, path: Path, log: bytes) -> Path:
    """A classic capture as a pcapng that begins with a key log."""
    data = capture.read_bytes()
    blocks = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)), _block(1, struct.pack("<HHI", 1, 0, 0))]
    blocks.append(_block(10, struct.pack("<II", 0x544C534B, len(log)) + log))
    at = 24
    while at < len(data):
        seconds, fraction, captured, wire = struct.unpack_from("<IIII", data, at)
        time = seconds * 1_000_000 + fraction
        head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, captured, wire)
        blocks.append(_block(6, head + data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    path.write_bytes(b"".join(blocks))
    return path


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
