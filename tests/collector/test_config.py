"""Settings: the defaults work, and each mistake names its key and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.collector.store.tls_proxy import certificate

from hayrick_collector.config import CollectorConfig, PeersConfig, load_config
from hayrick_common.errors import ConfigError

TOKEN = "0123456789abcdef0123"


def load(tmp_path: Path, text: str) -> CollectorConfig:
    path = tmp_path / "collector.toml"
    path.write_text(text)
    return load_config(path)


def test_empty_file_is_a_collector_on_loopback(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    assert config.api.address == ("127.0.0.1", 8005)
    assert config.api.loopback
    assert config.store.kind == "duckdb"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[api]\ncertificate = '/x.pem'", "certificate and key go together"),
        ("[accounts]\nproxy_header = 'X-User'", "only these proxies"),
        ("[accounts]\nproxies = ['proxy.example']", "proxy.example"),
        ("[accounts]\noidc_roles = ['soc=king']", "'king' is no role"),
        ("[accounts]\noidc_issuer = 'http://login.example'\noidc_client = 'x'", "https://"),
        ("[api]\nlisten = '8005'", "ADDRESS:PORT"),
        ("[api]\ntoken = 'short'", "at least 16"),
        ("[api]\nport = 1", "api.port"),
        ("[ingest]\nworkers = 0", "ingest.workers"),
        ("[ingest]\nworkers = 'two'", "ingest.workers"),
        ("node = 'a/b'", "node"),
        ("[store]\nkind = 'elasticsearch'", "store: urls"),
        ("[store]\nkind = 'elasticsearch'\nurls = ['es1:9200']", "store: urls"),
        ("[store]\nkind = 'elasticsearch'\nurls = ['https://es1']", "with its port"),
        ("[store]\nkind = 'elasticsearch'\nurls = ['https://es1:9200']\nprefix = 'A*'", "store.prefix"),
        ("[store]\nkind = 'elasticsearch'\nurls = ['https://es1:9200']\nuser = 'u'", "store: user and password_file"),
        ("[store]\nurl = 'https://es1:9200'", "did you mean 'urls'"),
        ("[retention]\ndays = -1", "retention.days"),
        ("data = ", "not TOML"),
    ],
)
def test_mistake_names_the_key_and_the_reason(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(tmp_path, text)


def test_other_addresses_may_be_listened_on_with_a_token(tmp_path: Path) -> None:
    assert not load(tmp_path, f"[api]\nlisten = '0.0.0.0:8005'\ntoken = '{TOKEN}'").api.loopback


def test_settings_survive_the_way_to_a_worker(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        f"data = '{tmp_path}'\n[api]\ntoken = '{TOKEN}'\nhosts = ['h']\n[ingest]\nworkers = 3\n"
        "[store]\nkind = 'elasticsearch'\nurls = ['https://[::1]:9200/es', 'http://b:1']",
    )
    assert CollectorConfig.from_dict(config.as_dict()) == config


def test_named_data_folder_is_not_the_service_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HAYRICK_COLLECTOR_CONFIG", raising=False)
    assert load_config(data=tmp_path).data == tmp_path
    monkeypatch.setenv("HAYRICK_DATA", str(tmp_path / "env"))
    assert load_config(data=None).data in (tmp_path / "env", load_config().data)


def test_files_of_peers_may_lie_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    authority, _ = certificate(tmp_path, "ours")
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    peers = PeersConfig(url="https://rick1.example", token_file="~/token", ca_file=f"~/{authority.name}")
    assert peers.token() == TOKEN
    assert len(peers.context().get_ca_certs()) == 1
