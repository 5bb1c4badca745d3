"""The collector's settings: TOML, checked key by key by the common loader.

Every setting has a default, so an empty file (or none) is a working collector on loopback.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hayrick_collector.archive.keyring import KeyRing
from hayrick_collector.archive.paths import DataFolder, default_data
from hayrick_collector.desk.config import AccountsConfig
from hayrick_collector.timespan import zone_of
from hayrick_common.chunk import NAME
from hayrick_common.config import load_settings, setting
from hayrick_common.errors import ConfigError, KeyFileError
from hayrick_common.keys import check_private

if TYPE_CHECKING:
    from hayrick_collector.archive.container import Form

CONFIG_PLACES = (Path("/etc/hayrick/collector.toml"),)
LEAST_TOKEN = 16


def default_workers() -> int:
    """Two ingest workers, one on a single-core machine: the third adds little while the disk is one."""
    return min(2, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """`[api]`: where the HTTP API and the page are served."""

    listen: str = setting("127.0.0.1:8005", about="ADDRESS:PORT; who reaches anything but loopback must log in")
    token: str = setting("", about="an administrator's token besides those of `hayrick token`; empty: none")
    hosts: tuple[str, ...] = setting((), about="further names by which the page may be asked for on loopback")
    url: str = setting("", pattern=r"(https?://[^/\s]+)?", about="where people reach it, when a proxy is in front")
    certificate: str = setting("", about="PEM file of the TLS certificate and its chain; empty: plain HTTP")
    key: str = setting("", about="PEM file of the certificate's key")
    requests_per_minute: int = setting(1_200, minimum=0, about="most requests of one person or address; 0: no limit")
    upload_gigabytes: int = setting(64, minimum=1, about="largest capture that may be uploaded")

    def __post_init__(self) -> None:
        split_address(self.listen)
        if self.token and len(self.token) < LEAST_TOKEN:
            raise ValueError(f"token needs at least {LEAST_TOKEN} characters: `openssl rand -hex 24` makes one")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key go together")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to bind; port 0 lets the system choose."""
        return split_address(self.listen)

    @property
    def loopback(self) -> bool:
        return is_loopback(self.address[0])

    @property
    def secure(self) -> bool:
        """Whether people reach it by TLS, our own or a proxy's."""
        return bool(self.certificate) or self.url.startswith("https://")


@dataclass(frozen=True, slots=True)
class LandingConfig:
    """`[landing]`: how chunks arrive."""

    listen: str = setting("tcp://127.0.0.1:8006", about="ZeroMQ endpoint that sensors dial; empty: none")
    inbox: bool = setting(True, about="take bare PCAPs that anyone drops into the data folder's inbox/")
    drop: str = setting("", about="folder of what sensors deliver by SFTP; empty: drop/ in the data folder")
    sweep_days: int = setting(
        30, minimum=0, about="older receipts, refused files and halves of deliveries in drop and inbox go; 0: none"
    )


@dataclass(frozen=True, slots=True)
class ArchiveConfig:
    """`[archive]`: in what form packets are stored. What is stored already stays readable whatever is set here."""

    compression: int = setting(1, minimum=0, maximum=19, about="zstd level of what arrives uncompressed; 0: none")
    key_file: str = setting("", about="keys to encrypt stored packets with (`hayrick archive rotate-key`); empty: none")

    @property
    def keys(self) -> KeyRing | None:
        """The key file's keys, read when they are needed."""
        return _key_ring(Path(self.key_file).expanduser()) if self.key_file else None

    @property
    def form(self) -> Form:
        """How new files are stored."""
        from hayrick_collector.archive.container import Form

        return Form(self.compression, self.keys)


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """`[ingest]`: the worker processes."""

    workers: int = setting(factory=default_workers, minimum=1, maximum=64, about="worker processes")
    attempts: int = setting(3, minimum=1, maximum=100, about="attempts at a chunk before it is failed")
    stall_seconds: int = setting(300, minimum=5, about="a worker that says nothing for so long is killed")
    keep_free_mb: int = setting(512, minimum=0, about="refuse imports that would leave less room on the disk")


@dataclass(frozen=True, slots=True)
class EnrichmentConfig:
    """`[enrichment]`: local tables that tell more of a session's ends; a file that is replaced is read anew."""

    country: str = setting("", about="MMDB file of countries by address; empty: none")
    asn: str = setting("", about="MMDB file of autonomous systems by address; empty: none")
    rir: str = setting("", about="IANA's ipv4-address-space.csv: who gave out an address; empty: none")
    oui: str = setting("", about="makers by MAC address, IEEE's oui.csv or Wireshark's manuf; empty: none")

    def paths(self) -> dict[str, Path]:
        """The files that are set, by name."""
        return {name: Path(path).expanduser() for name, path in asdict(self).items() if path}


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`[store]`: the embedded store, or a shared Elasticsearch or OpenSearch cluster."""

    kind: Literal["duckdb", "elasticsearch", "opensearch"] = setting(
        "duckdb", about="embedded on this machine, or a cluster"
    )
    query_seconds: int = setting(60, minimum=1, maximum=3600, about="a query that takes longer is given up")
    query_megabytes: int = setting(
        1000, minimum=64, about="memory of the embedded store's queries together; past it they use the disk"
    )
    urls: tuple[str, ...] = setting(
        (), about="the cluster's addresses, such as https://es1:9200; all that follows is of it too"
    )
    prefix: str = setting("hayrick_", pattern=r"[a-z0-9][a-z0-9_-]{0,60}|", about="begins the names of its indices")
    shards: int = setting(1, minimum=1, maximum=64, about="shards of each day's index")
    replicas: int = setting(1, minimum=0, maximum=8, about="copies of each shard; 0 on a cluster of one node")
    rollover_gigabytes: int = setting(
        40, minimum=0, about="size at which a day gets a further index (without copies); 0: one a day"
    )
    api_key_file: str = setting("", about="file with an API key (the encoded form), mode 0600")
    user: str = setting("", about="user to log on as, where there is no API key")
    password_file: str = setting("", about="file with the user's password, mode 0600")
    patience_seconds: int = setting(
        90, minimum=1, about="a cluster that takes nothing for so long has a chunk put off, and indexing paused"
    )
    ca_file: str = setting("", about="PEM file of the authority that signed the cluster's certificates")

    def __post_init__(self) -> None:
        if self.shared != bool(self.urls):
            raise ValueError("urls and kind = 'elasticsearch' (or 'opensearch') go together")
        for url in self.urls:
            if not re.fullmatch(r"https?://([^/\s:@\[\]]+|\[[0-9A-Fa-f:]+\]):\d{1,5}(/\S*)?", url):
                raise ValueError(f"urls: {url!r} is not an address with its port, such as https://es1.example:9200")
        if self.user and self.api_key_file:
            raise ValueError("user: an API key (api_key_file) is used instead; leave out one of them")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file go together")

    @property
    def shared(self) -> bool:
        """Whether it is a cluster."""
        return self.kind != "duckdb"


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """`[retention]`: how long sessions and packets are kept."""

    days: int = setting(0, minimum=0, about="older sessions and packets go; 0 keeps everything")
    packet_days: int = setting(0, minimum=0, about="older packets go, their sessions stay; 0 keeps them as long")
    packet_gigabytes: int = setting(0, minimum=0, about="packets kept in all, the oldest go first; 0: no limit")
    keep_free_gigabytes: int = setting(0, minimum=0, about="free disk below which the oldest packets go; 0: none go")
    give_up_unindexed: bool = setting(
        False, about="where no indexed packets are left to go, give up landed chunks that never were searchable"
    )


@dataclass(frozen=True, slots=True)
class PullConfig:
    """`[pull]`: packets that stayed on sensors, fetched for an export."""

    megabytes: int = setting(1_000, minimum=1, about="kept of packets that were fetched from sensors (in cache/)")
    seconds: int = setting(120, minimum=1, maximum=3_600, about="an export waits so long for packets from sensors")


@dataclass(frozen=True, slots=True)
class HuntConfig:
    """`[hunt]`: searches inside packets, in processes of their own."""

    parallel: int = setting(1, minimum=1, maximum=16, about="hunts that run at the same time; others wait")
    memory_mb: int = setting(1024, minimum=256, about="memory that a hunting process may take")


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """`[schedule]`: queries that are asked again and again."""

    webhooks: tuple[str, ...] = setting(
        (), about="addresses that may be told of what was found; each allows what lies below it, nothing else is called"
    )
    webhook_secret_file: str = setting("", about="file with a secret, sent as `Authorization: Bearer SECRET`")
    exports: str = setting("", about="folder that schedules export to; empty: exports/ in the data folder")

    def __post_init__(self) -> None:
        from hayrick_collector.schedules.webhook import parts

        for each in self.webhooks:
            parts(each)


@dataclass(frozen=True, slots=True)
class PeersConfig:
    """`[peers]`: several collectors on one cluster, which give each other packets."""

    url: str = setting(
        "", pattern=r"(https?://[^/\s]+)?", about="where the others reach this collector's API; empty: it is alone"
    )
    token_file: str = setting("", about="file with the token that all of them share (mode 0600)")
    ca_file: str = setting("", about="PEM file of the authority that signed the others' certificates")

    def __post_init__(self) -> None:
        if bool(self.url) != bool(self.token_file):
            raise ValueError("url and token_file go together")

    def token(self) -> str:
        """The shared token, empty where there is none. Raises ConfigError."""
        if not self.token_file:
            return ""
        path = Path(self.token_file).expanduser()
        try:
            check_private(path)
            token = path.read_text("utf-8").strip()
        except (OSError, KeyFileError) as error:
            raise ConfigError(f"peers.token_file: {error}") from error
        if len(token) < LEAST_TOKEN:
            raise ConfigError(f"peers.token_file {path}: at least {LEAST_TOKEN} characters: `openssl rand -hex 24`")
        return token

    def context(self) -> ssl.SSLContext:
        """By which the others' certificates are checked. Raises ConfigError."""
        try:
            return ssl.create_default_context(cafile=Path(self.ca_file).expanduser() if self.ca_file else None)
        except OSError as error:
            raise ConfigError(f"peers.ca_file {self.ca_file}: {error}") from error


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """A whole collector."""

    data: Path = setting(factory=default_data, about="the data folder")
    node: str = setting("case", pattern=NAME.pattern, about="names this collector in documents and in the archive")
    zone: str = setting("UTC", about="of times in expressions that name none: UTC, Europe/Berlin, +02:00")
    api: ApiConfig = field(default_factory=ApiConfig)
    landing: LandingConfig = field(default_factory=LandingConfig)
    archive: ArchiveConfig = field(default_factory=ArchiveConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    enrichment: EnrichmentConfig = field(default_factory=EnrichmentConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    pull: PullConfig = field(default_factory=PullConfig)
    peers: PeersConfig = field(default_factory=PeersConfig)
    accounts: AccountsConfig = field(default_factory=AccountsConfig)
    hunt: HuntConfig = field(default_factory=HuntConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def __post_init__(self) -> None:
        zone_of(self.zone)
        if self.peers.url and self.store.kind == "duckdb":
            raise ValueError("peers.url: only a shared store (store.kind) has other collectors")
        if self.accounts.oidc_issuer and not self.api.url:
            raise ValueError("accounts.oidc_issuer needs api.url: the provider sends people back there")

    @property
    def folder(self) -> DataFolder:
        return DataFolder(self.data)

    @property
    def exports(self) -> Path:
        """The folder that schedules export to."""
        return Path(self.schedule.exports).expanduser() if self.schedule.exports else self.data / "exports"

    @property
    def drop(self) -> Path:
        """The folder of sensors' SFTP deliveries."""
        return Path(self.landing.drop).expanduser() if self.landing.drop else self.data / "drop"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for handing to a worker process; `from_dict` reads them back."""
        return {**asdict(self), "data": str(self.data)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CollectorConfig:
        """What `as_dict` made."""
        return cls(
            data=Path(values["data"]),
            node=values["node"],
            zone=values["zone"],
            api=ApiConfig(**{**values["api"], "hosts": tuple(values["api"]["hosts"])}),
            landing=LandingConfig(**values["landing"]),
            archive=ArchiveConfig(**values["archive"]),
            ingest=IngestConfig(**values["ingest"]),
            enrichment=EnrichmentConfig(**values["enrichment"]),
            store=StoreConfig(**{**values["store"], "urls": tuple(values["store"]["urls"])}),
            retention=RetentionConfig(**values["retention"]),
            pull=PullConfig(**values["pull"]),
            peers=PeersConfig(**values["peers"]),
            accounts=AccountsConfig.from_dict(values["accounts"]),
            hunt=HuntConfig(**values["hunt"]),
            schedule=ScheduleConfig(**{**values["schedule"], "webhooks": tuple(values["schedule"]["webhooks"])}),
        )


def load_config(path: Path | None = None, *, data: Path | None = None) -> CollectorConfig:
    """The settings of the named file, else of $HAYRICK_COLLECTOR_CONFIG, else (unless `data` names a folder of its own)
    of /etc/hayrick/collector.toml, else defaults; `data` overrides the file's. Raises ConfigError."""
    found = config_path(path, named_data=data is not None)
    config = load_settings(found, CollectorConfig) if found else CollectorConfig()
    return replace(config, data=data) if data else config


@cache
def _key_ring(path: Path) -> KeyRing:
    return KeyRing(path)


def split_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:8005` or `[::1]:8005` as host and port. Raises ValueError."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    try:
        if host != "localhost":
            ipaddress.ip_address(host)
        number = int(port)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise ValueError(f"{text!r} is not ADDRESS:PORT, such as 127.0.0.1:8005")
    return host, number


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def config_path(path: Path | None, *, named_data: bool) -> Path | None:
    """The settings file that `load_config` reads; None where it takes the defaults."""
    named = path or os.environ.get("HAYRICK_COLLECTOR_CONFIG")
    if named:
        return Path(named)
    return None if named_data else next((place for place in CONFIG_PLACES if place.exists()), None)
