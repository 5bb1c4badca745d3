"""Hosts over SSH (paramiko): host keys checked, jump hosts, agent and key files, sudo with or without a password."""

from __future__ import annotations

import contextlib
import getpass
import shlex
import socket
import threading
import time
from typing import Any

import paramiko

from hayrick_common.errors import HayrickError
from hayrick_deploy.connection import Done, UnreachableError
from hayrick_deploy.inventory import Ssh

MOST_OUTPUT = 1_000_000


class SshConnection:
    """One host, for one thread at a time."""

    def __init__(self, ssh: Ssh, sudo_password: str = "") -> None:
        self._ssh = ssh
        self._password = sudo_password
        self._sudo = ""
        self._hops: list[paramiko.SSHClient] = []
        try:
            self._client = self._connect()
        except BaseException:
            self.close()
            raise

    def run(self, command: str, *, stdin: bytes = b"", root: bool = False, seconds: float = 120) -> Done:
        """Run a shell command, as root if asked."""
        prefix, before = self._as_root() if root else ("", b"")
        line = f"{prefix}sh -c {shlex.quote(command)}" if prefix else command
        return self._run(line, before + stdin, seconds)

    def close(self) -> None:
        """Close the connection and those it goes through."""
        for hop in reversed(self._hops):
            hop.close()

    def _as_root(self) -> tuple[str, bytes]:
        """What to put before a command, and before its input."""
        if self._ssh.user == "root":
            return "", b""
        if not self._sudo:
            self._sudo = "sudo -n " if self._run("sudo -n true", b"", 30).code == 0 else "sudo -k -S -p '' "
        if self._sudo == "sudo -n ":
            return self._sudo, b""
        if not self._password:
            raise HayrickError(f"{self._ssh.user} needs a password for sudo: run it with --ask-sudo-password")
        return self._sudo, self._password.encode() + b"\n"

    def _run(self, line: str, stdin: bytes, seconds: float) -> Done:
        deadline = time.monotonic() + seconds
        try:
            channel = self._transport().open_session(timeout=self._ssh.connect_seconds)
            with contextlib.closing(channel):
                channel.exec_command(line)
                return _finish(channel, stdin, deadline, seconds)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise UnreachableError(f"the connection was lost: {_words(error)}") from error

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport()
        if transport is None:
            raise UnreachableError("the connection is closed")
        return transport

    def _connect(self) -> paramiko.SSHClient:
        through = None
        if self._ssh.jump:
            user, _, place = self._ssh.jump.rpartition("@")
            host, _, port = place.partition(":")
            hop = self._open(host, int(port or 22), user or self._ssh.user, None)
            transport = hop.get_transport()
            if transport is None:
                raise UnreachableError(f"{host}: the connection is closed")
            with _unreachable(self._ssh.address):
                through = transport.open_channel(
                    "direct-tcpip", (self._ssh.address, self._ssh.port), ("", 0), timeout=self._ssh.connect_seconds
                )
        return self._open(self._ssh.address, self._ssh.port, self._ssh.user, through)

    def _open(self, address: str, port: int, user: str, through: Any) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        self._hops.append(client)
        if self._ssh.known_hosts:
            with _unreachable(str(self._ssh.known_hosts)):
                client.load_host_keys(str(self._ssh.known_hosts.expanduser()))
        else:
            client.load_system_host_keys()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        key_file = self._ssh.key_file and str(self._ssh.key_file.expanduser())
        patience = self._ssh.connect_seconds
        with _unreachable(address):
            client.connect(
                address, port, user or getpass.getuser(), key_filename=key_file, sock=through,
                timeout=patience, banner_timeout=patience, auth_timeout=patience, look_for_keys=key_file is None,
            )  # fmt: skip
        transport = client.get_transport()
        if transport:
            transport.set_keepalive(15)
        return client


def _finish(channel: paramiko.Channel, stdin: bytes, deadline: float, seconds: float) -> Done:
    """Give a command its input, gather what it says until it ends."""
    writer = threading.Thread(target=_feed, args=(channel, stdin), daemon=True)
    writer.start()
    out, err = bytearray(), bytearray()
    while not (channel.exit_status_ready() and not channel.recv_ready() and not channel.recv_stderr_ready()):
        if time.monotonic() > deadline:
            raise HayrickError(f"it did not end within {seconds:.0f} s")
        if not _gather(channel, out, err):
            channel.status_event.wait(0.02)
    while _gather(channel, out, err):
        pass
    code = channel.recv_exit_status()
    return Done(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def _gather(channel: paramiko.Channel, out: bytearray, err: bytearray) -> bool:
    """Read what is there; whether there was anything."""
    some = False
    for ready, read, into in (
        (channel.recv_ready, channel.recv, out),
        (channel.recv_stderr_ready, channel.recv_stderr, err),
    ):
        if ready():
            piece = read(65_536)
            some = some or bool(piece)
            into += piece[: max(0, MOST_OUTPUT - len(into))]
    return some


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        channel.sendall(stdin)
        channel.shutdown_write()


@contextlib.contextmanager
def _unreachable(address: str) -> Any:
    try:
        yield
    except paramiko.BadHostKeyException as error:
        raise UnreachableError(
            f"{address}: ITS HOST KEY HAS CHANGED: somebody may be in between; if you know why, mend known_hosts"
        ) from error
    except paramiko.AuthenticationException as error:
        raise UnreachableError(f"{address}: it does not accept our key") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise UnreachableError(f"{address}: {_words(error)}") from error


def _words(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        return "; ".join(str(each.strerror) for each in error.errors.values())
    if isinstance(error, TimeoutError):
        return "no answer"
    text = str(error) or type(error).__name__
    if "not found in known_hosts" in text:
        return f"{text}: compare `ssh-keyscan` with the host's own key, then add it to known_hosts"
    return text
