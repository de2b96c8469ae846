"""What answers the socket from the first moment: health at once, everything else when the pages have been loaded.

The API and the pages take longer to load than trading does. Positions wait for trading, so that comes first; whoever
asks for a page meanwhile waits a moment for the answer.
"""

import asyncio
import json
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from evil2root.api.probes import ALIVE, HEALTH, READINESS, readiness
from evil2root.engine.desk import Desk

HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]


class Front:
    """The application as the server sees it; `put` brings the rest."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._whole: ASGIApp | None = None
        self._is_there = asyncio.Event()

    def put(self, whole: ASGIApp) -> None:
        """From now on the whole application answers, also what has been waiting."""
        self._whole = whole
        self._is_there.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._whole is None and scope["type"] == "http" and scope["method"] == "GET":
            if scope["path"] == HEALTH:
                return await _answer(send, HTTPStatus.OK, ALIVE)
            if scope["path"] == READINESS:
                return await _answer(send, *readiness(self._desk))
        await self._is_there.wait()
        assert self._whole is not None, "it is there"
        await self._whole(scope, receive, send)
        return None


async def _answer(send: Send, status: HTTPStatus, document: dict[str, str]) -> None:
    body = json.dumps(document).encode()
    headers = [*HEADERS, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
