"""A real sensor in flow-record mode that delivers through a real sshd."""

from __future__ import annotations

from pathlib import Path

from tests.collector.landing.sshd import Sshd
from tests.system.collector_process import Running
from tests.system.flow_sensor import FlowSensor


class SftpFlowSensor(FlowSensor):
    """Delivers into `data/drop/NAME`; `enrol` needs no keys but sshd's."""

    def __init__(self, root: Path, name: str, sshd: Sshd) -> None:
        super().__init__(root, name, "records")
        self.sshd = sshd

    def enrol(self, data: Path, running: Running | str) -> None:
        drop = data / "drop" / self.name
        drop.mkdir(parents=True)
        super().aim(data, running)
        self.sshd.aim(self.config, drop)
