"""Runs as a script of its own, without Hayrick: bounds itself, leaves the network and the user, and becomes the
program named. Packets are hostile and dissectors are large: whatever breaks in there has nothing to reach for.

    python -I -S launch.py CPU_SECONDS MEMORY_BYTES /PATH/OF/PROGRAM ARGUMENT...
"""

import contextlib
import ctypes
import os
import resource
import sys

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NOBODY = 65534


def command(program: str, *arguments: str, cpu_seconds: int, memory: int) -> list[str]:
    """What to execute so that the program (its path) is run like this."""
    return [sys.executable, "-I", "-S", __file__, str(cpu_seconds), str(memory), program, *arguments]


def leave_network() -> None:
    """Into a network of its own, without interfaces. Where the kernel forbids it, file descriptors are the bound."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def confine(cpu_seconds: int, memory: int, files: int = 64) -> None:
    """Bound this process, and leave the network and, as root, the user. `files`: how many it may have open."""
    leave_network()
    with contextlib.suppress(OSError):
        os.setsid()  # asked for already where it fails
    bounds = ((resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_AS, memory), (resource.RLIMIT_NOFILE, files))
    for what, most in (*bounds, (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (most, most))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def main() -> None:
    """Become the program."""
    confine(int(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606 - to become it is the point


if __name__ == "__main__":
    main()
