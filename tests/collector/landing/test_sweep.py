"""What is old and of no more use leaves the drop and the inbox, and nothing else does."""

from __future__ import annotations

import os
import time
from pathlib import Path

from hayrick_collector.landing.sweep import sweep
from hayrick_common.dropped import Receipt, encode_receipt


def make(path: Path, days: float, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - days * 86_400,) * 2)
    return path


def test_only_what_is_old_and_done_with_is_swept(tmp_path: Path) -> None:
    drop, inbox, outside = tmp_path / "drop", tmp_path / "inbox", tmp_path / "outside"

    def receipt(key: str, state: str, days: float) -> Path:
        return make(drop / "s1" / "receipts" / f"{key}.json", days, encode_receipt(Receipt(key, state)))

    goes = [receipt("a", "indexed", 31), receipt("b", "refused", 31)]
    goes += [make(drop / "s1" / name, 31) for name in ("refused/a.pcap", ".a.pcap.zst.part")]
    goes += [make(inbox / name, 31) for name in ("refused/b.txt", ".c.pcap.Xy12", "case/.d.pcap.part")]
    stays = [receipt("c", "landed", 99), receipt("d", "indexed", 29), make(drop / "s1" / ".b.pcap.zst.part", 29)]
    stays += [make(drop / "s1" / name, 99) for name in ("s1.a.pcap", "s1.a.json")]
    stays += [make(inbox / name, 99) for name in ("e.pcap", "case/f.pcap")]
    stays += [make(outside / name, 99) for name in (".g.part", "refused/.h.part")]
    (drop / "s2").symlink_to(outside)
    (drop / "s3").mkdir()
    (drop / "s3" / "refused").symlink_to(outside / "refused")
    assert sweep(drop, inbox, 0) == {}
    assert sweep(drop, inbox, 30) == {"receipts": 2, "refused": 2, "parts": 3}
    assert [path for path in goes if path.exists()] == []
    assert [path for path in stays if not path.exists()] == []
