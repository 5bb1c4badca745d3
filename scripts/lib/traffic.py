"""Real servers and real clients: HTTP (http.server, curl), DNS (dnsmasq, dig), TLS (openssl s_server, curl)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from network import Network
from processes import Process, answers, run, running, wait_until

DOMAIN = "hayrick.test"
PER_TURN = {"http": 3, "dns": 4, "tls": 2}
PAGES = {
    "index.html": "<!doctype html><title>Hayrick</title><h1>A field of hay</h1>\n",
    "bales.csv": "bale,needles\n1,0\n2,0\n3,1\n",
}


@contextmanager
def servers(net: Network, folder: Path) -> Iterator[list[Process]]:
    """HTTP on 80, TLS on 443 and DNS on 53 of the server's address, for as long as the block runs."""
    folder.mkdir()
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    _certificate(folder)
    with ExitStack() as stack:
        started = [
            stack.enter_context(running(name, [*net.inside, *command], folder.parent / f"{name}.log", folder))
            for name, command in _commands(net).items()
        ]
        for port, process in zip((80, 443, 53), started, strict=True):
            wait_until(partial(answers, net.server, port), f"{process.name} on port {port}", 10, process)
        yield started


def _commands(net: Network) -> dict[str, list[str]]:
    names = {
        "address": f"/{DOMAIN}/{net.server}",
        "mx-host": f"{DOMAIN},mail.{DOMAIN},10",
        "txt-record": f"{DOMAIN},hay",
    }
    return {
        "http": [sys.executable, "-m", "http.server", "80", "--bind", net.server],
        "tls": ["openssl", "s_server", "-accept", f"{net.server}:443", "-WWW", "-cert", "tls.pem", "-key", "tls.key"],
        "dns": ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"]
        + [f"--listen-address={net.server}", "--user=root", "--pid-file="]
        + [f"--{key}={value}" for key, value in names.items()],
    }


def _certificate(folder: Path) -> None:
    name = f"secure.{DOMAIN}"
    run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", f"/O=Hayrick quickstart/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        + ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.pem")]
    )


def talk(net: Network, folder: Path) -> None:
    """One turn of every client, PER_TURN sessions: several kinds of question, pages found and not, TLS 1.2 and 1.3."""
    for kind, name in (("A", f"www.{DOMAIN}"), ("AAAA", f"www.{DOMAIN}"), ("MX", DOMAIN), ("TXT", DOMAIN)):
        run(["dig", "-b", net.client, "+tries=1", "+time=3", f"@{net.server}", name, kind])
    for path in ("", "bales.csv", "admin/login.php?user=needle"):
        _curl(net, "http", "www", 80, path)
    for version in ("1.2", "1.3"):
        _curl(net, "https", "secure", 443, "index.html", "--tls-max", version, "--cacert", str(folder / "tls.pem"))


def _curl(net: Network, scheme: str, host: str, port: int, path: str, *more: str) -> None:
    name = f"{host}.{DOMAIN}"
    run(
        ["curl", "--silent", "--show-error", "--max-time", "10", "--output", "/dev/null", "--interface", net.client]
        + ["--noproxy", "*", "--resolve", f"{name}:{port}:{net.server}", *more, f"{scheme}://{name}/{path}"]
    )
