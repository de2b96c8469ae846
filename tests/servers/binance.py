"""A small Binance (spot) on loopback: its protocol over HTTP and its WebSocket API, with faults on demand.

As a process of its own: `python -m tests.servers.binance --faults 0.05 --seed 1` prints its address and serves until it
is terminated. `/control/...` is for tests: what is true there, prices, faults, orders of somebody else. Facts from
Binance's "REST API for Binance" and "WebSocket API": requests are signed over all their parameters, an unknown order is
-2013, an id is unique among open orders only, a status of 5xx says nothing about what was done.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.servers.binance_book import BinanceBook, Pair, Refusal, Row, present, stamp
from tests.servers.serving import Cut, served

KEY, SECRET = "local-key", "local-secret"
LATE_S = 1.0
PLACING = ("drop_before", "drop_after", "late", "refuse_but_place", "unknown_but_place")
CHANGING = ("drop_before", "drop_after")
ASKING = ("cut", "error", "busy", "banned", "html", "truncated")
BODIES = {
    "html": (502, "<html>bad gateway</html>"),
    "truncated": (200, '[{"symbol": "B'),
    "error": (500, '{"code": -1000, "msg": "An unknown error occurred while processing the request."}'),
}
Asked = dict[str, str]


class BinanceServer:
    """The application and what it remembers."""

    def __init__(self, book: BinanceBook, *, faults: float = 0.0, seed: int = 0) -> None:
        self.book = book
        self.faults = faults
        self.random = np.random.default_rng(seed)
        self.planned: deque[str] = deque()
        """Faults for the next requests that can have them."""
        self.asked: list[str] = []
        self.listeners: set[asyncio.Queue[str]] = set()
        self.repeat_trades = False
        """Tell each execution twice, and in a wrong order."""
        self.raw: deque[tuple[int, str]] = deque()
        """Statuses and bodies to answer the next signed questions with, whatever they ask."""
        self.hostile_trades: list[Any] = []
        self.skew_ms = 0
        """How far the clock of the venue is ahead of ours."""
        signed: Sequence[tuple[str, str, Callable[[Asked], Awaitable[Response]]]] = (
            ("POST", "order", self.post), ("GET", "order", self.order), ("DELETE", "order", self.delete),
            ("POST", "order/cancelReplace", self.replace), ("GET", "openOrders", self.open_orders),
            ("GET", "allOrders", self.all_orders), ("GET", "myTrades", self.trades), ("GET", "account", self.account),
        )  # fmt: skip
        self.app = Starlette(
            routes=[
                *(Route(f"/api/v3/{path}", self._guarded(answer), methods=[method]) for method, path, answer in signed),
                Route("/api/v3/time", self.time),
                Route("/api/v3/exchangeInfo", self.exchange),
                Route("/control/truth", self.truth),
                Route("/control/set", self.control, methods=["POST"]),
                WebSocketRoute("/ws-api/v3", self.stream),
            ]
        )

    def _guarded(self, answer: Callable[[Asked], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            self.asked.append(f"{request.method} {request.url.path}")
            query, body = request.url.query, (await request.body()).decode()
            try:
                asked = self._let_in(request.headers, query, body)
                if request.method == "GET":
                    if self.raw:
                        status, text = self.raw.popleft()
                        return PlainTextResponse(text, status_code=status)
                    fault = self._fault(ASKING)
                    if fault is not None:
                        return faulty(fault)
                return await answer(asked)
            except Refusal as no:
                return refusal(no)

        return guarded

    def _let_in(self, headers: Mapping[str, str], query: str, body: str) -> Asked:
        """Check key, signature and time as the venue does."""
        if headers.get("x-mbx-apikey") != KEY:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        asked = dict(parse_qsl(query, keep_blank_values=True)) | dict(parse_qsl(body, keep_blank_values=True))
        payload, _, signature = (query + body).rpartition("&signature=")
        if not hmac.compare_digest(signature, sign(payload)):
            raise Refusal(-1022, "Signature for this request is not valid.")
        self._in_time(int(asked["timestamp"]), int(asked.get("recvWindow", "5000")))
        return asked

    def _in_time(self, at: int, window: int) -> None:
        now = self._ms()
        if at > now + 1000:
            raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - at > window:
            raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")

    def _ms(self) -> int:
        return stamp(present()) + self.skew_ms

    def _fault(self, kinds: tuple[str, ...]) -> str | None:
        if self.planned and self.planned[0] in (*kinds, "none"):
            fault = self.planned.popleft()
            return None if fault == "none" else fault
        return str(self.random.choice(kinds)) if self.random.random() < self.faults else None

    async def time(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse({"serverTime": self._ms()})

    async def exchange(self, request: Request) -> Response:
        self.asked.append("GET /api/v3/exchangeInfo")
        wanted = json.loads(request.query_params.get("symbols", "null")) or list(self.book.pairs)
        try:
            shown = [self.book.pair(symbol).shown() for symbol in wanted]
        except Refusal as no:
            return refusal(no)
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]
        return JSONResponse(
            {"timezone": "UTC", "serverTime": self._ms(), "rateLimits": limits, "exchangeFilters": [], "symbols": shown}
        )

    async def post(self, asked: Asked) -> Response:
        fault = self._fault(PLACING)
        self.book.posts.append(asked.get("newClientOrderId", ""))
        if fault == "drop_before":
            return Cut()
        row = self.book.place(asked, late_s=LATE_S if fault == "late" else 0.0)
        return self._placed(row.answered(), fault)

    def _placed(self, shown: Any, fault: str | None) -> Response:
        self.tell()
        if fault in ("drop_after", "late"):
            return Cut()
        if fault == "refuse_but_place":
            return refusal(Refusal(-1000, "An unknown error occurred while processing the request."))
        if fault == "unknown_but_place":
            words = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
            return refusal(Refusal(-1007, words, status=503))
        return JSONResponse(shown)

    async def replace(self, asked: Asked) -> Response:
        fault = self._fault((*CHANGING, "late", "outrun"))
        if fault == "drop_before":
            return Cut()
        try:
            row = self.book.found(asked["symbol"], name=asked["cancelOrigClientOrderId"])
        except Refusal:
            self.book.replace(None, asked)
            raise
        if fault == "outrun":
            self.book.execute(row, row.left)
        new = self.book.replace(row, asked, late_s=LATE_S if fault == "late" else 0.0)
        both = {"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS", "cancelResponse": row.answered(),
                "newOrderResponse": new.answered()}  # fmt: skip
        return self._placed(both, fault)

    async def order(self, asked: Asked) -> Response:
        return JSONResponse(self._found(asked).shown())

    def _found(self, asked: Asked) -> Row:
        return self.book.found(
            asked["symbol"], number=asked.get("orderId", ""), name=asked.get("origClientOrderId", "")
        )

    async def delete(self, asked: Asked) -> Response:
        try:
            row = self._found(asked)
        except Refusal as no:
            raise Refusal(-2011, "Unknown order sent.") from no
        fault = self._fault(CHANGING)
        if fault == "drop_before":
            return Cut()
        self.book.cancel(row)
        return self._placed(row.answered() | {"origClientOrderId": row.name}, fault)

    def _rows(self) -> list[Row]:
        return [r for r in self.book.orders.values() if r.is_visible]

    async def open_orders(self, asked: Asked) -> Response:
        rows = [r for r in self._rows() if r.is_open and asked.get("symbol", r.symbol) == r.symbol]
        return JSONResponse([r.shown() for r in rows])

    async def all_orders(self, asked: Asked) -> Response:
        self.book.pair(asked["symbol"])
        rows = [r for r in self._rows() if r.symbol == asked["symbol"]]
        limit = int(asked.get("limit", "500"))
        if "orderId" in asked:
            rows = [r for r in rows if r.id >= int(asked["orderId"])][:limit]
        elif "startTime" in asked:
            rows = [r for r in rows if stamp(r.created_at) >= int(asked["startTime"])][:limit]
        else:
            rows = rows[-limit:]
        return JSONResponse([r.shown() for r in rows])

    async def trades(self, asked: Asked) -> Response:
        self.book.pair(asked["symbol"])
        rows = [t for t in self.book.done if t.symbol == asked["symbol"]]
        limit = int(asked.get("limit", "500"))
        if "orderId" in asked:
            rows = [t for t in rows if t.order == int(asked["orderId"])]
        if "fromId" in asked:
            rows = [t for t in rows if t.id >= int(asked["fromId"])]
        elif "startTime" in asked:
            rows = [t for t in rows if stamp(t.at) >= int(asked["startTime"])]
        elif "orderId" not in asked:
            rows = rows[-limit:]
        shown: list[Any] = [t.shown() for t in rows[:limit]]
        if self.repeat_trades:
            shown = [one for pair in zip(shown[1:] + shown[:1], shown, strict=True) for one in pair]
        hostile = asked["symbol"] == next(iter(self.book.pairs)) and not {"fromId", "orderId"} & asked.keys()
        return JSONResponse(shown + (self.hostile_trades if hostile else []))

    async def account(self, asked: Asked) -> Response:
        held = {a: q for a, q in self.book.balances.items() if q or asked.get("omitZeroBalances") != "true"}
        shown = [
            {"asset": a, "free": f"{q - self.book.locked(a):.8f}", "locked": f"{self.book.locked(a):.8f}"}
            for a, q in held.items()
        ]
        return JSONResponse({"accountType": "SPOT", "canTrade": True, "permissions": ["SPOT"], "balances": shown})

    async def truth(self, request: Request) -> Response:  # noqa: ARG002
        book = self.book
        return JSONResponse(
            {
                "balances": {a: str(q) for a, q in book.balances.items()},
                "orders": [r.shown() for r in book.orders.values()], "executions": [t.shown() for t in book.done],
                "posts": book.posts, "requests": len(self.asked),
            }
        )  # fmt: skip

    async def control(self, request: Request) -> Response:
        asked = json.loads(await request.body())
        if "faults" in asked:
            self.faults = float(asked["faults"])
        self.book.prices |= {s: Decimal(p) for s, p in asked.get("prices", {}).items()}
        if "foreign" in asked:
            self.book.place({"type": "LIMIT", "side": "BUY", **asked["foreign"]})
        return PlainTextResponse("ok")

    def tell(self) -> None:
        for listener in self.listeners:
            event = {"e": "executionReport", "E": self._ms(), "s": "BTCUSDT"}
            listener.put_nowait(json.dumps({"subscriptionId": 0, "event": event}))

    def cut_streams(self) -> None:
        """End every stream."""
        for listener in self.listeners:
            listener.put_nowait("")

    async def stream(self, socket: WebSocket) -> None:
        await socket.accept()
        news: asyncio.Queue[str] = asyncio.Queue()
        try:
            said = json.loads(await socket.receive_text())
            params = dict(said["params"])
            signature = params.pop("signature", "")
            payload = "&".join(f"{k}={params[k]}" for k in sorted(params))
            good = said["method"] == "userDataStream.subscribe.signature" and signature == sign(payload)
            if not good or params.get("apiKey") != KEY:
                error = {"code": -1022, "msg": "Signature for this request is not valid."}
                await socket.send_text(json.dumps({"id": said["id"], "status": 400, "error": error}))
                await socket.close()
                return
            await socket.send_text(json.dumps({"id": said["id"], "status": 200, "result": {"subscriptionId": 0}}))
            self.listeners.add(news)
            while told := await news.get():
                await socket.send_text(told)
            await socket.close()
        except WebSocketDisconnect:
            pass
        finally:
            self.listeners.discard(news)


def sign(payload: str) -> str:
    return hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()


def refusal(no: Refusal) -> Response:
    data = {} if no.data is None else {"data": no.data}
    return JSONResponse({"code": no.code, "msg": no.message, **data}, status_code=no.status)


def faulty(kind: str) -> Response:
    if kind == "cut":
        return Cut()
    if kind in ("busy", "banned"):
        words = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
        return JSONResponse({"code": -1003, "msg": words}, 429 if kind == "busy" else 418, {"Retry-After": "0"})
    status, body = BODIES[kind]
    return PlainTextResponse(body, status_code=status)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3_600.0)
    parser.add_argument("--assets", default="BTC,ETH")
    parser.add_argument("--fees", default="none")
    parser.add_argument("--fee-frac", type=Decimal, default=Decimal("0.001"))
    given = parser.parse_args()
    pairs = [Pair(asset, "USDT") for asset in given.assets.split(",")]
    book = BinanceBook(pairs={pair.symbol: pair for pair in pairs}, fees=given.fees, fee_frac=given.fee_frac)

    async def run() -> None:
        async with served(BinanceServer(book, faults=given.faults, seed=given.seed), port=given.port) as address:
            sys.stdout.write(f"{address}\n")
            sys.stdout.flush()
            await asyncio.sleep(given.seconds)

    asyncio.run(run())


if __name__ == "__main__":
    main()
