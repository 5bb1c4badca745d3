"""The fleet at work: facts from every host, a plan for each, changes in parallel, new releases one host after another.

A sensor that was changed has to ship a chunk before the next host is touched; one that does not is rolled back, and the
roll-out ends there.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from hayrick_common.errors import HayrickError
from hayrick_deploy import facts as fact
from hayrick_deploy import operations as op
from hayrick_deploy.artefact import Bundle, bundle
from hayrick_deploy.connection import Connection
from hayrick_deploy.enrol import AllowList
from hayrick_deploy.gate import Gate
from hayrick_deploy.inventory import Host, Inventory, Ssh
from hayrick_deploy.local import LocalConnection
from hayrick_deploy.settings import PATH as SETTINGS
from hayrick_deploy.settings import render, settings
from hayrick_deploy.ssh import SshConnection

POLL_SECONDS = 1.0

Say = Callable[[str, str], None]


@dataclass
class Outcome:
    """One host's: what was found, what is to be done or was done, and what went wrong (empty: nothing)."""

    host: Host
    facts: fact.Facts | None = None
    plan: op.Plan = field(default_factory=op.Plan)
    problem: str = ""

    @property
    def well(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.problem and not self.plan.problems


class Fleet:
    """An inventory's hosts. `say(host, words)` is told what happens, from several threads."""

    def __init__(self, inventory: Inventory, wheelhouse: Path, say: Say, sudo_password: str = "") -> None:
        self.inventory = inventory
        self._wheelhouse = wheelhouse
        self._say = say
        self._password = sudo_password
        self._bundles: dict[tuple[object, ...], Bundle] = {}
        self._bundling = threading.Lock()
        self._enrolling = threading.Lock()

    # --- looking ----------------------------------------------------------------------------------------------------

    def look(self, hosts: Sequence[Host]) -> list[Outcome]:
        """Facts of each, with no plan."""
        return self._each(hosts, self._look)

    def plan(self, hosts: Sequence[Host]) -> list[Outcome]:
        """Facts of each, and what makes it as the inventory wants; nothing is changed."""
        with self.allow_list() as allowed:
            key, known = allowed.collector_key(), allowed.read()
        texts = {host.name: render(host, self.inventory.collector, key) for host in hosts}
        return self._each(hosts, lambda host: self._plan(host, texts[host.name], known.get(host.name, "")))

    def _look(self, host: Host) -> Outcome:
        with self.connected(host.ssh) as connection:
            return Outcome(host, fact.read(connection, spool_of(host), SETTINGS))

    def _plan(self, host: Host, text: str, allowed: str) -> Outcome:
        outcome = self._look(host)
        assert outcome.facts is not None
        wanted = op.Wanted(settings(host, text), text, self._bundle, self.inventory.rollout.keep_releases)
        outcome.plan = op.plan(wanted, outcome.facts, allowed)
        return outcome

    def _bundle(self, python: fact.Python, facts: fact.Facts) -> Bundle:
        """One for each kind of host, made once."""
        kind = (python.version, facts.machine, facts.glibc)
        with self._bundling:
            if kind not in self._bundles:
                self._bundles[kind] = bundle(self._wheelhouse, *kind)
            return self._bundles[kind]

    # --- changing ---------------------------------------------------------------------------------------------------

    def up(self, hosts: Sequence[Host], *, only_installed: bool = False) -> list[Outcome]:
        """Make hosts as wanted: bare ones in parallel, then running ones, one after another behind the gate."""
        outcomes = self.plan(hosts)
        ready = [each for each in outcomes if each.well and each.plan.operations]
        bare = [each for each in ready if not _runs(each)]
        if not only_installed:
            self._all(bare, self._change)
        for outcome in (each for each in ready if _runs(each)):
            self._guard(outcome, self._change)
            if outcome.problem:
                self._say(outcome.host.name, "the roll-out ends here; hosts after it were not touched")
                break
        return outcomes

    def _change(self, outcome: Outcome) -> None:
        assert outcome.facts is not None
        name = outcome.host.name
        with self.connected(outcome.host.ssh) as connection:
            gate = Gate(outcome.facts, outcome.plan)
            for operation in outcome.plan.operations:
                self._say(name, operation.words)
                if operation.name == "allow":
                    self._enrol(connection, outcome.host)
                else:
                    op.carry_out(connection, operation)
            try:
                self._pass(connection, outcome.host, gate)
            except HayrickError as error:
                self._roll_back(connection, outcome, error)

    def _roll_back(self, connection: Connection, outcome: Outcome, error: HayrickError) -> None:
        assert outcome.facts is not None
        if not outcome.plan.release_before:
            raise error
        undo = op.roll_back(outcome.plan, outcome.facts.manager)
        self._say(outcome.host.name, f"{error}; {undo.words}")
        op.carry_out(connection, undo)
        raise HayrickError(f"{error}; rolled back to {outcome.plan.release_before}") from error

    def _enrol(self, connection: Connection, host: Host) -> None:
        """Bring the host's public key to the collector."""
        key = fact.read(connection, spool_of(host), SETTINGS).public_key
        with self._enrolling, self.allow_list() as allowed:
            allowed.allow(host.name, key)

    def _pass(self, connection: Connection, host: Host, gate: Gate) -> None:
        """Wait until the sensor has shown that it works; HayrickError says what it did not."""
        if not gate.wanted:
            return
        deadline = time.monotonic() + self.inventory.rollout.gate_seconds
        while True:
            verdict = gate.judge(fact.read(connection, spool_of(host), SETTINGS))
            if verdict.passed:
                self._say(host.name, verdict.words)
                return
            if time.monotonic() > deadline:
                if not verdict.quiet:
                    raise HayrickError(f"after {self.inventory.rollout.gate_seconds} s {verdict.words}")
                self._say(host.name, verdict.words)
                return
            time.sleep(POLL_SECONDS)

    def down(self, hosts: Sequence[Host], *, purge: bool) -> list[Outcome]:
        """Stop and remove the software; with `purge` the data, the user and the place on the allow-list too."""

        def remove(host: Host, facts: fact.Facts, connection: Connection) -> None:
            for operation in op.take_down(facts, purge=purge, spool=spool_of(host)):
                self._say(host.name, operation.words)
                op.carry_out(connection, operation)
            if purge:
                self.revoke(host)

        return self._on_each(hosts, remove)

    def restart(self, hosts: Sequence[Host]) -> list[Outcome]:
        """Restart sensors; each is back before this returns."""

        def again(host: Host, facts: fact.Facts, connection: Connection) -> None:
            restart = op.restart(facts.manager)
            self._say(host.name, restart.words)
            op.carry_out(connection, restart)
            self._pass(connection, host, Gate(facts, op.Plan(operations=(restart,))))

        return self._on_each(hosts, again)

    def rotate(self, hosts: Sequence[Host]) -> list[Outcome]:
        """A new key for each: made on the host, allowed in place of the old one, and used from then on."""

        def renew(host: Host, facts: fact.Facts, connection: Connection) -> None:
            self._say(host.name, "make a new key, and allow it in place of the old one")
            op.carry_out(connection, op.forget_key(spool_of(host)))
            op.carry_out(connection, op.make_key(facts.current, spool_of(host)))
            self._enrol(connection, host)
            op.carry_out(connection, op.restart(facts.manager))

        return self._on_each(hosts, renew)

    def revoke(self, host: Host) -> bool:
        """Shut a sensor out; whether it was let in before."""
        with self._enrolling, self.allow_list() as allowed:
            return allowed.revoke(host.name)

    def run(self, hosts: Sequence[Host], command: str, *, root: bool) -> list[tuple[Outcome, str]]:
        """A command on each; what it printed. One that fails is the host's problem."""
        said: dict[str, str] = {}

        def ask(host: Host) -> Outcome:
            with self.connected(host.ssh) as connection:
                done = connection.run(command, root=root)
            said[host.name] = done.out + done.err
            return Outcome(host, problem=f"exit status {done.code}" if done.code else "")

        return [(each, said.get(each.host.name, "")) for each in self._each(hosts, ask)]

    # --- shared -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def allow_list(self) -> Iterator[AllowList]:
        """The collector's."""
        ssh = self.inventory.collector.ssh
        with self.connected(ssh) if ssh else contextlib.nullcontext(LocalConnection()) as connection:
            yield AllowList(connection, self.inventory.collector)

    @contextlib.contextmanager
    def connected(self, ssh: Ssh) -> Iterator[Connection]:
        """A connection to a host, closed afterwards."""
        connection = SshConnection(ssh, self._password)
        try:
            yield connection
        finally:
            connection.close()

    def _each(self, hosts: Sequence[Host], work: Callable[[Host], Outcome]) -> list[Outcome]:
        """`work` on every host, as many at once as the inventory allows; what fails on one host stays that host's."""

        def one(host: Host) -> Outcome:
            try:
                return work(host)
            except HayrickError as error:
                return Outcome(host, problem=str(error))

        with ThreadPoolExecutor(self.inventory.rollout.parallel) as pool:
            return list(pool.map(one, hosts))

    def _on_each(self, hosts: Sequence[Host], work: Callable[[Host, fact.Facts, Connection], None]) -> list[Outcome]:
        """`work` on every host that can be looked at, with its facts, over one connection."""

        def one(outcome: Outcome) -> None:
            assert outcome.facts is not None
            with self.connected(outcome.host.ssh) as connection:
                work(outcome.host, outcome.facts, connection)

        outcomes = self.look(hosts)
        self._all([each for each in outcomes if each.well], one)
        return outcomes

    def _all(self, outcomes: Sequence[Outcome], work: Callable[[Outcome], None]) -> None:
        with ThreadPoolExecutor(self.inventory.rollout.parallel) as pool:
            list(pool.map(lambda outcome: self._guard(outcome, work), outcomes))

    def _guard(self, outcome: Outcome, work: Callable[[Outcome], None]) -> None:
        try:
            work(outcome)
        except HayrickError as error:
            outcome.problem = str(error)
            self._say(outcome.host.name, f"FAILED: {error}")


def spool_of(host: Host) -> str:
    """Where the host's sensor keeps chunks, journal and keys."""
    return str(host.sensor.get("spool", "/var/lib/hayrick/sensor"))


def _runs(outcome: Outcome) -> bool:
    return bool(outcome.facts and outcome.facts.current and outcome.facts.running)
