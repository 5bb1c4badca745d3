"""Settings for SFTP are complete and safe, or the error says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayrick_common.config import parse_settings
from hayrick_common.errors import ConfigError, KeyFileError
from hayrick_sensor.config import Place, SensorSettings, parse_place

SFTP = 'transport = "sftp"\naddress = "sftp://s1@host/drop"\n'
FILES = 'key_file = "/k"\nknown_hosts = "/h"\n'


def settings(collector: str) -> SensorSettings:
    text = f'name = "s1"\n[collector]\n{collector}\n[[streams]]\nname = "a"\ninterface = "lo"\n'
    return parse_settings(text, SensorSettings, "sensor.toml")


@pytest.mark.parametrize(
    ("collector", "reason"),
    [
        (SFTP, "known_hosts"),
        (SFTP + 'key_file = "/k"', "known_hosts"),
        (SFTP + FILES + f'public_key = "{"a" * 40}"', "leave it out"),
        ('address = "sftp://s1@host/drop"\n' + FILES, "go together"),
        ('transport = "sftp"\naddress = "tcp://host:1"\n' + FILES, "go together"),
        ('transport = "sftp"\naddress = "sftp://host/drop"\n' + FILES, "user@host"),
        ('transport = "sftp"\naddress = "sftp://s1:secret@host/drop"\n' + FILES, "password"),
        ('address = "tcp://host:1"\n' + FILES, "leave them out"),
    ],
)
def test_incomplete_settings_are_refused_with_the_reason(collector: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        settings(collector)


def test_address_is_taken_apart() -> None:
    assert parse_place("sftp://s1@host/drop/s1") == Place("s1", "host", 22, "/drop/s1")
    assert parse_place("sftp://s1@[::1]:2222/drop") == Place("s1", "::1", 2222, "/drop")


def test_private_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret")
    key.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        settings(SFTP + f'key_file = "{key}"\nknown_hosts = "/h"\n').collector.ssh_files()
