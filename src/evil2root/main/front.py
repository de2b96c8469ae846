"""What answers the socket from the first moment: health at once, everything else when the pages have been loaded.

The API and the pages take longer to load than trading does. Positions wait for trading, so that comes first; whoever
asks for a page meanwhile waits a moment for the answer.
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evil2root.api.edge import BODY_MAX, SECURITY_HEADERS, is_known
from evil2root.api.probes import ALIVE, HEALTH, READINESS, readiness
from evil2root.engine.desk import Desk

HEADERS = (
    (b"content-type", b"application/json"), (b"cache-control", b"no-store"),
    *((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
)  # fmt: skip


class Front:
    """The application as the server sees it; `put` brings the rest."""

    def __init__(self, desk: Desk, *, hosts: Iterable[str] = ()) -> None:
        """`hosts` as `Shell` takes them."""
        self._desk = desk
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        self._whole: ASGIApp | None = None
        self._is_there = asyncio.Event()

    def put(self, whole: ASGIApp) -> None:
        """From now on the whole application answers, also what has been waiting."""
        self._whole = whole
        self._is_there.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._whole is None and scope["type"] == "http":
            if scope["method"] == "GET" and is_known(Headers(scope=scope).get("host", ""), self._hosts):
                if scope["path"] == HEALTH:
                    return await _answer(send, HTTPStatus.OK, ALIVE)
                if scope["path"] == READINESS:
                    return await _answer(send, *readiness(self._desk))
            told = await _told(receive)
            if told is None:
                return None
            receive = _again(told, receive)
        await self._is_there.wait()
        assert self._whole is not None, "it is there"
        await self._whole(scope, receive, send)
        return None


async def _told(receive: Receive) -> list[Message] | None:
    """Take what a request says before it waits: who leaves meanwhile is still understood. None for who left before."""
    told: list[Message] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        told.append(message)
        size += len(message.get("body", b""))
        # What is too long is refused by the whole application.
        if size > BODY_MAX or not message.get("more_body", False):
            return told


def _again(told: list[Message], receive: Receive) -> Receive:
    left = deque(told)

    async def receive_again() -> Message:
        return left.popleft() if left else await receive()

    return receive_again


async def _answer(send: Send, status: HTTPStatus, document: dict[str, str]) -> None:
    body = json.dumps(document, separators=(",", ":")).encode()
    headers = [*HEADERS, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
