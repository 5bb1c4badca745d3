"""The inventory: one YAML file that names the hosts of a fleet, how each is reached and what its sensor is to do.

Settings are merged from the whole fleet's over each group's to the host's own: tables key by key, anything else whole.
Secrets have no place in it: it names key files, never keys or passwords.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from hayrick_common.chunk import check_name
from hayrick_common.config import read_table, setting
from hayrick_common.errors import ConfigError
from hayrick_deploy import ansible

SECRET_WORDS = ("password", "passphrase", "secret", "become_pass")


@dataclasses.dataclass(frozen=True)
class Ssh:
    """How a host is reached."""

    address: str = setting("", about="name or address to connect to; default: the host's name")
    port: int = setting(22, about="of its SSH server", minimum=1, maximum=65_535)
    user: str = setting("root", about="user to log in as; needs sudo unless it is root")
    key_file: Path | None = setting(None, about="private key; default: the agent's, then those of ~/.ssh")
    known_hosts: Path | None = setting(None, about="file of host keys; default: ~/.ssh/known_hosts")
    jump: str = setting("", about="host to go through: [user@]host[:port]")
    connect_seconds: int = setting(10, about="patience with a host that does not answer", minimum=1, maximum=300)


@dataclasses.dataclass(frozen=True)
class Collector:
    """Where the fleet's sensors ship to, and where it keeps the keys it allows."""

    address: str = setting(about="the address that sensors dial: tcp://10.0.0.5:8006", pattern=r"tcp://.+")
    data: Path = setting(Path("/var/lib/hayrick"), about="its data folder, on this machine or on `ssh`'s host")
    ssh: Ssh | None = setting(None, about="how the collector's machine is reached; left out: it is this machine")


@dataclasses.dataclass(frozen=True)
class Rollout:
    """How carefully a new release goes out."""

    parallel: int = setting(10, about="hosts worked on at once", minimum=1, maximum=100)
    gate_seconds: int = setting(
        180, about="time in which a changed sensor must have shipped a chunk, else it is rolled back", minimum=5
    )
    keep_releases: int = setting(2, about="releases that stay on a host, the running one among them", minimum=1)


@dataclasses.dataclass(frozen=True)
class Host:
    """One sniffing host: its name is the sensor's."""

    name: str
    ssh: Ssh
    sensor: dict[str, Any]
    groups: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Inventory:
    """The whole file, merged."""

    collector: Collector
    rollout: Rollout
    hosts: tuple[Host, ...]

    def chosen(self, names: list[str]) -> list[Host]:
        """The hosts so named, or of groups so named; all where none is. ConfigError for a name that is neither."""
        known = {each.name for each in self.hosts} | {group for each in self.hosts for group in each.groups}
        if unknown := [name for name in names if name not in known]:
            raise ConfigError(f"no host or group of the inventory is called {', '.join(unknown)}")
        wanted = set(names)
        return [each for each in self.hosts if not names or wanted & {each.name, *each.groups}]


def load_inventory(path: Path) -> Inventory:
    """Read and check an inventory, Hayrick's own or Ansible's; ConfigError names what is wrong with it."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error.strerror if isinstance(error, OSError) else 'not UTF-8 text'}") from error
    tree = (
        ansible.from_ini(text, str(path))
        if path.suffix in (".ini", ".cfg") or path.name == "hosts"
        else _yaml(text, path)
    )
    if ansible.is_ansible(tree):
        tree = ansible.to_hayrick(tree, str(path))
    return _inventory(tree, str(path))


def _yaml(text: str, path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(io.StringIO(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: must be a map with collector, sensor and hosts")
    return tree


def _inventory(tree: dict[str, Any], where: str) -> Inventory:
    for key in _keys(tree):
        if any(word in key.rpartition(".")[2] for word in SECRET_WORDS):
            raise ConfigError(f"{where}: {key}: secrets have no place in the inventory; leave it out")
    if unknown := tree.keys() - {"collector", "rollout", "ssh", "sensor", "groups", "hosts"}:
        raise ConfigError(f"{where}: {min(unknown)}: is not a part of an inventory")
    collector = read_table(tree.get("collector", {}), Collector, f"{where}: collector")
    rollout = read_table(tree.get("rollout", {}), Rollout, f"{where}: rollout")
    return Inventory(collector, rollout, tuple(_hosts(tree, where)))


def _hosts(tree: dict[str, Any], where: str) -> Iterator[Host]:
    groups = {name: _map(value, f"{where}: groups.{name}") for name, value in _map(tree.get("groups"), where).items()}
    hosts = {name: _map(value, f"{where}: hosts.{name}") for name, value in _map(tree.get("hosts"), where).items()}
    members = {name: _names(group.get("hosts"), f"{where}: groups.{name}.hosts") for name, group in groups.items()}
    for name in dict.fromkeys([*hosts, *(host for each in members.values() for host in each)]):
        mine = [group for group, names in members.items() if name in names]
        layers = [tree, *(groups[group] for group in mine), hosts.get(name, {})]
        yield _host(str(name), layers, tuple(mine), where)


def _host(name: str, layers: list[dict[str, Any]], groups: tuple[str, ...], where: str) -> Host:
    here = f"{where}: hosts.{name}"
    try:
        check_name(name)
    except ValueError as error:
        raise ConfigError(f"{here}: {error}") from error
    if unknown := layers[-1].keys() - {"ssh", "sensor"}:
        raise ConfigError(f"{here}.{min(unknown)}: is not known; a host has ssh and sensor")
    ssh = merged(*(_map(each.get("ssh"), f"{here}.ssh") for each in layers))
    return Host(
        name,
        read_table({"address": name, **ssh}, Ssh, f"{here}: ssh"),
        merged(*(_map(each.get("sensor"), f"{here}.sensor") for each in layers)),
        groups,
    )


def merged(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """Later tables over earlier ones, tables within them likewise; anything else is replaced."""
    result: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def _map(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: must be a map, not {value!r}")
    return value


def _names(value: Any, where: str) -> list[str]:
    if isinstance(value, dict):
        raise ConfigError(f"{where}: must be a list of hosts' names; what is a host's own stands under hosts")
    return [str(each) for each in value or []]


def _keys(tree: Any, prefix: str = "") -> Iterator[str]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield f"{prefix}{key}"
        yield from _keys(value, f"{prefix}{key}.")
