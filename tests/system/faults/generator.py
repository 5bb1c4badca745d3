"""Makes the traffic, inside a sensor's network namespace: UDP at a bounded rate, every packet with name and counter.

A flow (one source port) has FLOW_PACKETS packets, so that a search tells by its sums where packets are missing.
Run as `python generator.py SENSOR ADDRESS PACKETS_A_SECOND SECONDS`; it ends by itself, or by SIGTERM.
"""

from __future__ import annotations

import random
import signal
import socket
import sys
import time

FLOW_PACKETS = 50
FIRST_PORT = 10_000
PORTS = 50_000
TARGET_PORT = 9000
MARK = b"HAYRICK"


def port_of(counter: int) -> int:
    """The source port of the flow that the counter (from 0) belongs to."""
    return FIRST_PORT + counter // FLOW_PACKETS % PORTS


def payload(sensor: str, counter: int, filler: bytes) -> bytes:
    """`HAYRICK s1 0000000017 ` and filler."""
    return b"%s %s %010d %s" % (MARK, sensor.encode(), counter, filler)


def main() -> None:
    """Send until told to stop."""
    sensor, address, rate, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    chance = random.Random(sensor)
    started, counter, out = time.monotonic(), 0, None
    while time.monotonic() - started < seconds:
        if out is None or counter % FLOW_PACKETS == 0:
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            out.bind(("", port_of(counter)))
            out.connect((address, TARGET_PORT))
        out.send(payload(sensor, counter, chance.randbytes(chance.randrange(20, 400))))
        counter += 1
        time.sleep(max(0.0, started + counter / rate - time.monotonic()))


if __name__ == "__main__":
    main()
