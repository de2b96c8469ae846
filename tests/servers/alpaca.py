"""A small Alpaca on loopback: its protocol over HTTP and a stream, with faults on demand.

As a process of its own: `python -m tests.servers.alpaca --faults 0.05 --seed 1` prints its address and serves until it
is terminated. `/control/...` is for tests: what is true there, prices, faults, orders of somebody else.
"""

import argparse
import asyncio
import json
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.servers.alpaca_book import AlpacaBook, Refusal, present
from tests.servers.serving import Cut, served

KEY, SECRET = "local-key", "local-secret"
LATE_S = 1.0
PLACING = ("drop_before", "drop_after", "late", "refuse_but_place")
ASKING = ("cut", "error", "busy", "html", "truncated")
HOSTILE = {
    "html": "<html>bad gateway</html>",
    "truncated": '[{"id": "x',
    "error": '{"code": 50010000, "message": "oops"}',
}


class AlpacaServer:
    """The application and what it remembers."""

    def __init__(self, book: AlpacaBook | None = None, *, faults: float = 0.0, seed: int = 0) -> None:
        self.book = book or AlpacaBook()
        self.faults = faults
        self.random = np.random.default_rng(seed)
        self.planned: deque[str] = deque()
        """Faults for the next requests that can have them."""
        self.asked: list[str] = []
        self.listeners: set[asyncio.Queue[str]] = set()
        self.repeat_activities = False
        """Tell each execution twice, and in a wrong order."""
        self.raw: deque[tuple[int, str]] = deque()
        """Statuses and bodies to answer the next questions with, whatever they ask."""
        self.hostile_activities: list[Any] = []
        self.app = Starlette(
            routes=[
                Route("/v2/orders", self._guarded(self.post), methods=["POST"]),
                Route("/v2/orders", self._guarded(self.listed), methods=["GET"]),
                Route("/v2/orders:by_client_order_id", self._guarded(self.by_name)),
                Route("/v2/orders/{id}", self._guarded(self.by_id), methods=["GET"]),
                Route("/v2/orders/{id}", self._guarded(self.delete), methods=["DELETE"]),
                Route("/v2/orders/{id}", self._guarded(self.patch), methods=["PATCH"]),
                Route("/v2/account", self._guarded(self.account)),
                Route("/v2/positions", self._guarded(self.positions)),
                Route("/v2/account/activities/FILL", self._guarded(self.activities)),
                Route("/control/truth", self.truth),
                Route("/control/set", self.control, methods=["POST"]),
                WebSocketRoute("/stream", self.stream),
            ]
        )

    def _guarded(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self.asked.append(f"{request.method} {request.url.path}")
            if request.headers.get("APCA-API-KEY-ID") != KEY or request.headers.get("APCA-API-SECRET-KEY") != SECRET:
                return refusal(403, 40310000, "forbidden.")
            try:
                if request.method == "GET":
                    if self.raw:
                        status, body = self.raw.popleft()
                        return PlainTextResponse(body, status_code=status)
                    fault = self._fault(ASKING)
                    if fault is not None:
                        return faulty(fault)
                return await handle(request)
            except Refusal as no:
                return refusal(no.status, no.code, no.message)

        return answer

    def _fault(self, kinds: tuple[str, ...]) -> str | None:
        if self.planned and self.planned[0] in (*kinds, "none"):
            fault = self.planned.popleft()
            return None if fault == "none" else fault
        return str(self.random.choice(kinds)) if self.random.random() < self.faults else None

    async def post(self, request: Request) -> Response:
        asked = json.loads(await request.body())
        fault = self._fault(PLACING)
        self.book.posts.append(asked.get("client_order_id", ""))
        if fault == "drop_before":
            return Cut()
        row = self.book.place(asked, late_s=LATE_S if fault == "late" else 0.0)
        self.tell()
        if fault in ("drop_after", "late"):
            return Cut()
        if fault == "refuse_but_place":
            return refusal(400, 40010000, "bad request")
        return JSONResponse(row.shown())

    async def listed(self, request: Request) -> Response:
        asked, now = request.query_params, present()
        rows = [r for r in self.book.orders.values() if r.visible_at is None or r.visible_at <= now]
        if asked.get("status", "open") == "open":
            rows = [r for r in rows if r.is_open]
        if "symbols" in asked:
            rows = [r for r in rows if r.symbol in asked["symbols"].split(",")]
        if "after" in asked:
            after = datetime.fromisoformat(asked["after"])
            rows = [r for r in rows if r.created_at > after]
        rows.sort(key=lambda r: r.created_at)
        return JSONResponse([r.shown() for r in rows[: int(asked.get("limit", "50"))]])

    async def by_name(self, request: Request) -> Response:
        return JSONResponse(self.book.found(by_name=request.query_params["client_order_id"]).shown())

    async def by_id(self, request: Request) -> Response:
        return JSONResponse(self.book.found(by_id=request.path_params["id"]).shown())

    async def delete(self, request: Request) -> Response:
        row = self.book.found(by_id=request.path_params["id"])
        fault = self._fault(("drop_before", "drop_after"))
        if fault == "drop_before":
            return Cut()
        self.book.cancel(row)
        self.tell()
        return Cut() if fault else Response(status_code=204)

    async def patch(self, request: Request) -> Response:
        row = self.book.found(by_id=request.path_params["id"])
        fault = self._fault(("drop_before", "drop_after"))
        if fault == "drop_before":
            return Cut()
        if self.planned and self.planned[0] == "outrun":
            self.planned.popleft()
            return JSONResponse(self.book.outrun(row, json.loads(await request.body())).shown())
        new = self.book.replace(row, json.loads(await request.body()))
        self.tell()
        return Cut() if fault else JSONResponse(new.shown())

    async def account(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse({"id": "a", "cash": str(self.book.cash), "currency": "USD", "status": "ACTIVE"})

    async def positions(self, request: Request) -> Response:  # noqa: ARG002
        held = self.book.positions.items()
        return JSONResponse(
            [
                {"symbol": s, "qty": str(q), "side": "long" if q > 0 else "short", "asset_class": "us_equity"}
                for s, q in held
            ]
        )

    async def activities(self, request: Request) -> Response:
        asked = request.query_params
        rows = list(self.book.done)
        if "after" in asked:
            after = datetime.fromisoformat(asked["after"])
            rows = [d for d in rows if d.at > after]
        shown: list[Any] = [d.shown() for d in rows]
        if self.repeat_activities:
            shown = [one for pair in zip(shown[1:] + shown[:1], shown, strict=True) for one in pair]
        shown += self.hostile_activities
        token = asked.get("page_token")
        if token:
            places = [n for n, d in enumerate(shown) if isinstance(d, dict) and d.get("id") == token]
            shown = shown[places[-1] + 1 :] if places else shown
        return JSONResponse(shown[: int(asked.get("page_size", "100"))])

    async def truth(self, request: Request) -> Response:  # noqa: ARG002
        book = self.book
        return JSONResponse(
            {
                "cash": str(book.cash), "positions": {s: str(q) for s, q in book.positions.items()},
                "orders": [r.shown() for r in book.orders.values()], "executions": [d.shown() for d in book.done],
                "posts": book.posts, "requests": len(self.asked),
            }
        )  # fmt: skip

    async def control(self, request: Request) -> Response:
        asked = json.loads(await request.body())
        if "faults" in asked:
            self.faults = float(asked["faults"])
        self.book.prices |= {s: Decimal(p) for s, p in asked.get("prices", {}).items()}
        self.hostile_activities = asked.get("hostile", self.hostile_activities)
        if "foreign" in asked:
            self.book.place({"type": "limit", "time_in_force": "gtc", "side": "buy", **asked["foreign"]})
        return PlainTextResponse("ok")

    def tell(self) -> None:
        for listener in self.listeners:
            listener.put_nowait(json.dumps({"stream": "trade_updates", "data": {"event": "fill"}}))

    def cut_streams(self) -> None:
        """End every stream."""
        for listener in self.listeners:
            listener.put_nowait("")

    async def stream(self, socket: WebSocket) -> None:
        await socket.accept()
        news: asyncio.Queue[str] = asyncio.Queue()
        try:
            said = json.loads(await socket.receive_text())
            good = (said.get("key"), said.get("secret")) == (KEY, SECRET)
            status = "authorized" if good else "unauthorized"
            await socket.send_text(json.dumps({"stream": "authorization", "data": {"status": status}}))
            await socket.receive_text()
            self.listeners.add(news)
            while good:
                said = await news.get()
                if not said:
                    await socket.close()
                    return
                await socket.send_bytes(said.encode())
        except WebSocketDisconnect:
            pass
        finally:
            self.listeners.discard(news)


def refusal(status: int, code: int, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status_code=status)


def faulty(kind: str) -> Response:
    if kind == "cut":
        return Cut()
    if kind == "busy":
        return JSONResponse({"code": 42910000, "message": "rate limit exceeded"}, 429, {"Retry-After": "0"})
    status = {"error": 500, "html": 502, "truncated": 200}[kind]
    return PlainTextResponse(HOSTILE[kind], status_code=status)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3_600.0)
    given = parser.parse_args()

    async def run() -> None:
        async with served(AlpacaServer(faults=given.faults, seed=given.seed), port=given.port) as address:
            sys.stdout.write(f"{address}\n")
            sys.stdout.flush()
            await asyncio.sleep(given.seconds)

    asyncio.run(run())


if __name__ == "__main__":
    main()
