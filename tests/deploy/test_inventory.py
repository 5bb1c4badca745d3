"""An inventory says what each host is to be, whoever wrote it; a wrong one is refused before any host is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayrick_common.errors import ConfigError
from hayrick_deploy.inventory import Inventory, load_inventory
from hayrick_deploy.settings import render, settings

KEY = "k" * 40
OURS = """
collector: {address: "tcp://10.0.0.5:8006"}
ssh: {user: admin, port: 2222}
sensor:
  heartbeat_seconds: 30
  shipping: {kilobytes_per_second: 100, windows: [sat]}
  streams: [{name: wan, interface: eth0}]
groups:
  dmz:
    ssh: {jump: bastion}
    sensor: {shipping: {kilobytes_per_second: 200}}
    hosts: [web-1, web-2]
hosts:
  web-1: {ssh: {address: 10.0.0.11, user: root}, sensor: {streams: [{name: lan, interface: eth1}]}}
  db-1: {}
"""
ANSIBLE = """
all:
  vars:
    ansible_user: admin
    ansible_port: 2222
    hayrick_collector: {address: "tcp://10.0.0.5:8006"}
    hayrick_sensor:
      heartbeat_seconds: 30
      shipping: {kilobytes_per_second: 100, windows: [sat]}
      streams: [{name: wan, interface: eth0}]
  hosts:
    db-1:
  children:
    outside:
      children:
        dmz:
          vars: {hayrick_sensor: {shipping: {kilobytes_per_second: 200}}}
          hosts:
            web-1:
              ansible_host: 10.0.0.11
              ansible_user: root
              hayrick_sensor: {streams: [{name: lan, interface: eth1}]}
            web-2: {unrelated: "{{ lookup('env', 'HOME') }}"}
"""
INI = """
[all:vars]
ansible_user=admin
ansible_port=2222
hayrick_collector={"address": "tcp://10.0.0.5:8006"}
hayrick_sensor={"streams": [{"name": "wan", "interface": "eth0"}]}

[dmz]
web-[1:2] ansible_host=10.0.0.11   # two of them
[outside:children]
dmz
"""


def load(tmp_path: Path, text: str, name: str = "fleet.yaml") -> Inventory:
    path = tmp_path / name
    path.write_text(text)
    return load_inventory(path)


@pytest.mark.parametrize("text", [OURS, ANSIBLE])
def test_a_host_s_own_goes_over_its_groups_and_those_over_the_fleet_s(tmp_path: Path, text: str) -> None:
    inventory = load(tmp_path, text)
    hosts = {each.name: each for each in inventory.hosts}
    assert set(hosts) == {"web-1", "web-2", "db-1"}
    web = hosts["web-1"]
    assert (web.ssh.address, web.ssh.user, web.ssh.port) == ("10.0.0.11", "root", 2222)
    read = settings(web, render(web, inventory.collector, KEY))
    assert [each.name for each in read.streams] == ["lan"]
    assert (read.shipping.kilobytes_per_second, read.shipping.windows) == (200, ["sat"])
    assert read.heartbeat_seconds == 30
    db = hosts["db-1"]
    assert (db.ssh.address, db.ssh.user) == ("db-1", "admin")
    assert settings(db, render(db, inventory.collector, KEY)).shipping.kilobytes_per_second == 100
    assert [each.name for each in inventory.chosen(["dmz"])] == ["web-1", "web-2"]


def test_an_ini_inventory_of_ansible_s_gives_its_hosts_and_their_groups(tmp_path: Path) -> None:
    inventory = load(tmp_path, INI, "hosts.ini")
    assert [(each.name, each.ssh.address, each.ssh.user) for each in inventory.hosts] == [
        ("web-1", "10.0.0.11", "admin"),
        ("web-2", "10.0.0.11", "admin"),
    ]
    assert [each.name for each in inventory.chosen(["outside"])] == ["web-1", "web-2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("collector: {address: tcp://a:1}\nssh: {password: hunter2}", "ssh.password: secrets have no place"),
        ("collector: {}", "collector: address: is required"),
        ("collector: {address: tcp://a:1}\nhosts: {web-1: {sensr: {}}}", "hosts.web-1.sensr: is not known"),
        ("collector: {address: tcp://a:1}\nhosts: {../etc: {}}", "hosts.../etc"),
        ("collector: {address: tcp://a:1}\nsecond: 1\nhosts: {}", "second: is not a part"),
        ("hosts: [", "not YAML"),
        ("all: {vars: {ansible_host: '{{ x }}'}}", "are not evaluated"),
        ("collector: {address: tcp://a:1}\nhosts: {a: {ssh: {port: 70000}}}", "port: must be at most 65535"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)


def test_wrong_sensor_settings_are_found_before_a_host_is_touched(tmp_path: Path) -> None:
    inventory = load(tmp_path, OURS.replace("heartbeat_seconds: 30", "heartbeat_seconds: 0"))
    with pytest.raises(ConfigError, match=r"hosts\.web-1: sensor: heartbeat_seconds: must be at least 1"):
        render(inventory.hosts[0], inventory.collector, KEY)


def test_a_name_that_is_neither_host_nor_group_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="web-9"):
        load(tmp_path, OURS).chosen(["web-9"])
