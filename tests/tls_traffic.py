"""Real TLS for tests: a server of OpenSSL behind a relay, which keeps what passes and writes it as a capture."""

from __future__ import annotations

import os
import re
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import dpkt
from tests.collector.captures import ethernet, ipv4, write_pcap

LONGEST_S = 60
SEGMENT = 1400
_LISTENS = re.compile(rb"ACCEPT 127\.0\.0\.1:(\d+)\s")
Said = list[tuple[bool, bytes]]


@dataclass
class Relay:
    """Each connection to `port` goes on to the server, which prints into `log`; `said` has, for each, who (True: the
    client) sent what."""

    port: int
    log: Path
    said: list[Said] = field(default_factory=list)

    def capture(self, path: Path) -> Path:
        """All connections so far, one after another, as a classic capture."""
        frames = [frame for number, said in enumerate(self.said) for frame in connection(said, 50_000 + number)]
        return write_pcap(path, frames, step=0.001)


def connection(said: Said, port: int = 50_000, server: int = 443) -> list[bytes]:
    """The frames of a whole TCP connection in which this was said."""
    syn, fin, ack, push = dpkt.tcp.TH_SYN, dpkt.tcp.TH_FIN, dpkt.tcp.TH_ACK, dpkt.tcp.TH_PUSH
    sent = {True: 1001, False: 9001}
    frames = [
        _segment(port, server, True, syn, 1000, 0, b""),
        _segment(port, server, False, syn | ack, 9000, 1001, b""),
        _segment(port, server, True, ack, 1001, 9001, b""),
    ]
    for outward, data in said:
        for at in range(0, len(data), SEGMENT):
            piece = data[at : at + SEGMENT]
            frames.append(_segment(port, server, outward, push | ack, sent[outward], sent[not outward], piece))
            sent[outward] += len(piece)
    frames.append(_segment(port, server, True, fin | ack, sent[True], sent[False], b""))
    frames.append(_segment(port, server, False, fin | ack, sent[False], sent[True] + 1, b""))
    frames.append(_segment(port, server, True, ack, sent[True] + 1, sent[False] + 1, b""))
    return frames


def _segment(port: int, server: int, outward: bool, flags: int, sequence: int, acknowledged: int, data: bytes) -> bytes:
    ports = (port, server) if outward else (server, port)
    segment = dpkt.tcp.TCP(
        sport=ports[0], dport=ports[1], flags=flags, seq=sequence, ack=acknowledged, win=65000, data=data
    )
    ends = ("10.1.0.5", "10.8.8.8") if outward else ("10.8.8.8", "10.1.0.5")
    return ethernet(ipv4(*ends, 6, bytes(segment)))


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate and its key, in files."""
    made, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=sealed.example"]
    subprocess.run([*command, "-keyout", key, "-out", made], check=True, capture_output=True, timeout=LONGEST_S)
    return made, key


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Relay]:
    """`openssl s_server` with these options, in the folder where its certificate and files are, behind a relay."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem", *options]
    log_path = folder / "server.log"
    with log_path.open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
        try:
            with _relay(_port(log_path), log_path) as relay:
                yield relay
        finally:
            server.kill()
            server.communicate(timeout=LONGEST_S)


@contextmanager
def _relay(target: int, log: Path) -> Iterator[Relay]:
    listening = socket.create_server(("127.0.0.1", 0))
    relay = Relay(listening.getsockname()[1], log)
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", target), timeout=LONGEST_S)
            said: Said = []
            relay.said.append(said)
            threads.append(threading.Thread(target=_pass_on, args=(said, near, far)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield relay
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in (accepting, *threads):
            thread.join(LONGEST_S)


def _pass_on(said: Said, near: socket.socket, far: socket.socket) -> None:
    """Both ways, until both ends have ended."""
    with near, far, selectors.DefaultSelector() as both:
        both.register(near, selectors.EVENT_READ, (True, far))
        both.register(far, selectors.EVENT_READ, (False, near))
        try:
            while both.get_map():
                for ready, _ in both.select(LONGEST_S):
                    outward, sink = ready.data
                    data = ready.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                    if not data:
                        both.unregister(ready.fileobj)
                        sink.shutdown(socket.SHUT_WR)
                        continue
                    said.append((outward, data))  # before it goes on: an answer stands behind what it answers
                    sink.sendall(data)
        except OSError:  # an end is gone
            return


def fetch(relay: Relay, path: str, key_log: Path, *options: str) -> bytes:
    """What curl gets of the server; its secrets are added to the key log."""
    command = ["curl", "-sk", "--noproxy", "*", "--max-time", str(LONGEST_S), *options]
    url = f"https://127.0.0.1:{relay.port}{path}"
    environment = {**os.environ, "SSLKEYLOGFILE": str(key_log)}
    done = subprocess.run([*command, url], env=environment, check=True, capture_output=True, timeout=2 * LONGEST_S)
    return done.stdout


def talk(relay: Relay, key_log: Path, steps: list[tuple[str, str]], *options: str, ticket: Path | None = None) -> str:
    """`openssl s_client`: each step is what it is given, and what it or the server must have printed since, before the
    next; at the end the ticket must be there that it writes. Returns all that it printed."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-keylogfile", str(key_log), *options]
    command += ["-sess_out", str(ticket)] if ticket else []
    printed = key_log.with_suffix(".printed")
    with printed.open("wb") as out:
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
        assert client.stdin
        try:
            for said, awaited in steps:
                places = {path: path.stat().st_size if said else 0 for path in (printed, relay.log)}
                client.stdin.write(said.encode("latin-1"))
                client.stdin.flush()
                _until(partial(_printed, awaited.encode("latin-1"), places), f"{awaited!r}")
            if ticket:
                _until(partial(_whole, ticket), "a ticket")
        finally:
            client.kill()
            client.communicate(timeout=LONGEST_S)
    return printed.read_text(errors="replace")


def _printed(awaited: bytes, places: dict[Path, int]) -> bool:
    return any(awaited in path.read_bytes()[start:] for path, start in places.items())


def _whole(ticket: Path) -> bool:
    return ticket.exists() and b"END SSL SESSION" in ticket.read_bytes()


def _until(true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + LONGEST_S
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def _port(log: Path) -> int:
    """Where the server listens, once it does."""
    _until(lambda: _LISTENS.search(log.read_bytes()) is not None, "a server that listens")
    found = _LISTENS.search(log.read_bytes())
    assert found
    return int(found[1])
