"""A small Yahoo on loopback: charts, quote summaries, time series, cookies and crumbs, with faults on demand."""

import asyncio
import gzip
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.servers.yahoo_charts import Listed, chart, refusal

COOKIE, CRUMB = "local-cookie", "local.crumb"
CONSENT = (
    '<html><body><form method="post"><input name="csrfToken" value="t"><input name="sessionId" value="s">'
    "</form></body></html>"
)
DOWN = "<html>Will be right back... Thank you for your patience.</html>"
BOMB_BYTES = 64_000_000


class Half(Response):
    """Begins an answer and ends the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b'{"chart": ', "more_body": True})
        raise ConnectionResetError


FAULTS: dict[str, Callable[[], Response]] = {
    "busy": lambda: PlainTextResponse("Edge: Too Many Requests", status_code=429),
    "error": lambda: PlainTextResponse("internal error", status_code=500),
    "unavailable": lambda: HTMLResponse("<html>502</html>", status_code=502),
    "cut": Half,
    "truncated": lambda: PlainTextResponse('{"chart": {"result": [{"meta": {"sym'),
    "nothing": lambda: PlainTextResponse(""),
    "consent": lambda: HTMLResponse(CONSENT),
    "down": lambda: HTMLResponse(DOWN),
    "null": lambda: PlainTextResponse("null"),
    "list": lambda: PlainTextResponse("[]"),
    "deep": lambda: PlainTextResponse("[" * 100_000),
    "no_result": lambda: JSONResponse({"chart": {"result": None, "error": None}}),
    "empty_result": lambda: JSONResponse({"chart": {"result": [], "error": None}}),
    "other_schema": lambda: JSONResponse({"chart": {"result": [{"meta": {}, "bars": []}], "error": None}}),
    "html_404": lambda: HTMLResponse("<html>no such page</html>", status_code=404),
    "worn_out": lambda: JSONResponse(refusal("Unauthorized", "Invalid Cookie", of="finance"), status_code=401),
    "bomb": lambda: Response(
        gzip.compress(b" " * BOMB_BYTES), media_type="application/json", headers={"Content-Encoding": "gzip"}
    ),
}  # fmt: skip


class YahooServer:
    """The application and what it remembers."""

    def __init__(self) -> None:
        self.listed: dict[str, Listed] = {}
        self.planned: deque[str] = deque()
        """Faults for the next questions about data; `none` lets one pass."""
        self.asked: list[str] = []
        """Paths, oldest first."""
        self.questions: list[dict[str, str]] = []
        """Parameters of each chart asked for."""
        self.spoils: Callable[[dict[str, Any]], None] | None = None
        """Changes each chart before it is sent."""
        self.chart_status = 200
        self.gives_crumbs = True
        self.retry_after_s = 77
        self.busy_status = 429
        self.app = Starlette(
            routes=[
                Route("/", self.cookie),
                Route("/v1/test/getcrumb", self.crumb),
                Route("/consent", self.consent),
                Route("/v2/collectConsent", self.consent, methods=["POST"]),
                Route("/copyConsent", self.consent),
                Route("/v8/finance/chart/{symbol}", self._faulty(self.chart)),
                Route("/v10/finance/quoteSummary/{symbol}", self._faulty(self._crumbed(self.summary))),
                Route("/v7/finance/quote", self._faulty(self._crumbed(self.quote))),
                Route("/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}", self._faulty(self.series)),
                Route("/calendar/earnings", self._faulty(self.earnings)),
            ]
        )

    def _faulty(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self.asked.append(request.url.path)
            fault = self.planned.popleft() if self.planned else "none"
            if fault == "busy_for_a_while":
                return PlainTextResponse("Too Many", status_code=self.busy_status, headers={
                    "Retry-After": str(self.retry_after_s)})  # fmt: skip
            if fault == "hang":
                await asyncio.sleep(60)
            return await handle(request) if fault in ("none", "hang") else FAULTS[fault]()

        return answer

    def _crumbed(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if request.query_params.get("crumb") != CRUMB or request.cookies.get("A3") != COOKIE:
                return JSONResponse(refusal("Unauthorized", "Invalid Crumb", of="finance"), status_code=401)
            return await handle(request)

        return answer

    async def cookie(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        made = PlainTextResponse("", status_code=404)  # as the real one does
        made.set_cookie("A3", COOKIE, max_age=31_536_000)
        return made

    async def crumb(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if not self.gives_crumbs:
            return FAULTS["busy"]()
        if request.cookies.get("A3") != COOKIE:
            return JSONResponse(refusal("Unauthorized", "Invalid Cookie", of="finance"), status_code=401)
        return PlainTextResponse(CRUMB)

    async def consent(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return HTMLResponse(CONSENT)

    async def chart(self, request: Request) -> Response:
        self.questions.append(dict(request.query_params))
        symbol = request.path_params["symbol"]
        if symbol not in self.listed:
            return JSONResponse(refusal("Not Found", "No data found, symbol may be delisted"), status_code=404)
        made = chart(symbol, self.listed[symbol], dict(request.query_params))
        if self.spoils is not None:
            self.spoils(made)
        return Response(json.dumps(made), status_code=self.chart_status, media_type="application/json")

    async def summary(self, request: Request) -> Response:
        listed = self.listed.get(request.path_params["symbol"])
        if listed is None:
            words = f"Quote not found for symbol: {request.path_params['symbol']}"
            return JSONResponse(refusal("Not Found", words, of="quoteSummary"), status_code=404)
        names = request.query_params["modules"].split(",")
        found = {name: listed.modules[name] for name in names if name in listed.modules}
        return JSONResponse({"quoteSummary": {"result": [found], "error": None}})

    async def quote(self, request: Request) -> Response:
        found = [self.listed[name].quote for name in request.query_params["symbols"].split(",") if name in self.listed]
        return JSONResponse({"quoteResponse": {"result": found, "error": None}})

    async def series(self, request: Request) -> Response:
        listed = self.listed.get(request.path_params["symbol"], Listed())
        result = []
        for name in request.query_params["type"].split(","):
            told = listed.series.get(name, [])
            item: dict[str, Any] = {"meta": {"symbol": [request.path_params["symbol"]], "type": [name]}}
            if told:
                item["timestamp"] = [0 for _ in told]
                item[name] = [
                    {"asOfDate": day, "periodType": "3M", "currencyCode": "USD", "reportedValue": {"raw": value}}
                    for day, value in told
                ]
            result.append(item)
        return JSONResponse({"timeseries": {"result": result, "error": None}})

    async def earnings(self, request: Request) -> Response:
        return HTMLResponse(self.listed[request.query_params["symbol"]].earnings_page)
