"""Serving an application on loopback, and ending connections without an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Cut(Response):
    """Ends the connection before anything is answered.

    A head is sent first: before it uvicorn would make a whole answer of the error, with status 500.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        raise ConnectionResetError


class Served(Protocol):
    """What can be served."""

    app: Starlette


@asynccontextmanager
async def served(server: Served, *, port: int = 0) -> AsyncIterator[str]:
    """Serve within this process; gives the address."""
    running = uvicorn.Server(
        uvicorn.Config(server.app, port=port, log_level="critical", lifespan="off", ws="websockets-sansio")
    )
    task = asyncio.create_task(running.serve())
    while not running.started:  # noqa: ASYNC110 - uvicorn tells it only so
        await asyncio.sleep(0.005)
    port = running.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = running.force_exit = True
        await task
