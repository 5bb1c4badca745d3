"""What `hayrick collector drop add` prints lets a sensor deliver, nobody root, and its account do nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.landing.fleet import LANDING, SENSOR, Fleet, stored, wait_until
from tests.collector.landing.sshd import SSHD, Sshd
from tests.collector.landing.test_kills import write_capture

from hayrick_collector.landing import drop_folders
from hayrick_common.cli import main
from hayrick_common.errors import UsageError

COLLECTOR, SENDER = 61002, 61003
HAYRICK = f"{sys.executable} -c 'import sys; from hayrick_common.cli import main; sys.exit(main())'"
# In a mount namespace of its own: the account made as the command says, its printed lines put where it says, an sshd.
INSIDE = """\
set -e
root=$1
add="{hayrick} collector drop add s1 --config $root/collector.toml --group collector --key $root/sshd/client.pub"
mount -t tmpfs tmpfs $root/etc; mkdir $root/etc/up $root/etc/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=$root/etc/up,workdir=$root/etc/work /etc
echo 'collector:x:{group}:' >> /etc/group
eval "$add" 2> $root/first && exit 3
eval "$(sed -n 's/^  useradd/useradd/p' $root/first)"
eval "$add" > $root/guide
sed -n '/^# 1/,/^# 2/p' $root/guide | grep -v '^#' >> $root/sshd/sshd_config
mkdir -p /etc/ssh/hayrick
sed -n '/^# 2/,/^# 3/p' $root/guide | grep -v '^#' > /etc/ssh/hayrick/hayrick-s1.keys
exec /usr/sbin/sshd -D -e -f $root/sshd/sshd_config
"""


class ConfinedSshd(Sshd):
    """An sshd that an operator has set up by what the command printed."""

    def start(self) -> None:
        root = self.root.parent
        (self.root / "sshd_config").write_text(
            SSHD.format(port=self.port, root=self.root).replace("StrictModes no\n", "")
        )
        (root / "inside.sh").write_text(INSIDE.format(hayrick=HAYRICK, group=COLLECTOR))
        (root / "etc").mkdir()
        command = ["unshare", "--mount", "sh", str(root / "inside.sh"), str(root)]
        with (root / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, start_new_session=True)

    def ssh(self, program: str, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run an OpenSSH client with the sensor's key."""
        options = ["-i", str(self.root / "client"), "-o", f"UserKnownHostsFile={self.known_hosts}", "-F", "none"]
        port = ["-P" if program == "sftp" else "-p", str(self.port)]
        command = [program, *options, *port, "-o", "BatchMode=yes", *words]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=20)


class ConfinedFleet(Fleet):
    """Collector and sensor run as two ordinary users; the drop is root's, outside of the data folder."""

    def __init__(self, root: Path) -> None:
        (root / "pcaps").mkdir()
        super().__init__(root, f'name = "adopted"\nfolder = "{root / "pcaps"}"')
        (root / "collector.toml").write_text(f'data = "{self.data}"\n[landing]\ndrop = "{root / "drop"}"\n')
        self.drop = root / "drop" / "s1"
        self.sshd = ConfinedSshd(root / "sshd")

    def settle(self) -> None:
        """Take over what was printed for the sensor, and give everyone what is theirs."""
        guide = (self.root / "guide").read_text().partition("# 3.")[2].partition("\n")[2]
        own = self.sshd.root
        for old, new in (
            ("HOST", f"127.0.0.1:{self.sshd.port}"),
            ("/etc/hayrick/id_ed25519", str(own / "client")),
            ("/etc/hayrick/known_hosts", str(self.sshd.known_hosts)),
        ):
            guide = guide.replace(old, new)
        old_text = self.config.read_text()
        begin, end = old_text.index("[collector]"), old_text.index("[[streams]]")
        self.config.write_text(f"{old_text[:begin]}{guide}{old_text[end:]}")
        for folder, uid in ((self.data, COLLECTOR), (self.root / "spool", SENDER), (self.root / "pcaps", SENDER)):
            folder.mkdir(exist_ok=True)
            for each in (folder, *folder.rglob("*")):
                os.chown(each, uid, uid)
        shutil.copy(own / "client", own / "sensor")
        os.chown(own / "sensor", SENDER, SENDER)
        self.config.write_text(self.config.read_text().replace(str(own / "client"), str(own / "sensor")))

    def start(self, name: str) -> None:
        if name == "sensor":
            command = [*user(SENDER), *SENSOR, "run", "--config", str(self.config)]
        else:
            arguments = [str(self.data), f"ipc://{self.data / 'landing'}", str(self.drop.parent)]
            command = [*user(COLLECTOR), sys.executable, str(LANDING), *arguments]
        with (self.root / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def close(self) -> None:
        super().close()
        self.sshd.close()


def user(number: int) -> list[str]:
    return ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"]


@pytest.fixture
def fleet() -> Iterator[ConfinedFleet]:
    root = Path(tempfile.mkdtemp(prefix="hayrick-test-", dir="/srv"))  # sshd confines only where all the way is root's
    root.chmod(0o755)
    made = ConfinedFleet(root)
    try:
        yield made
    finally:
        made.close()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(root)


def test_sensor_delivers_by_what_was_printed_and_its_account_can_do_nothing_else(fleet: ConfinedFleet) -> None:
    wait_until(lambda: "listening" in (fleet.root / "sshd.log").read_text(), 20, fleet)
    fleet.settle()
    digest = write_capture(fleet.root / "pcaps" / "a.pcap", 3_000_000, 1)
    os.chown(fleet.root / "pcaps" / "a.pcap", SENDER, SENDER)
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: len(fleet.landed()) == 1, 30, fleet)
    wait_until(lambda: fleet.states() == {"indexed"}, 30, fleet)
    wait_until((fleet.data / "s1.heartbeat.json").exists, 30, fleet)
    (row,) = fleet.landed()
    assert stored(row) == digest
    assert sorted(path.name for path in fleet.drop.iterdir()) == ["receipts", "refused", "status.json"]
    assert Path(row["path"]).stat().st_uid == COLLECTOR
    at = "hayrick-s1@127.0.0.1"
    assert "uid=" not in fleet.sshd.ssh("ssh", at, "id").stdout
    assert "prohibited" in fleet.sshd.ssh("ssh", "-W", f"127.0.0.1:{fleet.sshd.port}", at).stderr
    seen = fleet.sshd.ssh("sftp", "-b", "-", at, given="ls /\nls /../..\n").stdout
    assert "s1" in seen
    assert "etc" not in seen
    assert fleet.sshd.ssh("sftp", "-b", "-", at, given="mkdir /s2\n").returncode != 0


def test_folder_is_made_listed_and_removed_only_when_nothing_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collector", "init", "--data", str(tmp_path / "data")]) == 0
    words = ["--data", str(tmp_path / "data")]
    account = Path(tmp_path).owner()
    assert main(["collector", "drop", "add", "s1", "--account", account, *words]) == 0
    assert "/tmp can be written to by others" in capsys.readouterr().err
    (tmp_path / "data" / "drop" / "s1" / "s1.eth.0000000001.0123456789abcdef.pcap").write_bytes(bytes(100))
    assert main(["collector", "drop", "list", *words]) == 0
    assert "1 chunks wait" in capsys.readouterr().out
    with pytest.raises(UsageError, match="1 chunks of s1 wait"):
        drop_folders.remove(tmp_path / "data" / "drop", "s1", False)
    assert main(["collector", "drop", "remove", "s1", "--force", *words]) == 0
    assert not (tmp_path / "data" / "drop" / "s1").exists()
