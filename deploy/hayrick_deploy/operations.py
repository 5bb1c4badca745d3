"""What has to be done on a host: from what is wanted and the facts to a list of operations, without touching anything.

The order is that in which an interrupted `up` does least harm: what runs is changed last, and by one rename.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hayrick_deploy.artefact import Bundle
from hayrick_deploy.connection import Connection, must, put
from hayrick_deploy.facts import OLDEST_PYTHON, ROOT, SERVICE, USER, Facts, Python
from hayrick_deploy.settings import PATH as SETTINGS
from hayrick_deploy.units import unit
from hayrick_sensor.config import SensorSettings

ROOM_FOR_A_RELEASE = 200_000_000
SKEW_WORTH_TELLING_SECONDS = 2.0
INCOMING = f"{ROOT}/incoming.tar"
AS_USER = f"setpriv --reuid {USER} --regid {USER} --init-groups --"
SUPERVISE = f'#!/bin/sh\nexec {ROOT}/current/bin/python {ROOT}/current/supervise.py "$@"\n'


@dataclass(frozen=True)
class Run:
    """A shell command, run as root."""

    command: str
    seconds: float = 120


@dataclass(frozen=True)
class Put:
    """A file, whole or not at all; whoever owns its folder owns it."""

    path: str
    data: bytes
    mode: int


@dataclass(frozen=True)
class Operation:
    """One change, in a person's words, and the steps that make it."""

    name: str
    words: str
    steps: tuple[Run | Put, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """How a host should be. `bundle` gives the release for a host of this kind."""

    settings: SensorSettings
    settings_text: str
    bundle: Callable[[Python, Facts], Bundle]
    keep_releases: int = 2

    @property
    def spool(self) -> str:
        """Where chunks, journal and keys lie."""
        return str(self.settings.spool)


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what stands in the way."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    release_before: str = ""

    def names(self) -> list[str]:
        """Of the operations, in order."""
        return [each.name for each in self.operations]


def problems(facts: Facts, settings: SensorSettings) -> Iterator[str]:
    """What keeps a sensor from running there."""
    if not facts.is_root:
        yield "the user that logs in is not root, and sudo does not make it root"
    if facts.python is None:
        found = ", ".join(f"{each.version[0]}.{each.version[1]}" for each in facts.pythons) or "none"
        wanted = f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}"
        yield f"needs Python {wanted} or later, with its whole standard library (found: {found})"
    if facts.glibc == (0, 0):
        yield "has no glibc: there are no wheels for it"
    captured = [each.interface for each in settings.streams if each.interface]
    if captured and not facts.tcpdump:
        yield "has no tcpdump: install it with the host's package manager"
    for interface in captured:
        if interface != "any" and interface not in facts.interfaces:
            yield f"has no interface {interface} (it has {', '.join(facts.interfaces)})"
    if not facts.setpriv:
        yield "has no setpriv (package util-linux)"
    if not facts.current and facts.free_bytes < ROOM_FOR_A_RELEASE:
        free, needed = facts.free_bytes // 1_000_000, ROOM_FOR_A_RELEASE // 1_000_000
        yield f"has {free} MB free in /opt; a release needs {needed} MB"


def warnings(facts: Facts) -> Iterator[str]:
    """What one should know."""
    if abs(facts.clock_skew_seconds) >= SKEW_WORTH_TELLING_SECONDS:
        yield f"its clock is {facts.clock_skew_seconds:+.0f} s off"
    if facts.manager == "none":
        unkept = "has neither systemd nor OpenRC: the sensor is kept running, but not started when the host boots"
        yield f"{unkept}; let what runs then do `{ROOT}/supervise start`"


def plan(wanted: Wanted, facts: Facts, allowed: str) -> Plan:
    """What makes the host as wanted, nothing where it is so already. `allowed` is the key that the collector lets in
    under the host's name; empty: none."""
    wrong = list(problems(facts, wanted.settings))
    if allowed and facts.public_key and allowed != facts.public_key:
        wrong.append(
            "its key is not the one that the collector allows for this name: somebody else may be using the name; "
            "if the host was installed anew, run `hayrick fleet rotate` for it"
        )
    if wrong or facts.python is None:
        return Plan(tuple(wrong), tuple(warnings(facts)))
    bundle = wanted.bundle(facts.python, facts)
    if any(each.ship == "records" for each in wanted.settings.streams) and not bundle.holds("hayrick_decode"):
        lacking = (
            "a stream ships records, and the wheelhouse has no decoder: put its wheel (hayrick_decode-*.whl) there"
        )
        return Plan((lacking,), tuple(warnings(facts)))
    operations = tuple(_operations(wanted, facts, facts.python, bundle, allowed))
    return Plan((), tuple(warnings(facts)), operations, facts.current)


def _operations(wanted: Wanted, facts: Facts, python: Python, bundle: Bundle, allowed: str) -> Iterator[Operation]:
    new_release = facts.current != bundle.release
    new_settings = facts.settings_sha256 != _sha256(wanted.settings_text)
    unit_path, unit_text = unit(facts.manager, wanted.spool)
    new_unit = bool(unit_path) and facts.unit_sha256 != _sha256(unit_text)
    if not facts.user:
        yield make_user()
    if not facts.current:
        yield make_folders(wanted.spool)
    if bundle.release not in facts.releases:
        yield install(bundle, python)
    if new_settings:
        yield write_settings(wanted.settings_text, had=bool(facts.settings_sha256))
    if not facts.public_key:
        yield make_key(bundle.release, wanted.spool)
    if wanted.settings.collector.transport == "zeromq" and not allowed:
        yield Operation("allow", "put its public key on the collector's allow-list")
    if new_unit:
        yield write_unit(facts.manager, unit_path, unit_text)
    if new_release:
        yield switch(bundle.release, facts.current)
    yield from _service(facts, new_release, new_settings or new_unit)
    if stale := _stale(facts, bundle.release, wanted.keep_releases):
        yield Operation("tidy", f"remove {len(stale)} old release(s)", (Run(_remove(stale)),))


def _service(facts: Facts, new_release: bool, new_settings: bool) -> Iterator[Operation]:
    if not facts.running:
        yield Operation("start", "start the sensor", (Run(service(facts.manager, "start")),))
    elif new_settings:
        yield restart(facts.manager)
    elif new_release:
        words = "let the new release take over from the running one, while tcpdump goes on"
        yield Operation("replace", words, (Run(service(facts.manager, "replace")),))


def restart(manager: str) -> Operation:
    """Stop and start."""
    return Operation("restart", "restart the sensor: a moment is not captured", (Run(service(manager, "restart")),))


def make_user() -> Operation:
    """The user that the sensor runs as."""
    command = (
        f"useradd --system --user-group --home-dir /var/lib/hayrick --no-create-home --shell /usr/sbin/nologin {USER}"
    )
    return Operation("user", f"make the user {USER}", (Run(command),))


def make_folders(spool: str) -> Operation:
    """Where releases, settings and chunks lie."""
    owned = shlex.quote(spool)
    command = (
        f"mkdir -p -m 755 {ROOT} {ROOT}/releases && mkdir -p -m 750 /etc/hayrick && chgrp {USER} /etc/hayrick && "
        f"mkdir -p {owned} && chown {USER}:{USER} {owned} && chmod 750 {owned}"
    )
    wrapper = Put(f"{ROOT}/supervise", SUPERVISE.encode(), 0o755)
    return Operation("folders", f"make {ROOT}, /etc/hayrick and {spool}", (Run(command), wrapper))


def install(bundle: Bundle, python: Python) -> Operation:
    """Send a release and unpack it beside the running one."""
    script = f"{ROOT}/install.py"
    command = (
        f"{shlex.quote(python.path)} -I {script} {INCOMING} {bundle.sha256} {shlex.quote(bundle.release)}; "
        f"code=$?; rm -f {INCOMING} {script}; exit $code"
    )
    size = f"{len(bundle.data) / 1_000_000:.0f} MB"
    return Operation(
        "release",
        f"install release {bundle.release} ({size}) under {python.path}",
        (Put(script, bundle.file("install.py"), 0o644), Put(INCOMING, bundle.data, 0o600), Run(command, seconds=600)),
    )


def write_settings(text: str, *, had: bool) -> Operation:
    """The sensor's settings; the ones before stay beside them until all went well."""
    keep = (Run(f"cp -p {SETTINGS} {SETTINGS}.before"),) if had else ()
    return Operation(
        "settings",
        f"{'change' if had else 'write'} {SETTINGS}",
        (*keep, Put(SETTINGS, text.encode(), 0o640)),
    )


def make_key(release: str, spool: str) -> Operation:
    """Keys are made on the host: the secret one never leaves it."""
    command = f"cd / && {AS_USER} {ROOT}/releases/{release}/bin/hayrick sensor keygen --config {SETTINGS}"
    return Operation("key", f"make its keys in {spool}/keys", (Run(command),))


def forget_key(spool: str) -> Operation:
    """Remove the keys, for new ones to be made."""
    folder = shlex.quote(f"{spool}/keys")
    return Operation("forget", "remove its keys", (Run(f"rm -f {folder}/sensor.secret {folder}/sensor.public"),))


def write_unit(manager: str, path: str, text: str) -> Operation:
    """What the init system reads."""
    mode, enable = (
        (0o644, f"systemctl daemon-reload && systemctl enable --quiet {SERVICE}")
        if manager == "systemd"
        else (0o755, f"rc-update add {SERVICE} default")
    )
    return Operation("unit", f"write {path}", (Put(path, text.encode(), mode), Run(enable)))


def switch(release: str, before: str = "") -> Operation:
    """Make a release the running one: one rename."""
    command = f"ln -sfn releases/{release} {ROOT}/current.new && mv -T {ROOT}/current.new {ROOT}/current"
    words = f"switch from {before} to {release}" if before else f"switch to {release}"
    return Operation("switch", words, (Run(command),))


def service(manager: str, action: str) -> str:
    """The command that starts, stops or restarts the sensor, or has it replaced without ending tcpdump."""
    if manager == "systemd":
        kill = f"systemctl reset-failed {SERVICE}; systemctl kill --kill-who=main --signal=KILL {SERVICE}"
        return kill if action == "replace" else f"systemctl {action} {SERVICE}"
    own = f"{ROOT}/supervise"
    if action == "replace":
        return f"{own} replace"
    if manager == "openrc":
        return f"rc-service {SERVICE} {action}"
    return f"{own} stop && {own} start" if action == "restart" else f"{own} {action}"


def roll_back(plan: Plan, manager: str) -> Operation:
    """Bring back the release and the settings from before."""
    restore = f"if [ -f {SETTINGS}.before ]; then mv -f {SETTINGS}.before {SETTINGS}; fi"
    steps = (
        Run(restore) if "settings" in plan.names() else Run("true"),
        *switch(plan.release_before).steps,
        Run(service(manager, "restart")),
    )
    return Operation("roll back", f"roll back to {plan.release_before}", steps)


def take_down(facts: Facts, *, purge: bool, spool: str) -> tuple[Operation, ...]:
    """Stop and remove the software; chunks, journal, keys and settings stay unless they are to go too."""
    stop = Operation("stop", "stop the sensor", (Run(f"{service(facts.manager, 'stop')} || true"),))
    path, _ = unit(facts.manager, spool)
    forget = {"systemd": f"systemctl disable --quiet {SERVICE}; ", "openrc": f"rc-update del {SERVICE}; "}
    command = f"{forget.get(facts.manager, '')}rm -rf {ROOT} {path}".strip()
    remove = Operation("remove", f"remove {ROOT}", (Run(command),))
    if not purge:
        return stop, remove
    gone = f"rm -rf {shlex.quote(spool)} /etc/hayrick /var/log/hayrick; userdel {USER} || true"
    return stop, remove, Operation("purge", f"delete {spool}, /etc/hayrick and the user {USER}", (Run(gone),))


def carry_out(connection: Connection, operation: Operation) -> str:
    """Make one change; what its last command printed. HayrickError says which step failed."""
    said = ""
    for step in operation.steps:
        if isinstance(step, Put):
            put(connection, step.path, step.data, step.mode)
        else:
            said = must(connection, step.command, seconds=step.seconds)
    return said


def _stale(facts: Facts, release: str, keep: int) -> list[str]:
    """Releases that go: all but the wanted, the running and as many of the others as are kept."""
    kept = {release, facts.current}
    others = [each for each in facts.releases if each not in kept]
    return others[: max(0, len(others) - max(0, keep - len(kept)))]


def _remove(releases: list[str]) -> str:
    return "rm -rf " + " ".join(shlex.quote(f"{ROOT}/releases/{each}") for each in releases)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
