"""A store that is tidied up and killed at any step shows each session once, and is tidied up by the next."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

# Forks a process for each step that `maintain` takes on disk; each is killed before its step, and the store looked at.
KILLER = """
import asyncio, itertools, os, pathlib, shutil, signal, sys
from hayrick_common import files
from hayrick_collector.store import Query
from hayrick_collector.store.embedded import Compaction, EmbeddedStore
from tests.collector.catalogue import CATALOGUE
from tests.collector.store.sessions import batch, session

STEPS = [(files, name) for name in ("write_file", "sync_folder", "move", "commit_rename")] + [(shutil, "rmtree")]

def store(folder):
    return EmbeddedStore(folder, CATALOGUE, compaction=Compaction(at_least=2), grace_s=0)

def dying(function, left):
    def step(*args, **kwargs):
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return step

async def look(folder, tidy):
    async with store(folder) as opened:
        for _ in range(tidy):
            await opened.maintain()
        page = await opened.find(Query(limit=100))
        return sorted(item["id"] for item in page.items), page.total, await opened.health()

def forked(work):
    pid = os.fork()
    if not pid:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def fill(folder):
    for number in range(4):
        with store(folder).writer(f"chunk{number}") as writer:
            writer.add(batch(session(f"{number:03d}", f"chunk{number}")))
            writer.commit()

def killed(folder, number):
    left = itertools.count(number, -1)
    for module, name in STEPS:
        setattr(module, name, dying(getattr(module, name), left))
    asyncio.run(look(folder, 2))

def check(folder):
    expected = [f"231114-{number:03d}" for number in range(4)]
    for tidy in (0, 2):
        ids, total, health = asyncio.run(look(folder, tidy))
        assert ids == expected and total == 4, (ids, total)
    assert (health["segments"], health["segments_replaced"]) == (1, 0), health
    assert len(list((folder / "segments").iterdir())) == 1

top = pathlib.Path(sys.argv[1])
assert forked(lambda: fill(top / "whole")) == 0
for number in itertools.count():
    folder = shutil.copytree(top / "whole", top / str(number))
    ended = forked(lambda: killed(folder, number))
    assert ended in (0, -9), ended
    assert forked(lambda: check(folder)) == 0, number
    if ended == 0:
        break
print(number)
"""


def test_tidying_up_may_be_killed_before_any_of_its_steps(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLER, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 8
