"""The main path with real programs only: tcpdump, sensor, collector; HTTP, DNS and TLS servers and their clients."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from network import Network, network
from processes import LateError, Process, answers, free_port, run, running, wait_until
from traffic import PER_TURN, servers, talk

HAYRICK = str(Path(sys.executable).parent / "hayrick")
TURNS = 3
EXPECTED = {name: TURNS * count for name, count in PER_TURN.items()}
SENSOR = "quickstart"
READY_SECONDS = 30
FOUND_SECONDS = 90

SENSOR_TOML = """\
name = "{name}"
spool = "{spool}"
heartbeat_seconds = 2

[collector]
address = "tcp://127.0.0.1:{landing}"
public_key_file = "{key}"

[[streams]]
name = "{interface}"
interface = "{interface}"
filter = "host {client}"
rotate_seconds = 2
"""


def say(text: str) -> None:
    """One step of the story."""
    print(f"\033[1m==> {text}\033[0m" if sys.stdout.isatty() else f"==> {text}", flush=True)


class Rick:
    """One collector and what the command line asks of it."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.data = home / "collector"
        self.port = port or free_port()
        self.landing = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = home / "collector.toml"
        run([HAYRICK, "collector", "init", "--config", str(self.config), "--data", str(self.data)])

    @contextmanager
    def serving(self) -> Iterator[Process]:
        """The collector, once it answers."""
        command = [HAYRICK, "collector", "run", "--config", str(self.config)]
        command += ["--listen", f"127.0.0.1:{self.port}", "--landing", f"tcp://127.0.0.1:{self.landing}"]
        with running("collector", command, self.home / "collector.log") as process:
            wait_until(lambda: answers("127.0.0.1", self.port), f"the collector on {self.url}", READY_SECONDS, process)
            yield process

    @contextmanager
    def sensing(self, net: Network) -> Iterator[Process]:
        """A sensor with a new key, which the collector is told to allow, once its tcpdump writes."""
        spool, config = self.home / "sensor", self.home / "sensor.toml"
        config.write_text(
            SENSOR_TOML.format(
                name=SENSOR,
                spool=spool,
                landing=self.landing,
                key=self.data / "keys" / "collector.public",
                interface=net.interface,
                client=net.client,
            )
        )
        run([HAYRICK, "sensor", "keygen", "--config", str(config)])
        public = (spool / "keys" / "sensor.public").read_bytes()
        (self.data / "keys" / "sensors" / f"{SENSOR}.public").write_bytes(public)
        command = [HAYRICK, "sensor", "run", "--config", str(config)]
        with running("sensor", command, self.home / "sensor.log") as process:
            wait_until(lambda: any(spool.rglob("*.pcap*")), "tcpdump's first file", READY_SECONDS, process)
            yield process

    def ask(self, command: str, *arguments: str) -> str:
        """What `hayrick COMMAND` prints about this collector."""
        return run([HAYRICK, command, *arguments, "--server", self.url])

    def sessions(self, expression: str = "") -> list[dict[str, Any]]:
        """Session documents, of the newest first."""
        return [json.loads(line) for line in self.ask("search", expression, "--limit", "500", "--json").splitlines()]

    def found(self) -> Counter[str]:
        """Sessions by protocol, of those that were looked for."""
        protocols = Counter(name for session in self.sessions() for name in session.get("protocol", ()))
        return Counter({name: protocols[name] for name in EXPECTED})


def capture(rick: Rick, net: Network, folder: Path, watched: list[Process]) -> Counter[str]:
    """Make traffic, then wait until what it left is searchable; the sessions found by protocol."""
    for turn in range(TURNS):
        say(f"traffic, turn {turn + 1} of {TURNS}: dig, curl over HTTP, curl over TLS 1.2 and 1.3")
        talk(net, folder)
        time.sleep(1)
    say(f"waiting until it is shipped, indexed and searchable ({FOUND_SECONDS} s at most)")
    began = time.monotonic()
    found: Counter[str] = Counter()

    def complete() -> bool:
        nonlocal found
        found = rick.found()
        return not missing(found)

    try:
        wait_until(complete, f"{counted(EXPECTED)} sessions", FOUND_SECONDS, *watched)
    except LateError as error:
        print(f"{error}\n{rick.ask('status')}", file=sys.stderr)
    say(f"after {time.monotonic() - began:.1f} s: {counted(found)} sessions")
    return found


def missing(found: Mapping[str, int]) -> list[str]:
    """Protocols of which fewer sessions were found than made."""
    return [name for name, count in EXPECTED.items() if found[name] < count]


def counted(sessions: Mapping[str, int]) -> str:
    """`9 http, 12 dns`."""
    return ", ".join(f"{count} {name}" for name, count in sessions.items())


def show(rick: Rick) -> None:
    """The sessions, and the packets of some of them as tshark reads them."""
    fields = "firstPacket,protocol,source.ip,destination.ip,destination.port,http.host,dns.host,tls.version"
    for expression in ("protocols == [http,dns,tls]", "http.uri == *needle*"):
        say(f"hayrick search '{expression}'")
        print(rick.ask("search", expression, "--limit", "12", "--fields", fields))
    target = rick.home / "needle.pcap"
    say(f"hayrick export 'http.uri == *needle*' -o {target.name}, its first packets by tshark")
    print(rick.ask("export", "http.uri == *needle*", "-o", str(target)), end="")
    print(run(["tshark", "-n", "-c", "8", "-r", str(target)]))
    say("hayrick status")
    print(rick.ask("status"))


def serve(rick: Rick, net: Network, watched: list[Process]) -> None:
    """Until Ctrl-C, or until a part of it ends by itself."""
    say(f"serving on {rick.url} until Ctrl-C; capturing on: try curl http://{net.server}/")
    try:
        while True:
            for process in watched:
                process.check()
            time.sleep(1)
    except KeyboardInterrupt:
        print()


def quickstart(home: Path, args: argparse.Namespace) -> int:
    """Run it all in the folder `home`; 0 if every session that was made was found."""
    with ExitStack() as stack:
        say(f"data, settings and logs in {home}")
        rick = Rick(home, args.port)
        net = stack.enter_context(network(loopback=args.loopback))
        say(f"network {net}")
        watched = [stack.enter_context(rick.serving())]
        say(f"collector: page and API at {rick.url}, chunks at tcp://127.0.0.1:{rick.landing}")
        watched.append(stack.enter_context(rick.sensing(net)))
        say(f"sensor {SENSOR}: tcpdump on {net.interface}, a chunk every 2 s, shipped over ZeroMQ with CURVE")
        watched += stack.enter_context(servers(net, home / "site"))
        found = capture(rick, net, home / "site", watched)
        if lacking := missing(found):
            print(f"quickstart: not all found: {', '.join(lacking)}", file=sys.stderr)
            return 1
        show(rick)
        if not args.once:
            serve(rick, net, watched)
    return 0


def main() -> int:
    """The command line; errors are one line, Ctrl-C is an end like any other."""
    parser = argparse.ArgumentParser(prog="scripts/quickstart", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after showing what was found")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep data, settings and logs there")
    parser.add_argument("--port", type=int, default=8005, help="of the page and API; 0 for any free one (default 8005)")
    parser.add_argument("--loopback", action="store_true", help="make no veth pair, capture on loopback")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ["NO_PROXY"] = "127.0.0.1"
    try:
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            return quickstart(args.keep.resolve(), args)
        with tempfile.TemporaryDirectory(prefix="hayrick-quickstart-") as home:
            return quickstart(Path(home), args)
    except KeyboardInterrupt:
        return 130
    except (RuntimeError, OSError) as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
