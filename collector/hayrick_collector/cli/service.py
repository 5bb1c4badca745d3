"""The collector as a systemd service: its user and its unit."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hayrick_common.confinement import CONFINEMENT
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.config import CollectorConfig

USER = "hayrick"
NAME = "hayrick-collector"
PATH = Path(f"/etc/systemd/system/{NAME}.service")

# Each line that lets it do more than nothing has its reason beside it.
UNIT = """\
# Written by `hayrick collector init --service`.
[Unit]
Description=Hayrick collector: lands, keeps, indexes and serves captured packets
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
User={user}
Group={user}
ExecStart={hayrick} collector run --config {config}
Restart=always
RestartSec=2
# Opening a large catalog and store may take its time; a loop that stands still is ended.
TimeoutStartSec=300
WatchdogSec=120
# Workers end with the collector; what they were indexing is taken up again.
KillMode=mixed
TimeoutStopSec=60
CapabilityBoundingSet=
# netlink: where it asks for its own addresses.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
ReadWritePaths={writes}
{confinement}
# Dissectors and hunts are put into a network of their own, without interfaces: by a namespace, and no other kind.
RestrictNamespaces=user net
# No MemoryDenyWriteExecute: YARA's rules are compiled to machine code.
UMask=0027
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""


class Owner(NamedTuple):
    """A user and its own group, by number."""

    uid: int
    gid: int


def owner(user: str, *, make: bool) -> Owner:
    """The user, made as a system user if it is not there and `make` says so. UsageError where that cannot be."""
    if os.geteuid() != 0:
        raise UsageError("--user and --service are for root: run this as root")
    try:
        pwd.getpwnam(user)
    except KeyError:
        if not make:
            raise UsageError(f"there is no user {user}") from None
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", user]
        subprocess.run(command, check=True)
    entry = pwd.getpwnam(user)
    return Owner(entry.pw_uid, entry.pw_gid)


def unit(config_path: Path, config: CollectorConfig, user: str, hayrick: str) -> str:
    """The unit's text."""
    others = [each for each in (config.drop, config.exports) if config.data not in each.parents]
    writes = " ".join([str(config.data), *(f"-{each}" for each in others)])  # -: it need not be there
    return UNIT.format(user=user, hayrick=hayrick, config=config_path, writes=writes, confinement=CONFINEMENT)


def write(config_path: Path, config: CollectorConfig, user: str) -> bool:
    """Write the unit; False where it was there like that."""
    command = Path(shutil.which(sys.argv[0]) or sys.argv[0]).absolute()
    if command.parts[1] in ("home", "root"):
        raise UsageError(f"{command}: a service does not see home folders; install Hayrick elsewhere, as in /opt")
    text = unit(config_path, config, user, str(command))
    if PATH.exists() and PATH.read_text() == text:
        return False
    PATH.write_text(text)
    return True
