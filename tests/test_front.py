"""Before the pages are loaded: probes are answered, everything else waits for the pages and is answered by them."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from evil2root.api.edge import SECURITY_HEADERS
from evil2root.engine.desk import Phase
from evil2root.main.front import Front
from tests.fakes.desk import a_desk


def asking(front: Front) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://127.0.0.1")


def pages() -> Starlette:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.url.path} {(await request.body()).decode()}")

    return Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])


@pytest.mark.parametrize(
    ("phase", "status"), [(Phase.READY, 200), (Phase.RECOVERING, 503), (Phase.STANDBY, 503), (Phase.DIVERGED, 503)]
)
async def test_says_whether_it_may_trade_before_the_pages_are_there(phase: Phase, status: int) -> None:
    async with asking(Front(a_desk(bars=5, phase=phase, says="so it is"))) as client:
        ready, alive = await client.get("/readyz"), await client.get("/healthz")

    assert (ready.status_code, ready.json()) == (status, {"status": phase.value, "reason": "so it is"})
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert ready.headers["cache-control"] == "no-store"
    assert all(ready.headers[name] == value for name, value in SECURITY_HEADERS.items())


async def test_says_how_many_symbols_wait_for_a_bar_and_to_strangers_neither_which_nor_why() -> None:
    desk = a_desk(bars=5)
    desk.status_changes["feed"] = replace(desk.status().feed, missing=(("AAPL", "status 500 of http://gateway"),))
    async with asking(Front(desk)) as client:
        ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["reason"].startswith("1 watched without the newest bar")
    assert not any(kept in ready.text for kept in ("AAPL", "500", "gateway"))


async def test_whoever_asks_for_a_page_meanwhile_gets_it_when_the_pages_are_there() -> None:
    front = Front(a_desk(bars=5))
    async with asking(front) as client:
        waiting = asyncio.create_task(client.post("/halt", content="now"))
        await asyncio.sleep(0.05)
        assert not waiting.done()

        front.put(pages())

        assert (await waiting).text == "/halt now"
        assert (await client.get("/readyz")).text == "/readyz "  # from now on the pages answer everything


async def test_what_was_asked_is_done_as_it_was_asked_also_for_who_leaves_while_the_pages_load() -> None:
    front, heard = Front(a_desk(bars=5)), list[bytes]()
    told: Iterator[Message] = iter(
        [
            {"type": "http.request", "body": b'{"flatten"', "more_body": True},
            {"type": "http.request", "body": b": true}", "more_body": False},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Message:
        return next(told)

    async def send(message: Message) -> None: ...

    async def whole(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        heard.extend([(await receive())["body"], (await receive())["body"]])

    scope = {"type": "http", "method": "POST", "path": "/api/v1/halt", "headers": []}
    waiting = asyncio.create_task(front(scope, receive, send))
    await asyncio.sleep(0.02)
    front.put(whole)
    await waiting

    assert b"".join(heard) == b'{"flatten": true}'


async def test_who_left_before_the_request_was_whole_is_not_served() -> None:
    front = Front(a_desk(bars=5))
    told: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> Message:
        return next(told)

    async def send(message: Message) -> None: ...

    await front({"type": "http", "method": "POST", "path": "/api/v1/halt", "headers": []}, receive, send)


async def test_a_page_of_another_name_is_told_nothing_before_the_pages_are_there() -> None:
    front = Front(a_desk(bars=5), hosts=["bot.example"])
    async with asking(front) as client:
        known = await client.get("/readyz", headers={"Host": "bot.example"})
        waiting = asyncio.create_task(client.get("/readyz", headers={"Host": "evil.example"}))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        front.put(pages())
        assert (await waiting).text == "/readyz "  # the whole application, which refuses the name

    assert known.status_code == 200
