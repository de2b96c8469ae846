"""The app on a free local port, in a thread, for a browser."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI

from evil2root.web.app import install
from tests.api.door import House
from tests.fakes.access import SetClock
from tests.fakes.desk import FakeDesk

START_S = 20
AHEAD = datetime(2036, 1, 2, tzinfo=UTC)
"""A browser drops cookies that are past their date by the machine's own clock."""


def a_house(desk: FakeDesk) -> House:
    """The real API and the real pages over a desk in memory."""
    house = House(desk, clock=SetClock(at=AHEAD))
    install(house.app)
    return house


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve `app` and give its address; `app.state.loop` is the loop it runs on."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1)
    )

    async def run() -> None:
        app.state.loop = asyncio.get_running_loop()
        await server.serve()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    end = time.monotonic() + START_S
    while not server.started:
        assert time.monotonic() < end, f"The server did not start within {START_S} s."
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        app.state.stopping = True
        server.should_exit = True
        thread.join(timeout=10)
