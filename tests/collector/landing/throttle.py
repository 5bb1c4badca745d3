"""A TCP proxy that lets so many bytes a second through in each direction, and holds next to nothing of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

PIECE = 1024


class Throttle:
    """Passes 127.0.0.1:`port` on to `target`; `passed` counts the bytes that went up, `connections` who came."""

    def __init__(self, target: tuple[str, int], bytes_per_second: int) -> None:
        self.passed = self.connections = 0
        self._target, self._rate = target, bytes_per_second
        self._turns = (threading.Lock(), threading.Lock())  # all connections share the line
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * PIECE)
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept)

    def _start(self, target: object, *arguments: object) -> None:
        threading.Thread(target=target, args=arguments, daemon=True).start()  # type: ignore[arg-type]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target, 10)
                self.connections += 1
                self._start(self._pass, near, far, 0)
                self._start(self._pass, far, near, 1)

    def _pass(self, source: socket.socket, sink: socket.socket, way: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                with self._turns[way]:
                    time.sleep(len(data) / self._rate)
                sink.sendall(data)
                self.passed += len(data) if way == 0 else 0
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
