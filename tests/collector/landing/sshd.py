"""A real OpenSSH server on a port of its own, and a fleet whose sensor delivers through it."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.collector.landing.fleet import Fleet

SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {root}/host
PidFile none
AuthorizedKeysFile {root}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


def keygen(path: Path) -> Path:
    """A private key in `path`, its public half in `path`.pub."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, timeout=30)
    return path


def prepare(root: Path, port: int) -> list[str]:
    """Fresh keys `host` and `client` in `root`, settings, and the server's key in `known_hosts`; the command to run."""
    root.mkdir()
    for name in ("host", "client"):
        keygen(root / name)
    (root / "authorized_keys").write_text((root / "client.pub").read_text())
    (root / "sshd_config").write_text(SSHD.format(port=port, root=root))
    (root / "known_hosts").write_text(f"[127.0.0.1]:{port} {(root / 'host.pub').read_text()}")
    Path("/run/sshd").mkdir(exist_ok=True)
    return ["/usr/sbin/sshd", "-D", "-e", "-f", str(root / "sshd_config")]


class Sshd:
    """`restart()` ends every connection too, as if the machine had gone."""

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, free_port()
        self.command = prepare(root, self.port)
        self.known_hosts = root / "known_hosts"
        self.start()

    def trust(self, public: Path) -> None:
        """Let the sensor know this key as the server's."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public.read_text()}")

    def start(self) -> None:
        with (self.root / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < deadline, (self.root / "sshd.log").read_text()
            time.sleep(0.05)

    def connections(self) -> list[int]:
        """The processes that serve connections, by number."""
        return [pid for child in _children(self.process.pid) for pid in [child, *_children(child)]]

    def cut(self) -> None:
        """kill -9 every process that serves a connection."""
        for pid in self.connections():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def aim(self, config: Path, drop: Path) -> None:
        """Have the sensor of these settings deliver into `drop` through this sshd."""
        old = config.read_text()
        begin, end = old.index("[collector]"), old.index("[[streams]]")
        config.write_text(
            f'{old[:begin]}[collector]\ntransport = "sftp"\n'
            f'address = "sftp://{getpass.getuser()}@127.0.0.1:{self.port}{drop}"\n'
            f'key_file = "{self.root / "client"}"\nknown_hosts = "{self.known_hosts}"\n{old[end:]}'
        )

    def close(self) -> None:
        self.cut()
        self.process.kill()
        self.process.wait(10)


class SftpFleet(Fleet):
    """Its sensor s1 adopts the folder `pcaps` and delivers into `data/drop/s1` through `sshd`."""

    def __init__(self, root: Path) -> None:
        (root / "pcaps").mkdir()
        super().__init__(root, f'name = "adopted"\nfolder = "{root / "pcaps"}"')
        self.sshd = Sshd(root / "sshd")
        self.drop = self.data / "drop" / "s1"
        self.drop.mkdir(parents=True)
        self.sshd.aim(self.config, self.drop)

    def parts(self) -> int:
        """Bytes of chunks that are half delivered."""
        total = 0
        for path in self.drop.glob(".*.pcap.*part"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def close(self) -> None:
        super().close()
        self.sshd.close()


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
