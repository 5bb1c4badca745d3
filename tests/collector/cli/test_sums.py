"""`hayrick search` adds up instead of listing, the same near and far, and Ctrl-C ends a long sum."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.collector.captures import mixed_frames, write_pcap
from tests.collector.conftest import MAIN, Hayrick
from tests.collector.store.heavy import ENDLESS, heavy
from tests.system.collector_process import collector

from hayrick_collector.store import open_store

SUMS = [("--top", "protocols", "--csv"), ("--unique", "protocols"), ("--graph", "ip.src,ip.dst")]
CPU_S = 3.0  # starting takes less, the sum far more


def test_sums_are_the_same_near_and_far(hayrick: Hayrick, data: Path, tmp_path: Path) -> None:
    hayrick("ingest", write_pcap(tmp_path / "x.pcap", mixed_frames()))
    near = [hayrick("search", *words).stdout for words in SUMS]
    assert [text.split()[:2] for text in near] == [
        ["value,sessions,packets,bytes", "dns,2,2,146"],
        ["2", "dns"],
        ["source", "destination"],
    ]
    with collector(data, tmp_path / "log") as running:
        assert [hayrick("search", *words, "--server", running.url).stdout for words in SUMS] == near
        hayrick("search", "--unique", "absent", "--server", running.url, code=2)


def test_an_interrupt_ends_a_long_sum(data: Path) -> None:
    with open_store(data / "store").writer("one") as writer:
        writer.add(heavy())
        writer.commit()
    words = ["search", "--graph", ",".join(ENDLESS), "--data", str(data)]
    running = subprocess.Popen([sys.executable, "-c", MAIN, *words], stderr=subprocess.PIPE, text=True)
    while cpu_s(running.pid) < CPU_S:
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)  # as long as a busy machine needs: by itself it would not end
    assert running.returncode in (130, -signal.SIGINT)


def cpu_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
