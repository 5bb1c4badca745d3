"""What the kernel says of a network interface: in /sys/class/net, and by the ioctl that ethtool(8) asks it with."""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from pathlib import Path

SYS = Path("/sys/class/net")
_SIOCETHTOOL = 0x8946
_GRINGPARAM = 0x10
_GTXCSUM = 0x16
_GTSO = 0x1E
_GGSO = 0x23
_GFLAGS = 0x25
_GGRO = 0x2B
_LRO = 1 << 15
_UP = 1


def exists(interface: str) -> bool:
    """Whether there is such an interface."""
    return "/" not in interface and (SYS / interface).is_dir()


def up(interface: str) -> bool:
    """Whether somebody has brought it up."""
    return bool(int(_text(interface, "flags"), 16) & _UP)


def carrier(interface: str) -> bool:
    """Whether its other end is there."""
    return _text(interface, "carrier") == "1"


def speed(interface: str) -> float:
    """Bytes a second that it can bring; 0 where it does not say."""
    told = _text(interface, "speed")
    return max(0, int(told)) * 1_000_000 / 8 if told.lstrip("-").isdigit() else 0.0


def offloads(interface: str) -> dict[str, bool]:
    """Which of gro, lro, tso, gso and tx (checksums) are on; those that the driver does not know are left out."""
    asked = {"gro": _GGRO, "tso": _GTSO, "gso": _GGSO, "tx": _GTXCSUM}
    told = {name: _value(interface, command) for name, command in asked.items()}
    flags = _value(interface, _GFLAGS)
    told["lro"] = None if flags is None else flags & _LRO
    return {name: bool(value) for name, value in told.items() if value is not None}


def ring(interface: str) -> tuple[int, int] | None:
    """Received packets that the card's ring holds, now and at most; None for what has none."""
    told = _asked(interface, struct.pack("9I", _GRINGPARAM, *[0] * 8))
    if told is None:
        return None
    values = struct.unpack("9I", told)
    return (values[5], values[1]) if values[1] else None


def _text(interface: str, name: str) -> str:
    try:
        return (SYS / interface / name).read_text().strip()
    except OSError:  # a link that is down tells no speed and no carrier
        return ""


def _value(interface: str, command: int) -> int | None:
    told = _asked(interface, struct.pack("2I", command, 0))
    return None if told is None else int(struct.unpack("2I", told)[1])


def _asked(interface: str, question: bytes) -> bytes | None:
    """The answer, in the question's place; None where the driver has none."""
    buffer = array.array("B", question)
    request = struct.pack("16sP", interface.encode()[:15], buffer.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            fcntl.ioctl(asking, _SIOCETHTOOL, request)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EPERM, errno.ENODEV, errno.EINVAL):
                return None
            raise
    return buffer.tobytes()
