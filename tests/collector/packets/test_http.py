"""HTTP messages out of a side's bytes: chunks and compression undone, lengths never believed beyond what is there."""

from __future__ import annotations

import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from hayrick_collector.packets import http
from hayrick_collector.packets.http import messages

BODY = b"a body that is long enough to be worth it " * 20


def answer(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *headers)) + b"\r\n\r\n" + body


def chunked(body: bytes) -> bytes:
    pieces = [body[start : start + 100] for start in range(0, len(body), 100)]
    return b"".join(b"%x;note=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: x\r\n\r\n"


@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        (b"gzip", gzip.compress(BODY, mtime=0)),
        (b"deflate", zlib.compress(BODY)),
        (b"deflate", zlib.compress(BODY)[2:-4]),
        (b"zstd", zstandard.compress(BODY)),
    ],
)
def test_chunks_and_compression_are_undone(coding: bytes, coded: bytes) -> None:
    data = answer(chunked(coded), b"Transfer-Encoding: chunked", b"Content-Encoding: " + coding)
    first, second = messages(data + answer(b"ok", b"Content-Length: 2"))
    assert (first.body, first.undone, first.whole) == (BODY, ("chunked", coding.decode()), True)
    assert (second.body, second.start, second.stop) == (b"ok", len(data), len(data) + 2 + len(second.head))


def test_answers_without_a_body_do_not_swallow_the_next() -> None:
    data = answer(b"", b"Content-Length: 5") + answer(b"hello", b"Content-Length: 5")
    assert [each.body for each in messages(data, ["HEAD", "GET"])] == [b"", b"hello"]


def test_cut_body_is_kept_and_told() -> None:
    [found] = messages(answer(b"half", b"Content-Length: 999999999999"))
    assert (found.body, found.whole) == (b"half", False)


def test_coding_that_is_not_known_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = messages(answer(b"xyz", b"Content-Length: 3", b"Content-Encoding: br"))
    assert (found.body, found.undone) == (b"xyz", ())


def test_bomb_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_BODY", 1000)
    bomb = gzip.compress(bytes(100_000))
    [found] = messages(answer(bomb, b"Content-Length: %d" % len(bomb), b"Content-Encoding: gzip"))
    assert (len(found.body), found.whole) == (1000, False)


def test_messages_behind_a_proxys_preamble_are_found() -> None:
    [found] = messages(b"\x05\x00\x05\x00" + b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (found.start, found.method, found.target) == (4, "GET", "/x")


PARTS = [
    b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"5\r\n", b"0\r\n", b"abc", b"\x1f\x8b",
    b"Content-Encoding: gzip\r\n", b"Content-Length: 3\r\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS)))
def test_any_bytes_end_within_themselves(parts: list[bytes]) -> None:
    data = b"".join(parts)
    place = 0
    for each in messages(data):
        assert place <= each.start < each.stop <= len(data)
        place = each.stop
