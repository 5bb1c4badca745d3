"""Runs on a sniffing host without systemd, as root: keeps the sensor running as its own user.

    supervise.py start|stop|replace|status|run

`start` puts itself in the background; `run` stays in front, for an init system that keeps it there. The sensor gets the
one capability that capturing needs, and no more. One that ends is started again, at growing intervals; its words are
in /var/log/hayrick/sensor.log, four files of 5 MB. Nothing here starts it at boot: the host's init system must.
"""

import fcntl
import logging
import logging.handlers
import os
import signal
import subprocess
import sys
import threading
import time
import typing
from pathlib import Path

LOG = Path("/var/log/hayrick/sensor.log")
LOCK = Path("/run/hayrick-sensor.lock")
SELF = "/opt/hayrick/supervise"
SENSOR = "/opt/hayrick/current/bin/hayrick"
SETTINGS = "/etc/hayrick/sensor.toml"
CAPABILITIES = "-all,+net_raw"
# A killed supervisor's sensor goes with it (its tcpdump stays for the next), else nothing would stop it any more.
COMMAND = [
    "setpriv", "--pdeathsig", "KILL", "--reuid", "hayrick", "--regid", "hayrick", "--init-groups", "--no-new-privs",
    "--inh-caps", CAPABILITIES, "--ambient-caps", CAPABILITIES, "--bounding-set", CAPABILITIES,
    SENSOR, "sensor", "run", "--config", SETTINGS,
]  # fmt: skip
LONGEST_PAUSE_SECONDS = 60
WELL_AFTER_SECONDS = 60
STOP_SECONDS = 60


class Supervisor:
    """One sensor, and the loop that keeps it."""

    def __init__(self, log: logging.Logger) -> None:
        self.log = log
        self.stopping = False
        self.replacing = False
        self.child: typing.Any = None

    def stop(self, *_: object) -> None:
        """Tell the sensor to end, and do not start it again."""
        self.stopping = True
        self.send(signal.SIGTERM)

    def replace(self, *_: object) -> None:
        """Let a new release take over: a killed sensor's tcpdump goes on capturing, and the next one has it."""
        self.stopping = self.replacing = True
        self.send(signal.SIGKILL)

    def stopped(self) -> bool:
        """Whether a signal has come meanwhile."""
        return self.stopping

    def send(self, number: signal.Signals) -> None:
        """Send the sensor a signal, if it lives."""
        if self.child and self.child.poll() is None:
            self.child.send_signal(number)

    def run(self) -> None:
        """Until told to stop."""
        pause = 1.0
        while not self.stopped():
            started = time.monotonic()
            self.log.info("starting the sensor")
            child = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")
            self.child = child
            threading.Thread(target=self.copy, args=(child.stdout,), daemon=True).start()
            self.log.info("the sensor ended with %d", child.wait())
            pause = 1.0 if time.monotonic() - started > WELL_AFTER_SECONDS else min(pause * 2, LONGEST_PAUSE_SECONDS)
            until = time.monotonic() + pause
            while time.monotonic() < until and not self.stopped():
                time.sleep(0.1)

    def copy(self, lines: typing.IO[str]) -> None:
        """What the sensor says into the log."""
        for line in lines:
            self.log.info("%s", line.rstrip("\n"))


def locked() -> int | None:
    """The lock that a running supervisor holds; None if one does."""
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def run() -> int:
    """Supervise, in front."""
    lock = locked()
    if lock is None:
        print("running already")
        return 0
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    LOG.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(LOG, maxBytes=5_000_000, backupCount=3)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("supervise")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    supervisor = Supervisor(log)
    signal.signal(signal.SIGTERM, supervisor.stop)
    signal.signal(signal.SIGINT, supervisor.stop)
    signal.signal(signal.SIGHUP, supervisor.replace)
    supervisor.run()
    if supervisor.replacing:
        os.execv(SELF, [SELF, "run"])  # noqa: S606
    return 0


def start() -> int:
    """Supervise, in the background; back once it does."""
    if os.fork():
        return waited(True)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    code = run()
    os._exit(code)


def stop() -> int:
    """Tell the supervisor to end; back once it has."""
    if running():
        os.kill(int(LOCK.read_text()), signal.SIGTERM)
    return waited(False)


def replace() -> int:
    """Have the running one change over to the current release."""
    if running():
        os.kill(int(LOCK.read_text()), signal.SIGHUP)
        return 0
    return start()


def running() -> bool:
    """Whether one runs."""
    lock = locked()
    if lock is None:
        return True
    os.close(lock)
    return False


def waited(wanted: bool) -> int:
    """Wait until one runs, or none does."""
    deadline = time.monotonic() + STOP_SECONDS
    while running() != wanted:
        if time.monotonic() > deadline:
            print(f"it did not {'start' if wanted else 'stop'} within {STOP_SECONDS} s", file=sys.stderr)
            return 1
        time.sleep(0.1)
    return 0


def status() -> int:
    """Print running or stopped."""
    print("running" if running() else "stopped")
    return 0


if __name__ == "__main__":
    sys.exit({"start": start, "stop": stop, "replace": replace, "status": status, "run": run}[sys.argv[1]]())
