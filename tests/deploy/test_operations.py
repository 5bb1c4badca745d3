"""What `up` would do follows from facts alone, and is nothing once it is done."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest

from hayrick_deploy import operations as op
from hayrick_deploy.artefact import Bundle, tar
from hayrick_deploy.facts import Facts, Python, parse
from hayrick_deploy.gate import Gate
from hayrick_deploy.inventory import Collector, Host, Ssh
from hayrick_deploy.settings import render, settings
from hayrick_deploy.units import unit

KEY, OTHER = "k" * 40, "o" * 40
HOST = Host("web-1", Ssh("10.0.0.11"), {"streams": [{"name": "wan", "interface": "eth0"}]})
TEXT = render(HOST, Collector("tcp://10.0.0.5:8006"), KEY)
TAR = tar({"install.py": b"pass"})
WANTED = op.Wanted(settings(HOST, TEXT), TEXT, lambda python, facts: Bundle("0.1.0-new", TAR))
BARE = Facts(
    system="debian 12", machine="x86_64", glibc=(2, 36), is_root=True, pythons=(Python((3, 11), "/usr/bin/python3"),),
    tcpdump="/usr/bin/tcpdump", manager="systemd", user="", current="", releases=(), settings_sha256="",
    unit_sha256="", public_key="", free_bytes=10**10, interfaces=("lo", "eth0"), setpriv="/usr/bin/setpriv",
)  # fmt: skip


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


DONE = dataclasses.replace(
    BARE, user="hayrick", current="0.1.0-new", releases=("0.1.0-new",), settings_sha256=sha256(TEXT),
    unit_sha256=sha256(unit("systemd", WANTED.spool)[1]), public_key=OTHER, running=True,
)  # fmt: skip


def names(facts: Facts, allowed: str = OTHER) -> list[str]:
    return op.plan(WANTED, facts, allowed).names()


def test_a_bare_host_gets_everything_and_what_runs_comes_last() -> None:
    wanted = ["user", "folders", "release", "settings", "key", "allow", "unit", "switch", "start"]
    assert names(BARE, "") == wanted


def test_a_host_that_is_as_wanted_is_left_alone() -> None:
    assert names(DONE) == []


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"current": "0.1.0-old", "releases": ("0.1.0-old",)}, ["release", "switch", "replace"]),
        ({"settings_sha256": "x"}, ["settings", "restart"]),
        ({"unit_sha256": "x"}, ["unit", "restart"]),
        ({"running": False}, ["start"]),
        ({"public_key": ""}, ["key"]),
        ({"releases": ("a", "b", "0.1.0-new")}, ["tidy"]),
    ],
)
def test_what_differs_is_mended_and_nothing_else(change: dict[str, Any], wanted: list[str]) -> None:
    assert names(dataclasses.replace(DONE, **change)) == wanted


def test_tidying_keeps_the_release_to_roll_back_to() -> None:
    facts = dataclasses.replace(DONE, current="0.1.0-old", releases=("0.0.9", "0.1.0-old", "0.1.0-new"))
    tidy = op.plan(WANTED, facts, OTHER).operations[-1]
    assert tidy.steps == (op.Run("rm -rf /opt/hayrick/releases/0.0.9"),)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tcpdump": ""}, "no tcpdump"),
        ({"pythons": (Python((3, 6), "/usr/bin/python3"),)}, "needs Python 3.10"),
        ({"interfaces": ("lo",)}, "no interface eth0"),
        ({"free_bytes": 10**6}, "1 MB free"),
        ({"is_root": False}, "not root"),
        ({"glibc": (0, 0)}, "no glibc"),
        ({"setpriv": ""}, "no setpriv"),
    ],
)
def test_what_stands_in_the_way_is_said_and_nothing_is_done(change: dict[str, Any], said: str) -> None:
    plan = op.plan(WANTED, dataclasses.replace(BARE, **change), "")
    assert said in "\n".join(plan.problems)
    assert plan.operations == ()


def test_a_sensor_that_is_to_ship_records_needs_a_decoder_in_the_wheelhouse() -> None:
    streams = [dataclasses.replace(each, ship="records") for each in WANTED.settings.streams]
    wanted = dataclasses.replace(WANTED, settings=dataclasses.replace(WANTED.settings, streams=streams))
    plan = op.plan(wanted, BARE, "")
    assert "has no decoder" in plan.problems[0]
    assert plan.operations == ()
    brought = Bundle("0.1.0-new", tar({"install.py": b"pass", "wheels/hayrick_decode-0.1.0-cp310-abi3-linux.whl": b""}))
    plan = op.plan(dataclasses.replace(wanted, bundle=lambda python, facts: brought), BARE, "")
    assert plan.problems == ()
    assert "release" in plan.names()


def test_a_host_with_another_key_than_the_allowed_one_is_not_let_in() -> None:
    plan = op.plan(WANTED, DONE, KEY)
    assert "its key is not the one" in plan.problems[0]
    assert plan.operations == ()


def test_facts_are_read_from_what_a_host_says() -> None:
    said = "system=debian 12\nmachine=x86_64\nlibc=glibc 2.36\nroot=0\ntime=1000\npython=3 9 /usr/bin/python3.9\n"
    said += 'python=3 13 /usr/bin/python3\ninterface=lo\ninterface=eth0\nfree_kb=10\nstatus={"running": true}\n'
    facts = parse(said, 1003.5, 1004.5)
    assert (facts.glibc, facts.is_root, facts.free_bytes) == ((2, 36), True, 10_240)
    assert facts.python == Python((3, 13), "/usr/bin/python3")
    assert facts.interfaces == ("lo", "eth0")
    assert facts.running
    assert facts.clock_skew_seconds == pytest.approx(-2.5)


def report(pid: int, *, landed: int = 0, captured: int = 0, online: bool = True, problem: str = "") -> dict[str, Any]:
    stream = {"capture": {"problem": problem, "packets": {"captured": captured}}}
    return {"pid": pid, "online": online, "counters": {"landed_chunks": landed}, "streams": {"wan": stream}}


@pytest.mark.parametrize(
    ("status", "passed", "quiet"),
    [
        ({}, False, False),
        (report(1, landed=5), False, False),  # the one from before still runs
        (report(2, online=False, captured=3), False, False),
        (report(2, problem="no permission", landed=1), False, False),
        (report(2, captured=9), False, False),
        (report(2), False, True),
        (report(2, captured=9, landed=1), True, False),
    ],
)
def test_only_a_new_sensor_whose_chunk_was_received_passes_the_gate(
    status: dict[str, Any], passed: bool, quiet: bool
) -> None:
    before = dataclasses.replace(DONE, status=report(1))
    gate = Gate(before, op.Plan(operations=(op.Operation("replace", ""),)))
    verdict = gate.judge(dataclasses.replace(DONE, status=status))
    assert (verdict.passed, verdict.quiet) == (passed, quiet)
