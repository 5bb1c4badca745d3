"""Decodes one chunk into one records file, then ends: run as `python -m hayrick_sensor.records_process` by `records`.

Arguments: chunk, records file, most memory in MB, most seconds of CPU. The exit code is 0 when the file is whole,
`RETRY` when the disk or the system would not let it, anything else when this chunk cannot be decoded.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys

RETRY = 75
_PR_SET_PDEATHSIG = 1
_NICE = 10


def main() -> int:
    """Do it; see the module."""
    chunk, records, megabytes, seconds = sys.argv[1:5]
    _die_with_parent()
    os.nice(_NICE)
    _bound(int(megabytes), int(seconds))
    import hayrick_decode

    try:
        hayrick_decode.write_records(chunk, records)
    except ValueError as error:  # no capture; the collector will say so of the packets
        print(f"hayrick: {chunk}: {error}", file=sys.stderr)
        return 1
    except FileNotFoundError:
        return 1
    except OSError as error:
        print(f"hayrick: {chunk}: {error}; will be tried again", file=sys.stderr)
        return RETRY
    return 0


def _bound(megabytes: int, seconds: int) -> None:
    with contextlib.suppress(ValueError, OSError):  # a stricter bound than ours stays
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with_parent() -> None:
    """A killed sensor leaves nobody writing behind the back of the next one."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
