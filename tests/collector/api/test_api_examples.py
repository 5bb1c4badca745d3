"""The curl examples of docs/API.md do what they say, run as they stand there against a real collector."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

from tests.collector.captures import mixed_frames, write_pcap
from tests.system.collector_process import collector, wait_until

from hayrick_collector.desk.database import Desk
from hayrick_collector.desk.tokens import Tokens

PAGE = Path(__file__).resolve().parents[3] / "docs" / "API.md"


def test_examples_do_what_the_page_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    desk = Desk(data / "desk.sqlite3")
    secret = Tokens(desk).add("examples", "admin")[1]
    desk.close()
    write_pcap(tmp_path / "evidence.pcap", mixed_frames())
    told = []
    examples = re.findall(r"```sh\n(curl .*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(examples) > 15
    with collector(data, tmp_path / "log") as running:
        environment = {**os.environ, "RICK": running.url, "HAYRICK_TOKEN": secret, "NO_PROXY": "127.0.0.1"}
        for example in examples:
            done = subprocess.run(
                ["bash", "-ec", example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{example}\n{done.stderr}"
            told.append(done.stdout)
            if "/api/ingest" in example:
                wait_until(lambda: running.get("/api/sessions")["total"] == 3, "the capture to be indexed")
    answers = [json.loads(each) for each in told if each.startswith("{") and "\n" not in each.strip()]
    assert [len(each["items"]) for each in answers if each.get("total")] == [2]
    assert {"sessions": 1} in answers
    assert (tmp_path / "http.pcap").stat().st_size > 100
    with zipfile.ZipFile(tmp_path / "lab.zip") as zipped:
        assert json.loads(zipped.read("manifest.json"))["sessions"] == 1
    assert [each["action"] for each in answers[-1]["items"]] == ["export", "export"]
