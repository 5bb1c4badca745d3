"""A hostile peer is refused and counted; it writes nothing but its own, and the honest go on meanwhile."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from tests.collector.landing.fleet import Fleet, pair, wait_until
from tests.collector.landing.hostile import SHA, Evil, fuzz, offer
from tests.collector.landing.sshd import free_port
from tests.collector.landing.test_kills import write_capture

from hayrick_common import wire

FUZZ_SECONDS = float(os.environ.get("HAYRICK_FUZZ_SECONDS", "3"))
FUZZ_SEED = int(os.environ.get("HAYRICK_FUZZ_SEED", "1"))
GROWTH_MB = 64.0


class Besieged(Fleet):
    """A landing with an honest sensor s1, and a key `evil` that somebody stole."""

    def __init__(self, root: Path) -> None:
        (root / "pcaps").mkdir()
        self.port = free_port()
        super().__init__(root, f'name = "adopted"\nfolder = "{root / "pcaps"}"', address=f"tcp://127.0.0.1:{self.port}")
        self.enrol()
        self.stolen = pair()
        (self.data / "keys" / "sensors" / "evil.public").write_text(self.stolen.public + "\n")
        self.peers: list[Evil] = []
        self.start("landing")
        wait_until(lambda: (self.data / "address").exists(), 20, self)

    def evil(self, *, known: bool = True) -> Evil:
        keys = self.stolen if known else pair()
        self.peers.append(Evil(self.address, self.data / "keys" / "collector.public", keys))
        return self.peers[-1]

    def counted(self, name: str, at_least: int = 1) -> None:
        wait_until(lambda: self.counters().get(name, 0) >= at_least, 10, self)

    def memory(self) -> float:
        """Resident megabytes of the landing."""
        lines = Path(f"/proc/{self.processes['landing'].pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024

    def files(self) -> set[str]:
        """Every file there is, but for what the landing's own test harness writes."""
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}
        return {each for each in found if not each.endswith((".json", ".jsonl", ".log"))}

    def honest_chunk_lands(self) -> None:
        """A chunk of the honest sensor arrives whole, now."""
        number = len(list((self.root / "pcaps").iterdir()))
        digest = write_capture(self.root / "pcaps" / f"{number}.pcap", 300_000, number)
        if "sensor" not in self.processes:
            self.start("sensor")
        wait_until(lambda: digest in {row["sha256"] for row in self.landed()}, 30, self)
        row = next(row for row in self.landed() if row["sha256"] == digest)
        assert row["sensor"] == "s1"

    def close(self) -> None:
        for each in self.peers:
            each.close()
        super().close()


@pytest.fixture
def siege(tmp_path: Path) -> Iterator[Besieged]:
    made = Besieged(tmp_path)
    yield made
    made.close()


def test_who_has_no_key_or_takes_anothers_name_is_refused_and_counted(siege: Besieged) -> None:
    stranger = siege.evil(known=False)
    stranger.say(wire.Hello("s1", 1, 2, "x", "y", 1))
    siege.counted("refused_key")
    assert stranger.hear(0.5) is None
    thief = siege.evil()
    answer = thief.enter("s1")
    assert isinstance(answer, wire.Refused)
    assert answer.code == "name"
    siege.counted("refused_name")
    thief.say(offer())
    assert isinstance(thief.hear(), wire.Stranger)
    siege.honest_chunk_lands()


def test_a_key_that_is_taken_off_the_list_ends_the_connection_that_stands(siege: Besieged) -> None:
    evil = siege.evil()
    assert isinstance(evil.enter(), wire.Welcome)
    (siege.data / "keys" / "sensors" / "evil.public").unlink()
    wait_until(lambda: _refused(evil), 10, siege)
    siege.counted("refused_key")
    evil.say(offer())
    assert isinstance(evil.hear_until(wire.Refused), wire.Refused)
    assert siege.landed() == []
    assert not (siege.data / "archive" / "evil").exists()


def _refused(evil: Evil) -> bool:
    evil.say(wire.Heartbeat(1, {}))
    return isinstance(evil.hear(0.5), wire.Refused)


NONSENSE: list[dict[str, object]] = [
    {"stream": "../../../etc"}, {"stream": "a/b"}, {"stream": "eth0\0"}, {"stream": ""}, {"stream": "import"},
    {"sha256": "../" + "a" * 61}, {"sequence": 0}, {"sequence": 2**62}, {"size": 2**62}, {"size": -1},
    {"size": "4294967296"}, {"v": 99}, {"stream": ["eth0"]},
]  # fmt: skip


def test_an_offer_of_nonsense_is_refused_and_leaves_nothing(siege: Besieged) -> None:
    evil = siege.evil()
    evil.enter()
    before = siege.files()
    for changes in NONSENSE:
        evil.say(offer(), **changes)
        answer = evil.hear()
        assert isinstance(answer, wire.Refused), changes
        assert answer.code == "garbled", changes
    siege.counted("garbled_message", len(NONSENSE))
    assert siege.files() == before


def test_bombs_lies_and_others_chunks_are_refused_in_bounded_memory(siege: Besieged) -> None:
    siege.honest_chunk_lands()
    others = siege.landed()[0]["key"]
    before, memory = siege.files(), siege.memory()
    evil = siege.evil()
    evil.enter()
    evil.say(wire.Block(others, 0, "raw", b"mine now"))
    evil.say(wire.Gone(others, "it never was"))
    siege.counted("stray_block")
    evil.say(offer(size=4 << 30))
    wanted = evil.hear_until(wire.Fetch)
    assert isinstance(wanted, wire.Fetch)
    assert wanted.length <= wire.BODY_MAX_BYTES
    evil.say(wire.Block(wanted.key, 0, "zstd", zstandard.ZstdCompressor(level=19).compress(bytes(1 << 30))))
    assert isinstance(evil.hear_until(wire.Refused), wire.Refused)
    evil.say(wire.Block(wanted.key, 1 << 30, "raw", b"far beyond"))
    siege.counted("stray_block", 2)
    siege.honest_chunk_lands()
    assert siege.memory() - memory < GROWTH_MB
    assert all("/incoming/evil." in f"/{each}" for each in siege.files() - before if "evil" in each)


def test_bytes_that_are_not_those_promised_are_never_stored(siege: Besieged) -> None:
    evil = siege.evil()
    evil.enter()
    evil.say(offer(size=5))
    for _ in range(3):
        wanted = evil.hear_until(wire.Fetch)
        assert isinstance(wanted, wire.Fetch)
        evil.say(wire.Block(wanted.key, 0, "raw", b"other"))
    answer = evil.hear_until(wire.Refused)
    assert isinstance(answer, wire.Refused)
    assert answer.code == "content"
    siege.counted("refused_content")
    assert siege.landed() == []
    assert not [each for each in siege.files() if "evil" in each and not each.endswith(".public")]


def test_a_chunk_offered_again_with_other_bytes_keeps_the_first(siege: Besieged) -> None:
    evil = siege.evil()
    evil.enter()
    data = b"first"
    good = offer(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    evil.say(good)
    wanted = evil.hear_until(wire.Fetch)
    assert isinstance(wanted, wire.Fetch)
    evil.say(wire.Block(wanted.key, 0, "raw", data))
    evil.hear_until(wire.Receipt)
    evil.say(offer(size=5, sha256=SHA))
    answer = evil.hear_until(wire.Refused)
    assert isinstance(answer, wire.Refused)
    assert answer.code == "conflict"
    assert [row["sha256"] for row in siege.landed()] == [good.sha256]


def test_fuzzed_garbage_stops_nobody_and_writes_nothing_outside(siege: Besieged) -> None:
    siege.honest_chunk_lands()
    before, memory = siege.files(), siege.memory()
    evil = siege.evil()
    evil.enter()
    sent = fuzz(evil, FUZZ_SECONDS, FUZZ_SEED)
    siege.honest_chunk_lands()
    assert siege.processes["landing"].poll() is None, siege.logs()
    assert siege.counters()["garbled_message"] > 0
    assert siege.memory() - memory < GROWTH_MB
    assert not (siege.data / "archive" / "evil").exists()
    odd = {each for each in siege.files() - before if not each.startswith(("pcaps/", "spool/", "data/archive/s1/"))}
    assert all(each.startswith("data/incoming/evil.") for each in odd), odd
    print(f"{sent} messages of seed {FUZZ_SEED}: {siege.counters()}")


def test_two_hundred_half_open_connections_keep_nobody_out(siege: Besieged) -> None:
    memory = siege.memory()
    crowd = [socket.create_connection(("127.0.0.1", siege.port), 5) for _ in range(200)]
    for number, each in enumerate(crowd):
        each.sendall((b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(50))[: number % 64 + 1])
    try:
        siege.honest_chunk_lands()
        assert siege.memory() - memory < GROWTH_MB
    finally:
        for each in crowd:
            each.close()
