"""The watchlist and the chart pages."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from evil2root.domain.core.timeframe import Interval
from evil2root.engine.chart_drawing import THEMES
from evil2root.engine.chart_pictures import chart_picture
from evil2root.engine.desk import Desk
from evil2root.web.deps import DeskDep
from evil2root.web.regions import guarded
from evil2root.web.routes.pages import answer, frame
from evil2root.web.views import symbols
from evil2root.web.views.data_quality import data_card

router = APIRouter()

TOPICS = "equity,positions,decisions,health"


@router.get("/symbols")
async def watchlist(request: Request, desk: DeskDep) -> Response:
    """Where is something happening?"""
    lines = await guarded(symbols.watchlist(desk), what="The watchlist could not be read", name="watchlist")
    return answer(request, "pages/symbols.html", frame=frame(request, desk, page="symbols"), lines=lines)


@router.get("/symbols/{symbol:path}/chart.png")
async def symbol_picture(desk: DeskDep, symbol: str, interval: str = "", theme: str = "dark") -> Response:
    """Draw the chart as a picture, for reports and messages."""
    if theme not in THEMES:
        raise HTTPException(422, f"{theme[:20]!r} is no theme; use {' or '.join(THEMES)}.")
    size = await _asked(desk, symbol, interval)
    picture = await chart_picture(desk, symbol, size, theme=theme)
    if picture is None:
        raise HTTPException(404, f"No {size.value} bar of {symbol} is stored, so there is nothing to draw.")
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get("/symbols/{symbol:path}")
async def symbol_chart(request: Request, desk: DeskDep, symbol: str, interval: str = "") -> Response:
    """What does the bot see here, and what would it do?"""
    size = await _asked(desk, symbol, interval)
    view = await symbols.symbol_page(desk, symbol, size)
    data = await guarded(data_card(desk, symbol, size), what="The quality of the data could not be read", name="data")
    topics = TOPICS if size is desk.policy.interval else ""
    around = frame(request, desk, page="symbol", topics=topics, subject=symbol)
    return answer(request, "pages/symbol.html", frame=around, s=view, data=data)


async def _asked(desk: Desk, symbol: str, interval: str) -> Interval:
    """The bar size asked for; refuses what is no size, and a symbol nobody has heard of."""
    size = desk.policy.interval
    if interval:
        try:
            size = Interval(interval)
        except ValueError:
            known = " ".join(i.value for i in Interval)
            raise HTTPException(422, f"{interval[:20]!r} is no bar size; use one of {known}.") from None
    if symbol not in desk.policy.instruments:
        stored = await desk.reads.symbols(until=desk.status().now)
        if all(row.symbol != symbol for row in stored):
            known = ", ".join(desk.policy.instruments)
            raise HTTPException(404, f"{symbol[:40]!r} is not on the watchlist ({known}), and no bar of it is stored.")
    return size
