"""A cluster behind TLS and logins: the right authority and key get through, wrong ones are told, no secret is shown."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from tests.collector.conftest import Hayrick
from tests.collector.elasticsearch import START_S
from tests.collector.store.sessions import WEB, batch
from tests.collector.store.test_elasticsearch import ids, put
from tests.collector.store.tls_proxy import certificate, secured

from hayrick_collector.store.elasticsearch import Cluster
from hayrick_common.errors import ConfigError, StoreAwayError

pytestmark = pytest.mark.timeout(START_S + 120)
KEY, PASSWORD = "c2VjcmV0LWtleQ==", "pass:wörd"
LOGIN = "Basic " + base64.b64encode(f"hay:{PASSWORD}".encode()).decode()
NOBODY = "https://127.0.0.1:1"


def secret(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text + "\n", "utf-8")
    path.chmod(mode)
    return str(path)


def test_the_right_authority_and_credentials_get_through_and_wrong_ones_are_told(
    cluster: Cluster, tmp_path: Path, hayrick: Hayrick
) -> None:
    files, other = certificate(tmp_path, "ours"), certificate(tmp_path, "other")
    with secured(cluster.urls[0], files, {f"ApiKey {KEY}", LOGIN}) as address:
        safe = replace(cluster, urls=(NOBODY, address), ca_file=str(files[0]))
        by_key = replace(safe, api_key_file=secret(tmp_path / "key", KEY))
        by_name = replace(safe, user="hay", password_file=secret(tmp_path / "password", PASSWORD))
        assert put(by_key, "one", batch(WEB)) == 1
        assert ids(by_key) == ids(by_name) == [WEB["id"]]
        wrong = replace(safe, api_key_file=secret(tmp_path / "wrong", "bm90LWl0"), urls=(address,))
        for refused in (wrong, replace(safe, urls=(address,))):
            with pytest.raises(StoreAwayError, match="refuses these credentials") as caught:
                ids(refused)
            assert "bm90LWl0" not in str(caught.value)
        for untrusted in (replace(by_key, ca_file=str(other[0])), replace(by_key, ca_file="")):
            alone = replace(untrusted, urls=(address,))
            with pytest.raises(StoreAwayError, match=r"certificate is not trusted \(store\.ca_file\)"):
                ids(alone)
        config = tmp_path / "c.toml"
        config.write_text(
            f"data = '{tmp_path / 'data'}'\n[store]\nkind = 'elasticsearch'\nurls = ['{address}']\n"
            f"prefix = '{cluster.prefix}'\nca_file = '{files[0]}'\napi_key_file = '{tmp_path / 'wrong'}'\n"
        )
        told = hayrick("store", "check", "--config", config, code=StoreAwayError.exit_code)
        assert "refuses these credentials" in told.stderr
        assert "bm90LWl0" not in told.stderr + told.stdout


def test_an_authority_goes_with_https_only(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"store\.ca_file: goes with addresses that begin with https"):
        ids(replace(cluster, ca_file=str(certificate(tmp_path, "ours")[0])))


def test_a_secret_that_others_may_read_is_not_used(cluster: Cluster, tmp_path: Path) -> None:
    path = secret(tmp_path / "secret", KEY, 0o640)
    by_key, by_name = replace(cluster, api_key_file=path), replace(cluster, user="hay", password_file=path)
    for setting, open_to_all in (("api_key_file", by_key), ("password_file", by_name)):
        with pytest.raises(ConfigError, match=rf"store\.{setting}: .*mode 0640.*chmod 600"):
            ids(open_to_all)
