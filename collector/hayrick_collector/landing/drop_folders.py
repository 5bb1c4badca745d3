"""Letting sensors in by SFTP: their folders in the drop with owner and modes, and what sshd must be told.

The sensor's account owns its folder; the collector reads, deletes and answers there by its group, which everything
made in the folder inherits. sshd confines the account to the drop where no one but root can change the way there.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from hayrick_common.chunk import check_name
from hayrick_common.dropped import RECEIPTS, REFUSED, STATUS
from hayrick_common.errors import UsageError
from hayrick_common.files import make_folder

FOLDER_MODE = 0o2770
KEY_FILES = Path("/etc/ssh/hayrick")
_CHUNKS = (".pcap", ".zst")


@dataclass(frozen=True)
class Access:
    """How one sensor's account gets in; `confined` says that sshd can chroot it to `root`."""

    root: Path
    sensor: str
    account: str
    confined: bool

    @property
    def path(self) -> str:
        """The folder as the account sees it."""
        return f"/{self.sensor}" if self.confined else str(self.root / self.sensor)

    def sshd_block(self) -> str:
        """Lines for a file of its own in sshd_config.d."""
        keys = KEY_FILES / f"{self.account}.keys"
        lines = [f"AuthorizedKeysFile {keys}", "AuthenticationMethods publickey", "ForceCommand internal-sftp -u 0027"]
        lines += [f"ChrootDirectory {self.root}"] if self.confined else []
        lines += ["DisableForwarding yes", "PermitTTY no", "PermitUserRC no"]
        return "\n    ".join([f"Match User {self.account}", *lines])

    def key_line(self, public: str) -> str:
        """The line for the account's key file, safe also where the block is missing."""
        return f'restrict,command="internal-sftp -u 0027" {public}'


def add(root: Path, sensor: str, uid: int, gid: int) -> None:
    """Make the sensor's folder, or set owner and modes of the one that is there. Raises OSError."""
    make_folder(root, 0o755)
    folder = root / check_name(sensor, "sensor")
    for each in (folder, folder / RECEIPTS, folder / REFUSED):
        make_folder(each)
        descriptor = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if (uid, gid) != (os.fstat(descriptor).st_uid, os.fstat(descriptor).st_gid):
                os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, FOLDER_MODE)
        finally:
            os.close(descriptor)


def obstacle(root: Path) -> str:
    """What keeps sshd from confining an account to `root` (only root may change the way there); empty: nothing."""
    for each in [*reversed(root.absolute().parents), root.absolute()]:
        status = each.stat()
        if status.st_uid != 0:
            return f"{each} does not belong to root"
        if status.st_mode & 0o022:
            return f"{each} can be written to by others than root"
    return "" if root.stat().st_mode & stat.S_IXOTH else f"{root} is closed to the account (chmod 755)"


@dataclass(frozen=True)
class Waiting:
    """What lies in one sensor's folder; `report_seconds` is the age of its last report, None before the first."""

    sensor: str
    account: int
    chunks: int
    bytes: int
    refused: int
    report_seconds: float | None


def listed(root: Path) -> list[Waiting]:
    """Every sensor's folder, by name."""
    folders = (
        sorted(each for each in root.iterdir() if each.is_dir() and not each.is_symlink()) if root.is_dir() else []
    )
    return [_waiting(each) for each in folders]


def _waiting(folder: Path) -> Waiting:
    chunks = [each.lstat().st_size for each in folder.iterdir() if _is_chunk(each)]
    refused = sum(1 for each in (folder / REFUSED).glob("*") if _is_chunk(each))
    status = folder / STATUS
    age = time.time() - status.lstat().st_mtime if status.is_file() else None
    return Waiting(folder.name, folder.stat().st_uid, len(chunks), sum(chunks), refused, age)


def remove(root: Path, sensor: str, force: bool) -> None:
    """Delete the sensor's folder, which shuts it out; UsageError while chunks wait there, unless `force`."""
    folder = root / check_name(sensor, "sensor")
    if not folder.is_dir() or folder.is_symlink():
        raise UsageError(f"there is no {folder}")
    found = _waiting(folder)
    if found.chunks and not force:
        raise UsageError(f"{found.chunks} chunks of {sensor} wait in {folder}: let them be taken, or give --force")
    shutil.rmtree(folder)


def _is_chunk(path: Path) -> bool:
    return path.suffix in _CHUNKS and not path.name.startswith(".") and path.is_file()
