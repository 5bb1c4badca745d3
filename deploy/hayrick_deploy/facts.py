"""What is so on a host, read by one script in one round trip. Reading changes nothing: that is operations' part."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass, field
from typing import Any

from hayrick_common.errors import HayrickError
from hayrick_deploy.connection import Connection

ROOT = "/opt/hayrick"
USER = "hayrick"
SERVICE = "hayrick-sensor"
OLDEST_PYTHON = (3, 10)

# Prints KEY=VALUE lines. POSIX sh, since nothing else is certain to be there. $1 is the spool, $2 the settings file.
SCRIPT = r"""
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
say() { printf '%s=%s\n' "$1" "$2"; }
hash() { [ -r "$1" ] && sha256sum "$1" 2>/dev/null | cut -d' ' -f1; }
( . /etc/os-release 2>/dev/null; say system "$ID $VERSION_ID" )
say machine "$(uname -m)"
say libc "$(getconf GNU_LIBC_VERSION 2>/dev/null)"
say root "$(id -u)"
say time "$(date +%s)"
for each in python3.14 python3.13 python3.12 python3.11 python3.10 python3; do
    path=$(command -v "$each") || continue
    try='import asyncio, ctypes, sqlite3, ssl, sys; print(*sys.version_info[:2])'
    told=$("$path" -Ic "$try" 2>/dev/null) || continue
    say python "$told $path"
done
say tcpdump "$(command -v tcpdump)"
say setpriv "$(command -v setpriv)"
manager=none
[ -e /run/openrc/softlevel ] && manager=openrc # the folder alone is there as soon as OpenRC is installed
[ -d /run/systemd/system ] && manager=systemd
say manager $manager
id hayrick >/dev/null 2>&1 && say user hayrick
say current "$(basename "$(readlink /opt/hayrick/current 2>/dev/null)" 2>/dev/null)"
for each in /opt/hayrick/releases/*; do [ -f "$each/MANIFEST.json" ] && say release "$(basename "$each")"; done
say settings "$(hash "$2")"
say unit "$(hash /etc/systemd/system/hayrick-sensor.service)$(hash /etc/init.d/hayrick-sensor)"
say key "$(cat "$1/keys/sensor.public" 2>/dev/null)"
say free_kb "$(df -Pk /opt 2>/dev/null | awk 'NR == 2 {print $4}')"
for each in /sys/class/net/*; do say interface "$(basename "$each")"; done
if [ -x /opt/hayrick/current/bin/hayrick ] && [ -r "$2" ]; then
    say status "$(/opt/hayrick/current/bin/hayrick sensor status --json --config "$2" 2>/dev/null | tr -d '\n')"
fi
[ -x /opt/hayrick/supervise ] && say supervised "$(/opt/hayrick/supervise status 2>/dev/null)"
command -v systemctl >/dev/null 2>&1 && say service "$(systemctl is-active hayrick-sensor 2>/dev/null)"
true
"""
_MANY = ("python", "release", "interface")


@dataclass(frozen=True)
class Python:
    """An interpreter on a host."""

    version: tuple[int, int]
    path: str


@dataclass(frozen=True)
class Facts:
    """A host as it was found. Empty text stands for what is not there."""

    system: str
    machine: str
    glibc: tuple[int, int]
    is_root: bool
    pythons: tuple[Python, ...]
    tcpdump: str
    manager: str
    user: str
    current: str
    releases: tuple[str, ...]
    settings_sha256: str
    unit_sha256: str
    public_key: str
    free_bytes: int
    interfaces: tuple[str, ...]
    setpriv: str = ""
    clock_skew_seconds: float = 0.0
    running: bool = False
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def python(self) -> Python | None:
        """The newest that the sensor runs on."""
        fit = [each for each in self.pythons if each.version >= OLDEST_PYTHON]
        return max(fit, key=lambda each: each.version, default=None)


def read(connection: Connection, spool: str, settings_path: str) -> Facts:
    """Ask a host; HayrickError when it answers with something else than facts."""
    command = f"sh -s {shlex.quote(spool)} {shlex.quote(settings_path)}"
    before = time.time()
    done = connection.run(command, stdin=SCRIPT.encode(), root=True)
    if done.code:
        raise HayrickError(f"reading the host failed: {done.problem}")
    return parse(done.out, before, time.time())


def parse(text: str, before: float, after: float) -> Facts:
    """Facts from the script's output; it ran between `before` and `after` by our own clock, seconds since 1970."""
    one: dict[str, str] = {}
    many: dict[str, list[str]] = {name: [] for name in _MANY}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key in many:
            many[key].append(value)
        else:
            one[key] = value.strip()
    if not one.get("machine"):
        raise HayrickError(f"reading the host gave no facts but: {text[:200]!r}")
    status = _json(one.get("status", ""))
    return Facts(
        system=one.get("system", ""),
        machine=one["machine"],
        glibc=_version(one.get("libc", "").rpartition(" ")[2]),
        is_root=one.get("root") == "0",
        pythons=tuple(_pythons(many["python"])),
        tcpdump=one.get("tcpdump", ""),
        manager=one.get("manager", "none"),
        user=one.get("user", ""),
        current=one.get("current", ""),
        releases=tuple(many["release"]),
        settings_sha256=one.get("settings", ""),
        unit_sha256=one.get("unit", ""),
        public_key=one.get("key", ""),
        free_bytes=int(one.get("free_kb") or 0) * 1024,
        interfaces=tuple(many["interface"]),
        setpriv=one.get("setpriv", ""),
        clock_skew_seconds=_outside(int(one.get("time") or after), before, after),
        running=bool(status.get("running")) or one.get("service") == "active" or one.get("supervised") == "running",
        status=status,
    )


def _outside(told: int, before: float, after: float) -> float:
    """By how much a clock of whole seconds is off for certain."""
    return min(0.0, told + 1 - before) + max(0.0, told - after)


def _pythons(lines: list[str]) -> list[Python]:
    found = []
    for line in lines:
        major, minor, path = line.split(" ", 2)
        found.append(Python((int(major), int(minor)), path))
    return found


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
