"""A small Tiingo on loopback: end-of-day prices and bars of IEX, with faults on demand.

Facts from its reference: see `adapters/market_data/tiingo.py`. Data is whatever a test puts in, sound or not.
"""

import json
from datetime import date, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.faults import Faults

KEY = "local-token"


class TiingoServer:
    """The application and what it tells."""

    def __init__(self) -> None:
        self.forget()
        self.app = Starlette(
            routes=[Route("/tiingo/daily/{ticker}/prices", self.daily), Route("/iex/{ticker}/prices", self.iex)]
        )

    def forget(self) -> None:
        """Be as new."""
        self.days: dict[str, list[Any]] = {}
        self.bars: dict[tuple[str, str], list[Any]] = {}
        """By ticker and frequency."""
        self.faults = Faults()
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def daily(self, request: Request) -> Response:
        ticker = request.path_params["ticker"]
        if (other := self._other(request)) is not None:
            return other
        if ticker not in self.days:
            return JSONResponse({"detail": f"Error: Ticker '{ticker}' not found"}, 404)
        return self._within(request, self.days[ticker])

    async def iex(self, request: Request) -> Response:
        key = request.path_params["ticker"], request.query_params["resampleFreq"]
        if (other := self._other(request)) is not None:
            return other
        return self._within(request, self.bars.get(key, []))

    def _other(self, request: Request) -> Response | None:
        self.asked.append((request.url.path, dict(request.query_params)))
        if request.headers.get("Authorization") != f"Token {KEY}":
            return JSONResponse({"detail": "Invalid token."}, 401)
        return self.faults.next()

    def _within(self, request: Request, rows: list[Any]) -> Response:
        first, last = (date.fromisoformat(request.query_params[name]) for name in ("startDate", "endDate"))
        told = [row for row in rows if _is_within(row, first, last)]
        return Response(json.dumps(told), media_type="application/json")


def _is_within(row: Any, first: date, last: date) -> bool:
    try:
        return first <= datetime.fromisoformat(row["date"]).date() <= last
    except (KeyError, TypeError, ValueError):
        return True


def day(at: date, close: float = 100.0, *, adjusted: float | None = None, **changes: Any) -> dict[str, Any]:
    """Write a day as Tiingo does."""
    factor = 1.0 if adjusted is None else adjusted / close
    made = {
        "date": f"{at.isoformat()}T00:00:00.000Z", "close": close, "high": close + 1, "low": close - 1, "open": close,
        "volume": 1000, "adjClose": close * factor, "adjHigh": (close + 1) * factor, "adjLow": (close - 1) * factor,
        "adjOpen": close * factor, "adjVolume": 1000, "divCash": 0.0, "splitFactor": 1.0,
    }  # fmt: skip
    return made | changes


def bar(at: datetime, close: float = 100.0, **changes: Any) -> dict[str, Any]:
    """Write a bar of IEX as Tiingo does."""
    made = {"date": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "open": close, "high": close + 1, "low": close - 1,
            "close": close, "volume": 1000.0}  # fmt: skip
    return made | changes
