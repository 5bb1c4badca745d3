"""Whether a sensor that was just changed works: a pure judgement of the facts, made again and again until it passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hayrick_deploy.facts import Facts
from hayrick_deploy.operations import Plan

CHANGES = {"start", "restart", "replace"}


@dataclass(frozen=True)
class Verdict:
    """`words` say how it stands; `quiet`: all is well but for packets, of which there were none to ship."""

    passed: bool
    words: str
    quiet: bool = False


class Gate:
    """Judges a sensor against what it was before the change."""

    def __init__(self, before: Facts, plan: Plan) -> None:
        self.wanted = bool(CHANGES & set(plan.names()))
        self._pid = before.status.get("pid")

    def judge(self, now: Facts) -> Verdict:
        """Passed once the new process runs, is online and has had a chunk received."""
        report = now.status
        if not now.running or not report:
            return Verdict(False, "the sensor does not run")
        if report.get("pid") == self._pid:
            return Verdict(False, "the old sensor still runs")
        for name, stream in report.get("streams", {}).items():
            if problem := (stream.get("capture") or {}).get("problem"):
                return Verdict(False, f"{name}: tcpdump: {problem}")
        if not report.get("online"):
            return Verdict(False, f"the collector is not reached: {report.get('link_problem') or 'no answer'}")
        if report.get("counters", {}).get("landed_chunks", 0):
            return Verdict(True, "works: a chunk was captured, shipped and received")
        if _captured(report):
            return Verdict(False, "it captures, but no chunk was received yet")
        return Verdict(False, "works, but there was nothing to capture yet", quiet=True)


def _captured(report: dict[str, Any]) -> int:
    streams = report.get("streams", {}).values()
    return sum(each["capture"]["packets"].get("captured", 0) for each in streams if each.get("capture"))
