"""A client that goes ends what was being done for it, and each question to the store bears its asker's name."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hayrick_collector.desk.people import LOCAL
from hayrick_collector.turns import ASKER

_BODYLESS = frozenset(("GET", "HEAD"))


class Leaving:
    """ASGI middleware behind the guard, which knows who asks. Requests with a body are left alone: what they change is
    changed whether the client waits or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ASKER.set(_asker(scope))
        if scope["method"] in _BODYLESS:
            await self._watched(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: asyncio.Queue[Message] = asyncio.Queue()
        told = False

        async def sending(message: Message) -> None:
            nonlocal told
            told = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        answering = asyncio.ensure_future(self._app(scope, messages.get, sending))
        watching = asyncio.ensure_future(_until_gone(receive, messages))
        try:
            await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not told:  # else it is only tidying up: the server calls a client gone that has its answer
                answering.cancel()
            await asyncio.wait({answering})
            if not answering.cancelled():
                answering.result()
        finally:
            answering.cancel()
            watching.cancel()


async def _until_gone(receive: Receive, messages: asyncio.Queue[Message]) -> None:
    """Hands on what comes (a request without a body and the news that its client went: two messages)."""
    while True:
        message = await receive()
        messages.put_nowait(message)
        if message["type"] == "http.disconnect":
            return


def _asker(scope: Scope) -> str:
    """The person, and the address: where no accounts are kept everybody is the same person."""
    state = scope.get("state", {})
    person = state.get("person")
    return str(state.get("address", "")) if person in (None, LOCAL) else person.name
