"""Binance's public market data on loopback: markets and candles, with faults on demand.

Facts from "REST API for Binance": `/api/v3/klines` tells at most 1,000 candles from `startTime` on, oldest first, the
running one included, prices as text; an unknown symbol is -1121. Data is whatever a test puts in, sound or not.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.binance_book import Pair
from tests.servers.faults import Faults

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BinanceData:
    """The application and what it tells."""

    def __init__(self) -> None:
        self.forget()
        self.app = Starlette(
            routes=[Route("/api/v3/exchangeInfo", self.exchange), Route("/api/v3/klines", self.klines)]
        )

    def forget(self) -> None:
        """Be as new."""
        self.candles: dict[tuple[str, str], list[Any]] = {}
        """By symbol and interval."""
        self.pairs = {pair.symbol: pair for pair in (Pair("BTC", "USDT"), Pair("ETH", "USDT"))}
        self.faults = Faults()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.page_most = 1_000

    async def exchange(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append((request.url.path, asked))
        if asked.get("symbol") not in self.pairs:
            return JSONResponse({"code": -1121, "msg": "Invalid symbol."}, 400)
        return JSONResponse({"timezone": "UTC", "symbols": [self.pairs[asked["symbol"]].shown()]})

    async def klines(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append((request.url.path, asked))
        if (fault := self.faults.next()) is not None:
            return fault
        rows = [
            r
            for r in self.candles.get((asked["symbol"], asked["interval"]), [])
            if _is_after(r, int(asked["startTime"]))
        ]
        told = rows[: min(int(asked["limit"]), self.page_most)]
        return Response(json.dumps(told), media_type="application/json")


def _is_after(row: Any, start: int) -> bool:
    return not isinstance(row, list) or not row or type(row[0]) is not int or row[0] >= start


def candle(at: datetime, close: float = 100.0, *, length: timedelta = timedelta(days=1)) -> list[Any]:
    """Write a candle as Binance does."""
    opened = (at - EPOCH) // timedelta(milliseconds=1)
    prices = [f"{price:.8f}" for price in (close, close + 1, close - 1, close, 12.5)]
    return [opened, *prices, opened + length // timedelta(milliseconds=1) - 1, "1250.0", 42, "6.0", "600.0", "0"]
