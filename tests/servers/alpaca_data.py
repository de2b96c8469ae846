"""A small Alpaca Market Data API on loopback: bars of shares and coins in pages, corporate actions, faults on demand.

Facts from Alpaca's reference: see `adapters/market_data/alpaca.py`. Data is whatever a test puts in, sound or not.
"""

import json
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.faults import KINDS, Faults

KEY, SECRET = "local-key", "local-secret"

Key = tuple[str, str, str]
"""Symbol, timeframe, adjustment; of coins the adjustment is empty."""


class AlpacaData:
    """The application and what it tells."""

    def __init__(self) -> None:
        self.forget()
        self.app = Starlette(
            routes=[
                Route("/v2/stocks/bars", self.stocks),
                Route("/v1beta3/crypto/us/bars", self.coins),
                Route("/v1/corporate-actions", self.actions),
            ]
        )

    def forget(self) -> None:
        """Be as new: one server, started once, is enough for a file of tests."""
        self.bars: dict[Key, list[Any]] = {}
        self.splits: list[dict[str, Any]] = []
        self.faults = Faults()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.unknown: set[str] = set()
        self.calls_it: dict[str, str] = {}
        """Under another name a symbol is answered with."""
        self.page_most = 10_000
        self.loops = False
        """Repeat the same token for ever."""
        self.actions_fault: str | None = None
        self.instead: dict[str, str] = {}
        """A fault, or a whole body, in place of every answer about a symbol."""
        self.tells_all = False
        """Whatever time is asked for: a server in trouble."""

    def put(self, symbol: str, timeframe: str, bars: list[Any], *, whole: list[Any] | None = None) -> None:
        """Let a share have bars: raw ones, and fully adjusted ones where they differ."""
        self.bars[symbol, timeframe, "raw"] = bars
        self.bars[symbol, timeframe, "all"] = bars if whole is None else whole

    async def stocks(self, request: Request) -> Response:
        if request.query_params.get("feed") not in ("iex", "sip"):
            return JSONResponse({"message": "invalid feed"}, 400)
        return self._answered(request, request.query_params.get("adjustment", "raw"))

    async def coins(self, request: Request) -> Response:
        return self._answered(request, "")

    def _answered(self, request: Request, adjustment: str) -> Response:
        asked = dict(request.query_params)
        self.asked.append((request.url.path, asked))
        if (refused := self._refused(request)) is not None:
            return refused
        symbol = asked["symbols"]
        if (fault := self.faults.next()) is not None:
            return fault
        if (kind := self.instead.get(symbol)) is not None:
            return self.faults.made(kind) if kind in KINDS else Response(kind, media_type="application/json")
        if symbol in self.unknown:
            return JSONResponse({"message": f"invalid symbol: {symbol}"}, 400)
        start, end = datetime.fromisoformat(asked["start"]), datetime.fromisoformat(asked["end"])
        rows = [
            r
            for r in self.bars.get((symbol, asked["timeframe"], adjustment), [])
            if self.tells_all or _within(r, start, end)
        ]
        first = int(asked.get("page_token", "0"))
        size = min(int(asked["limit"]), self.page_most)
        rest = rows[first + size :]
        page = {self.calls_it.get(symbol, symbol): rows[first : first + size]} if rows[first:] else {}
        token = ("1" if self.loops else str(first + size)) if rest or self.loops else None
        # Not JSONResponse: it refuses NaN, which a provider in trouble does not.
        return Response(json.dumps({"bars": page, "next_page_token": token}), media_type="application/json")

    async def actions(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append((request.url.path, asked))
        if (refused := self._refused(request)) is not None:
            return refused
        if self.actions_fault is not None:
            return self.faults.made(self.actions_fault)
        rows = [
            s for s in self.splits if s["symbol"] == asked["symbols"] and asked["start"] <= s["ex_date"] <= asked["end"]
        ]
        kinds = {
            "forward_splits": [s for s in rows if s["new_rate"] > s["old_rate"]],
            "reverse_splits": [s for s in rows if s["new_rate"] < s["old_rate"]],
        }
        return JSONResponse({"corporate_actions": {k: v for k, v in kinds.items() if v}, "next_page_token": None})

    def _refused(self, request: Request) -> Response | None:
        keys = (request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY"))
        return None if keys == (KEY, SECRET) else JSONResponse({"message": "forbidden."}, 403)


def bar(at: datetime, close: float = 100.0, **changes: Any) -> dict[str, Any]:
    """Write a bar as Alpaca does."""
    made = {"t": at.isoformat().replace("+00:00", "Z"), "o": close, "h": close + 1, "l": close - 1, "c": close, "v": 1000,
            "n": 10, "vw": close}  # fmt: skip
    return made | changes


def _within(row: Any, start: datetime, end: datetime) -> bool:
    """What has no time is told always: a real server would not, a broken one does."""
    try:
        return start <= datetime.fromisoformat(row["t"]) <= end
    except (KeyError, TypeError, ValueError):
        return True
