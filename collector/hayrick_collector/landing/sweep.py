"""What nobody will ask for again leaves the drop and the inbox by its age: it would fill folders for ever."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hayrick_collector.landing.dropped_files import pinned, read_small
from hayrick_common import wire
from hayrick_common.dropped import RECEIPTS, REFUSED, decode_receipt
from hayrick_common.files import is_part, remove

DAY_SECONDS = 86_400


def sweep(drop: Path, inbox: Path, days: int) -> Counter[str]:
    """Remove last receipts, what was refused, and halves that nobody goes on with, older than `days`; 0: nothing.

    Returns how many of each. A first receipt stays until its second one. What may not be removed stays, uncounted.
    """
    swept: Counter[str] = Counter()
    if not days:
        return swept
    before = time.time() - days * DAY_SECONDS
    for folder in drop.iterdir() if drop.is_dir() else ():
        if folder.is_dir() and not folder.is_symlink():
            swept["receipts"] += _remove(_old(folder / RECEIPTS, before), said=True)
            swept["refused"] += _remove(_old(folder / REFUSED, before))
            swept["parts"] += _remove(each for each in _old(folder, before) if _is_half(each))
    swept["refused"] += _remove(_old(inbox / REFUSED, before))
    for folder in [inbox, *(each for each in inbox.glob("*/") if each.name != REFUSED and not each.is_symlink())]:
        swept["parts"] += _remove(each for each in _old(folder, before) if _is_half(each))
    return +swept


def _is_half(path: Path) -> bool:
    return path.name.startswith(".") or is_part(path)


def _old(folder: Path, before: float) -> Iterator[Path]:
    """Files of the folder, by way of a path that no link can turn elsewhere."""
    if not folder.is_dir() or folder.is_symlink():
        return
    with pinned(folder) as held:
        for path in held.iterdir():
            try:
                status = path.lstat()
            except OSError:
                continue
            if status.st_mtime < before and status.st_mode & 0o170000 in (0o100000, 0o120000):
                yield path


def _remove(paths: Iterator[Path], *, said: bool = False) -> int:
    count = 0
    for path in paths:
        try:
            if said and decode_receipt(read_small(path), path.stem).state == wire.LANDED:
                continue
            remove(path)
        except (OSError, ValueError):
            continue
        count += 1
    return count
