"""A hunt finds the sessions whose packets have the pattern, each once, however often it is interrupted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.collector.hunts.conftest import CONNECTIONS, Opened, on_loop, tagged

from hayrick_collector.backend import Search
from hayrick_collector.desk.hunts import Hunts
from hayrick_collector.direct import DirectBackend
from hayrick_collector.hunts import runner
from hayrick_collector.hunts.runner import HuntRunner
from hayrick_collector.hunts.spec import Spec
from hayrick_collector.ingest import process
from hayrick_common.errors import UsageError

YARA = """
rule page { strings: $a = "/page/7" condition: $a }
rule match { condition: page }
rule ok { strings: $b = "200 OK" condition: $b }
"""


async def _hunted(backend: DirectBackend, name: str, spec: Spec, expression: str = "") -> dict[str, Any]:
    await backend.add_hunt(name, Search(expression), spec)
    await backend.work_on_hunt(name)
    return await backend.hunt(name)


@on_loop
async def test_each_kind_finds_what_it_says(opened: Opened) -> None:
    cases = {
        "text": (Spec("text", "page/1"), ["example/page/1", "example/page/10", "example/page/11"]),
        "hex": (Spec("hex", b"/page/3 ".hex()), ["example/page/3"]),
        "regex": (Spec("regex", r"GET /page/[45] .*www\.EXAMPLE"), []),
        "any": (Spec("regex", r"(?s)GET /page/[45] .*www\.EXAMPLE"), ["example/page/4", "example/page/5"]),
        "bpf": (Spec("bpf", "tcp port 50002 or udp port 53"), ["dns", "example/page/2"]),
        "server": (Spec("text", "GET", side="server"), []),
        "client": (Spec("text", "page/2", side="client", raw=True), ["example/page/2"]),
        "headers": (Spec("hex", "c352 0050", raw=True), ["example/page/2"]),
        "nowhere": (Spec("hex", "c352 0050"), []),
        "rules": (Spec("yara", YARA), [f"example/page/{n}" for n in sorted(map(str, range(CONNECTIONS)))]),
    }
    async with opened() as backend:
        for name, (spec, found) in cases.items():
            hunt = await _hunted(backend, name, spec)
            assert (hunt["state"], hunt["sessions"], hunt["unread"]) == ("done", CONNECTIONS + 1, {}), hunt
            pages = [each.replace("www.example", "example") for each in await tagged(backend, f"hunt:{name}")]
            assert pages == found, name
            assert hunt["found"] == len(found)
        assert await tagged(backend, "yara:page") == ["www.example/page/7"]
        assert await tagged(backend, "yara:match") == ["www.example/page/7"]
        assert len(await tagged(backend, "yara:ok")) == CONNECTIONS


@on_loop
async def test_only_the_sessions_of_the_expression_are_searched(opened: Opened) -> None:
    async with opened() as backend:
        hunt = await _hunted(backend, "one", Spec("text", "page"), "port.src == 50001 || protocols == dns")
        assert (hunt["total"], hunt["sessions"], hunt["found"]) == (2, 2, 1)
        with pytest.raises(UsageError, match="already"):
            await backend.add_hunt("one", Search(), Spec("text", "x"))


@on_loop
async def test_a_hunt_that_is_cut_short_goes_on_where_it_was(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "STEP_SESSIONS", 1)
    monkeypatch.setattr(runner, "PAGE", 3)
    steps = []
    async with opened() as backend:
        await backend.add_hunt("cut", Search(), Spec("text", "/page/"))
        for _ in range(3):
            claimed = Hunts(backend.desk).claim()
            assert claimed is not None
            enough = asyncio.Event()
            work = asyncio.create_task(HuntRunner(backend).run(claimed, lambda hunt, e=enough: e.set()))  # type: ignore[misc]
            await enough.wait()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            steps.append((await backend.hunt("cut"))["sessions"])
    assert sorted(set(steps)) == steps, "each time some more"
    async with opened() as backend:
        await backend.work_on_hunt("cut")
        hunt = await backend.hunt("cut")
        assert (hunt["state"], hunt["sessions"], hunt["found"]) == ("done", CONNECTIONS + 1, CONNECTIONS)
        assert len(await tagged(backend, "hunt:cut")) == CONNECTIONS


@on_loop
async def test_a_paused_hunt_stops_and_a_removed_one_too(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "STEP_SESSIONS", 1)
    async with opened() as backend:
        for action in ("pause", "remove"):
            await backend.add_hunt(action, Search(), Spec("text", "/page/"))
            claimed = Hunts(backend.desk).claim()
            assert claimed is not None
            change = getattr(Hunts(backend.desk), action)
            await HuntRunner(backend).run(claimed, lambda hunt, do=change: do(hunt.name))  # type: ignore[misc]
        hunt = await backend.hunt("pause")
        assert (hunt["state"], hunt["sessions"]) == ("paused", 2), "it stops at the step after"
        with pytest.raises(LookupError):
            await backend.hunt("remove")
        assert Hunts(backend.desk).claim() is None
        await backend.change_hunt("pause", "resume")
        await backend.work_on_hunt("pause")
        assert (await backend.hunt("pause"))["found"] == CONNECTIONS


@on_loop
async def test_packets_that_are_gone_are_counted_and_told(opened: Opened, data: Path) -> None:
    async with opened() as backend:
        (path,) = (path for path in (data / "archive").rglob("*.pcap*") if path.is_file())
        path.unlink()
        hunt = await _hunted(backend, "gone", Spec("text", "x"))
        assert (hunt["state"], hunt["found"]) == ("done", 0)
        assert hunt["unread"] == {"no longer stored": CONNECTIONS * 8 + 1}


@on_loop
async def test_a_session_that_ends_the_hunting_process_costs_itself_only(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed whenever it is given the connection of port 50003."""
    asked = process.WorkerProcess.do

    async def deadly(self: Any, job: dict[str, Any], progress: Any) -> Any:
        clients = [each["client"] for chunk in job["chunks"] for each in chunk["sessions"]]
        if ["10.1.0.5", 50003] in map(list, filter(None, clients)):
            raise process.WorkerError("the worker was ended by SIGKILL before it was done")
        return await asked(self, job, progress)

    async with opened() as backend:
        await backend.add_hunt("deadly", Search(), Spec("text", "/page/"))
        monkeypatch.setattr(process.WorkerProcess, "do", deadly)
        await backend.work_on_hunt("deadly")
        hunt = await backend.hunt("deadly")
        assert (hunt["state"], hunt["found"]) == ("done", CONNECTIONS - 1)
        assert hunt["unread"] == {"the worker was ended by SIGKILL before it was done": 8}
