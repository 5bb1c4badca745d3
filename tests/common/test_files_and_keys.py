"""A file appears whole or not at all, and a secret key is its owner's alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from hayrick_common.errors import KeyFileError
from hayrick_common.files import hidden_writer, is_part, write_file
from hayrick_common.keys import KeyPair, read_allowed, read_pair, write_pair


def pair() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def test_failed_write_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    final = tmp_path / "f"
    write_file(final, b"old")
    with pytest.raises(OSError, match="full"):
        _write_and_fail(final)
    assert final.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [final]


def _write_and_fail(final: Path) -> None:
    with hidden_writer(final) as stream:
        stream.write(b"new")
        assert [each.name for each in final.parent.iterdir() if is_part(each)] == [".f.part"]
        raise OSError("full")


def test_keys_come_back_and_the_secret_is_private(tmp_path: Path) -> None:
    made = pair()
    write_pair(tmp_path, "sensor", made)
    assert read_pair(tmp_path, "sensor") == made
    assert (tmp_path / "sensor.secret").stat().st_mode & 0o777 == 0o600
    assert made.secret not in repr(made)


def test_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "sensor", pair())
    (tmp_path / "sensor.secret").chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_pair(tmp_path, "sensor")


def test_new_key_never_replaces_an_old_one(tmp_path: Path) -> None:
    write_pair(tmp_path, "sensor", pair())
    with pytest.raises(KeyFileError, match="exists already"):
        write_pair(tmp_path, "sensor", pair())


def test_bad_file_in_the_allow_list_does_not_lock_out_the_good(tmp_path: Path) -> None:
    made = pair()
    (tmp_path / "good.public").write_text(made.public + "\n")
    (tmp_path / "bad.public").write_text("half a k")
    assert read_allowed(tmp_path) == {made.public: "good"}
