"""A chunk that was given up between its last block and its end ends nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.collector.landing.test_part import manifest_of

from hayrick_collector.landing import events as ev
from hayrick_collector.landing.part import Part
from hayrick_collector.landing.server import Landing, LandingSettings
from hayrick_common.keys import KeyPair


def test_chunk_given_up_before_it_is_finished_leaves_the_landing_running(tmp_path: Path) -> None:
    """As when the disk is full at its last block: it is discarded while its end waits for its turn."""
    manifest = manifest_of(b"body")
    nothing_lands: Any = None
    landing = Landing(LandingSettings(tmp_path, "", KeyPair("", "")), nothing_lands)
    (tmp_path / "incoming").mkdir()

    async def run() -> None:
        landing._parts[manifest.key] = Part(tmp_path, manifest, landing.settings.form)
        landing._carry_out(ev.Finish(manifest))
        landing._carry_out(ev.Discard(manifest))
        await asyncio.gather(*landing._tasks)

    asyncio.run(run())
    assert landing._broken is None
