"""Ansible's inventories, in YAML or INI, read into the shape of our own: whoever has one need not write another.

What is read: hosts, groups, children and their variables, of which `ansible_host`, `ansible_port`, `ansible_user` and
`ansible_ssh_private_key_file` say how a host is reached, and `hayrick_collector`, `hayrick_rollout` and
`hayrick_sensor` (maps; JSON in an INI file) are ours. Jinja expressions are not evaluated but refused.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from hayrick_common.errors import ConfigError

_SSH = {
    "ansible_host": "address",
    "ansible_port": "port",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_ssh_private_key_file": "key_file",
}
_RANGE = re.compile(r"\[(\d+):(\d+)\]")


def is_ansible(tree: dict[str, Any]) -> bool:
    """Whether this is Ansible's shape: groups at the top, with hosts, children or vars in them."""
    return "all" in tree or not tree.keys() & {"hosts", "collector", "groups"}


def from_ini(text: str, where: str) -> dict[str, Any]:
    """Ansible's INI form as its YAML form."""
    tree: dict[str, Any] = {}
    section, kind = "ungrouped", ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            section, _, kind = line.strip("[]").partition(":")
            tree.setdefault(section, {})
            continue
        _ini_line(tree.setdefault(section, {}), kind, line, f"{where}: line {number}")
    return tree


def _ini_line(group: dict[str, Any], kind: str, line: str, where: str) -> None:
    if kind == "vars":
        key, equals, value = line.partition("=")
        if not equals:
            raise ConfigError(f"{where}: a variable is NAME=VALUE")
        group.setdefault("vars", {})[key.strip()] = _value(value.strip())
    elif kind == "children":
        group.setdefault("children", {})[line] = {}
    else:
        try:
            name, *variables = shlex.split(line, comments=True)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from error
        pairs = dict(each.split("=", 1) for each in variables if "=" in each)
        for host in _expanded(name):
            group.setdefault("hosts", {})[host] = {key: _value(value) for key, value in pairs.items()}


def _expanded(name: str) -> list[str]:
    """`web[01:03]` is web01, web02, web03."""
    found = _RANGE.search(name)
    if not found:
        return [name]
    first, last = found.groups()
    return [
        each
        for number in range(int(first), int(last) + 1)
        for each in _expanded(f"{name[: found.start()]}{number:0{len(first)}}{name[found.end() :]}")
    ]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip("'\"")


def to_hayrick(tree: dict[str, Any], where: str) -> dict[str, Any]:
    """Our own inventory's shape, from Ansible's YAML form."""
    groups: dict[str, dict[str, Any]] = {}
    hosts: dict[str, dict[str, Any]] = {}
    for name, group in tree.items():
        _gather(str(name), group, groups, hosts, where)
    top = groups.pop("all", {"vars": {}, "hosts": []})["vars"]
    result: dict[str, Any] = {"groups": {}, "hosts": {name: _ours(value, where) for name, value in hosts.items()}}
    for name, group in groups.items():
        result["groups"][name] = {**_ours(group["vars"], where), "hosts": group["hosts"]}
    for part in ("collector", "rollout"):
        if f"hayrick_{part}" in top:
            result[part] = top[f"hayrick_{part}"]
    return {**result, **_ours(top, where)}


def _gather(
    name: str, given: Any, groups: dict[str, dict[str, Any]], hosts: dict[str, dict[str, Any]], where: str
) -> list[str]:
    """Note a group and those below it; the names of all hosts in it."""
    group = given or {}
    if not isinstance(group, dict) or group.keys() - {"hosts", "children", "vars"}:
        raise ConfigError(f"{where}: {name}: a group of Ansible's has hosts, children and vars")
    mine = groups.setdefault(name, {"vars": {}, "hosts": []})
    mine["vars"].update(group.get("vars") or {})
    members = list(mine["hosts"])
    for host, variables in (group.get("hosts") or {}).items():
        hosts.setdefault(str(host), {}).update(variables or {})
        members.append(str(host))
    for child, inside in (group.get("children") or {}).items():
        members += _gather(str(child), inside, groups, hosts, where)
        members += groups[str(child)]["hosts"]
    mine["hosts"] = members = list(dict.fromkeys(members))
    return members


def _ours(variables: dict[str, Any], where: str) -> dict[str, Any]:
    for key, value in variables.items():
        if isinstance(value, str) and "{{" in value and (key in _SSH or key.startswith("hayrick_")):
            raise ConfigError(f"{where}: {key}: expressions such as {value} are not evaluated; write the value")
    ssh = {ours: variables[theirs] for theirs, ours in _SSH.items() if theirs in variables}
    return {
        **({"ssh": ssh} if ssh else {}),
        **({"sensor": variables["hayrick_sensor"]} if "hayrick_sensor" in variables else {}),
    }
