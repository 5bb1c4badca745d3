"""A sensor's settings file: who it is, what it captures, where it ships to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from hayrick_common.chunk import IMPORT_STREAM, check_name
from hayrick_common.config import load_settings, setting
from hayrick_common.errors import KeyFileError
from hayrick_common.keys import check_key, check_private, read_public
from hayrick_sensor.windows import Window, parse_window

DEFAULT_PATH = Path("/etc/hayrick/sensor.toml")
MEGABYTE = 1_000_000


class Place(NamedTuple):
    """An SFTP address taken apart."""

    user: str
    host: str
    port: int
    path: str


def parse_place(address: str) -> Place:
    """`sftp://user@host[:port]/path`; ValueError says what is missing."""
    parts = urlsplit(address)
    if parts.scheme != "sftp" or not parts.hostname or not parts.username or not parts.path.startswith("/"):
        raise ValueError(f"{address!r} is not sftp://user@host[:port]/path")
    if parts.password is not None:
        raise ValueError("a password has no place in the address: give a key_file")
    return Place(unquote(parts.username), parts.hostname, parts.port or 22, unquote(parts.path))


@dataclass(frozen=True)
class CollectorSettings:
    """Where chunks go."""

    address: str = setting(
        about="the collector's address: tcp://10.0.0.5:8006, or sftp://user@host[:port]/path of this sensor's folder",
        pattern=r"(tcp|ipc|sftp)://.+",
    )
    transport: Literal["zeromq", "sftp"] = setting("zeromq", about="how chunks travel; sftp: by any OpenSSH server")
    public_key: str = setting("", about="the collector's public key, 40 characters")
    public_key_file: Path | None = setting(None, about="or a file that holds it")
    key_file: Path | None = setting(None, about="sftp: the private SSH key that lets this sensor in")
    known_hosts: Path | None = setting(None, about="sftp: file with the server's host key, as ssh-keyscan prints it")

    def __post_init__(self) -> None:
        if (self.transport == "sftp") != self.address.startswith("sftp://"):
            raise ValueError("transport = 'sftp' and an address that begins with sftp:// go together")
        if self.transport == "sftp":
            self._check_sftp()
        else:
            self._check_zeromq()

    def _check_sftp(self) -> None:
        if self.key_file is None or self.known_hosts is None:
            raise ValueError("transport = 'sftp' needs key_file and known_hosts (`ssh-keyscan HOST` prints host keys)")
        if self.public_key or self.public_key_file:
            raise ValueError("public_key is for transport = 'zeromq'; leave it out")
        parse_place(self.address)

    def _check_zeromq(self) -> None:
        if self.key_file or self.known_hosts:
            raise ValueError("key_file and known_hosts are for transport = 'sftp'; leave them out")
        if bool(self.public_key) == bool(self.public_key_file):
            raise ValueError("give either public_key or public_key_file (`hayrick collector init` says where it is)")
        if self.public_key:
            try:
                check_key(self.public_key, "public_key")
            except KeyFileError as error:
                raise ValueError(str(error)) from error

    def key(self) -> str:
        """The public key, wherever it is given."""
        return read_public(self.public_key_file) if self.public_key_file else self.public_key

    def ssh_files(self) -> tuple[Path, Path]:
        """The private key and the known hosts; KeyFileError when the key cannot be read or others may."""
        if self.key_file is None or self.known_hosts is None:
            raise KeyFileError("key_file and known_hosts are needed")
        check_private(self.key_file)
        return self.key_file, self.known_hosts


@dataclass(frozen=True)
class StreamSettings:
    """One thing to capture: an interface under our own tcpdump, or a folder that somebody else's fills."""

    name: str = setting(about="names the stream for ever: A-Z a-z 0-9 _ -")
    interface: str = setting("", about="interface that tcpdump listens on")
    folder: Path | None = setting(None, about="or a folder whose closed captures are adopted")
    pattern: str = setting("*.pcap*", about="which files of an adopted folder are captures")
    keep: Literal["copy", "place"] = setting("copy", about="adopted files: copied once closed, or left where they are")
    delete: bool = setting(False, about="keep = 'place': whether adopted files are ours to delete once received")
    filter: str = setting("", about="BPF filter")
    snaplen: int = setting(262_144, about="bytes kept of each packet", minimum=64, maximum=262_144)
    rotate_seconds: int = setting(60, about="a chunk is closed after this time", minimum=1, maximum=86_400)
    rotate_megabytes: int = setting(100, about="or at this size; 0 for no limit", minimum=0, maximum=32_000)
    quiet_seconds: int = setting(0, about="on a quiet link, closed this much later; 0 for automatic", minimum=0)
    ring_megabytes: int = setting(2_000, about="kept on this host, what was received goes first", minimum=1)
    ring_hours: int = setting(0, about="and not longer than this; 0 for no limit", minimum=0)
    ship: Literal["packets", "records"] = setting(
        "packets", about="what travels: packets, or only the sessions decoded here (needs hayrick[flow])"
    )
    user: str = setting("", about="user that tcpdump becomes (-Z); default tcpdump where we are root")
    extra: list[str] = setting(factory=list, about="further tcpdump arguments")

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.name == IMPORT_STREAM:
            raise ValueError(f"the name {IMPORT_STREAM!r} is reserved")
        if bool(self.interface) == bool(self.folder):
            raise ValueError("give either interface or folder")
        if self.delete and self.keep != "place":
            raise ValueError("delete = true goes with keep = 'place': a copy leaves the original alone")
        if self.interface and self.ring_megabytes < 2 * self.rotate_megabytes:
            raise ValueError("ring_megabytes must be at least twice rotate_megabytes")
        for argument in self.extra:
            if argument[:2] in ("-w", "-W", "-G", "-C", "-z", "-Z", "-i", "-r"):
                raise ValueError(f"extra: {argument[:2]} is Hayrick's own to give")

    @property
    def adopted(self) -> bool:
        """True where somebody else's tcpdump writes the files."""
        return self.folder is not None

    @property
    def owned(self) -> bool:
        """True where chunks' files are ours to rename and to delete."""
        return not self.adopted or self.keep == "copy"

    @property
    def quiet_grace(self) -> float:
        """Seconds past rotate_seconds after which a chunk that tcpdump did not rotate is closed by us."""
        return self.quiet_seconds or min(max(self.rotate_seconds * 0.5, 3.0), 30.0)


@dataclass(frozen=True)
class ShippingSettings:
    """When and how fast chunks go."""

    windows: list[str] = setting(
        factory=list, about="ship only then, by the host's clock: '22:00-06:00', 'sat,sun', 'mon-fri 20:00-24:00'"
    )
    kilobytes_per_second: int = setting(0, about="at most so fast, on average; 0 for no limit", minimum=0)

    def __post_init__(self) -> None:
        self.parsed()

    def parsed(self) -> list[Window]:
        """The windows; ValueError for one that is none."""
        return [parse_window(each) for each in self.windows]


@dataclass(frozen=True)
class SensorSettings:
    """The whole file."""

    name: str = setting(about="this sensor's name: A-Z a-z 0-9 _ -")
    collector: CollectorSettings = setting(about="table [collector]")
    streams: list[StreamSettings] = setting(about="tables [[streams]]")
    shipping: ShippingSettings = setting(factory=ShippingSettings, about="table [shipping]")
    spool: Path = setting(Path("/var/lib/hayrick/sensor"), about="folder of captured chunks, journal and keys")
    keep_free_megabytes: int = setting(500, about="free disk below which chunks are given up", minimum=0)
    decode_megabytes: int = setting(512, about="memory of the process that decodes, with ship = 'records'", minimum=64)
    pull_kilobytes: int = setting(
        2_000, about="packets sent a second when the collector asks for some that were kept here; kB", minimum=16
    )
    heartbeat_seconds: int = setting(10, about="time between heartbeats", minimum=1, maximum=300)

    def __post_init__(self) -> None:
        check_name(self.name)
        names = [each.name for each in self.streams]
        if not names:
            raise ValueError("at least one [[streams]] table is required")
        if len(set(names)) != len(names):
            raise ValueError("two streams have the same name")

    @property
    def keys_folder(self) -> Path:
        """Holds sensor.secret and sensor.public."""
        return self.spool / "keys"


def load_sensor_settings(path: Path) -> SensorSettings:
    """Read and check a sensor's settings; raises ConfigError."""
    return load_settings(path, SensorSettings)
