"""`hayrick collector run`: one asyncio process that lands chunks, has them indexed, and serves the API and the page.

It ends cleanly on SIGTERM or Ctrl-C; killed outright it loses nothing: what was landed is landed, what was being
indexed is taken up again at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from hayrick_collector import jobs
from hayrick_collector.api.accounts import Accounts
from hayrick_collector.api.app import create_app
from hayrick_collector.arrivals import Arrivals
from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend
from hayrick_collector.hunts.runner import HuntRunner
from hayrick_collector.ingest.imports import remove_leftovers
from hayrick_common import notify
from hayrick_common.errors import ConfigError, HayrickError

LOG = logging.getLogger(__name__)
_SHUTDOWN_SECONDS = 10
_TELL_SECONDS = 20


async def run(config: CollectorConfig, *, announce: Any = print) -> None:
    """Serve until SIGTERM or SIGINT. `announce` is told, in one line each, where the collector listens."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        config.folder.create()
        if config.archive.keys:
            config.archive.keys.newest()  # raises at once what would else keep every chunk from being taken
        stack.enter_context(_only_collector(config))
        remove_leftovers(config.folder)
        backend = await DirectBackend.open(config, serving=True)
        stack.push_async_callback(backend.close)
        arrivals = await stack.enter_async_context(Arrivals.opened(config, backend))
        backend.pool.start()
        stack.push_async_callback(backend.pool.stop)
        app = create_app(backend)
        address = await stack.enter_async_context(_serving(config, app))
        stack.enter_context(jobs.scheduled(config, backend))
        await stack.enter_async_context(_beside(HuntRunner(backend).serve()))
        page = f"page and API at {address}"
        for line in (*arrivals.addresses(), page, *_about_accounts(app.state.accounts, config.api.url or address)):
            announce(f"hayrick collector: {line}", flush=True)
        await stack.enter_async_context(_beside(_tell_systemd()))
        await _until(stop, arrivals.tasks)
        announce("hayrick collector: stopping", flush=True)


def _about_accounts(accounts: Accounts, address: str) -> list[str]:
    """What the first start, and every other before there is an administrator, tells of logging in."""
    api = accounts.config.api
    lines = []
    if accounts.setup:
        lines.append(f"set the administrator's password at {address}/setup#{accounts.setup} (once, within a day)")
        if accounts.open():
            lines.append("until then whoever reaches this address of loopback is its administrator")
    if not (api.loopback or api.secure):
        lines.append("passwords and packets cross the network in clear: set api.certificate and api.key")
    return lines


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have it done while the block runs; what was in hand is taken up again at the next start."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _tell_systemd() -> None:
    """Again and again that the loop turns, for as long as it does."""
    while True:
        notify.tell("READY=1\nWATCHDOG=1")
        await asyncio.sleep(_TELL_SECONDS)


async def _until(stop: asyncio.Event, arriving: set[asyncio.Task[None]]) -> None:
    """Wait for the signal to stop; a way in that breaks ends the collector, for its supervisor to start it anew."""
    stopping = asyncio.create_task(stop.wait())
    waiting: set[asyncio.Task[Any]] = {stopping, *arriving}
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for task in done - {stopping}:
        task.result()
        raise HayrickError("the landing or the inbox ended by itself")


@asynccontextmanager
async def _serving(config: CollectorConfig, app: FastAPI) -> AsyncIterator[str]:
    """Serve the API by uvicorn; yields its address."""
    listener = _listener(config)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            lifespan="off",
            ssl_certfile=config.api.certificate or None,
            ssl_keyfile=config.api.key or None,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.ready(task)
        host, port = listener.getsockname()[:2]
        scheme = "https" if config.api.certificate else "http"
        yield f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """Signals are the collector's to handle, not uvicorn's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    async def ready(self, serving: asyncio.Task[None]) -> None:
        """Wait until it serves; raises what kept it from serving."""
        waiting = asyncio.create_task(self._ready.wait())
        await asyncio.wait((waiting, serving), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            serving.result()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listener(config: CollectorConfig) -> socket.socket:
    host, port = config.api.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise ConfigError(f"api.listen {config.api.listen}: {error.strerror}") from error


@contextmanager
def _only_collector(config: CollectorConfig) -> Iterator[None]:
    """Hold the data folder: two collectors on one would land and serve past each other."""
    with config.folder.lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip()
            raise HayrickError(f"a collector runs on {config.data} already (process {holder})") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
