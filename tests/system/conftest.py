"""What system tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.collector_process import Running, collector


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with collector(tmp_path / "data", tmp_path / "collector.log") as started:
        yield started
