"""A real sensor in flow-record mode that delivers through a real sshd."""

from __future__ import annotations

import getpass
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
        text = self.config.read_text()
        begin, end = text.index("[collector]"), text.index("[[streams]]")
        self.config.write_text(
            f'{text[:begin]}[collector]\ntransport = "sftp"\n'
            f'address = "sftp://{getpass.getuser()}@127.0.0.1:{self.sshd.port}{drop}"\n'
            f'key_file = "{self.sshd.root / "client"}"\nknown_hosts = "{self.sshd.known_hosts}"\n{text[end:]}'
        )
