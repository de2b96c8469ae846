"""Chart patterns and levels of a symbol."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from evil2root.api.deps import NOT_FOUND, PROBLEMS, DeskDep, PatternRecordsDep
from evil2root.api.routes.market import BARS_MAX, BarsLimit, IntervalQuery, TimeQuery, bars_asked, opening
from evil2root.api.schemas.shapes import LevelOut, PatternOut
from evil2root.api.strict import StrictRoute
from evil2root.api.values import ListOut
from evil2root.domain.market.days import session_of
from evil2root.domain.signals.levels.find import HISTORY_MAX, levels
from evil2root.domain.signals.patterns.candles import candlesticks
from evil2root.domain.signals.patterns.detect import patterns

router = APIRouter(prefix="/symbols", route_class=StrictRoute, tags=["market"], responses=PROBLEMS)

CANDLE_BARS = 250
"""Candlesticks are many: told for this many newest bars."""

CandlesQuery = Annotated[bool, Query(description="Also TA-Lib's candlesticks of the newest 250 bars.")]


@router.get("/{symbol}/patterns", summary="Chart patterns of a symbol", responses=NOT_FOUND)
async def get_patterns(  # noqa: PLR0913 - the parts of the question
    symbol: str,
    desk: DeskDep,
    kept: PatternRecordsDep,
    interval: IntervalQuery = None,
    start: TimeQuery = None,
    end: TimeQuery = None,
    limit: BarsLimit = BARS_MAX,
    candles: CandlesQuery = False,  # noqa: FBT002 - a question's yes or no
) -> ListOut[PatternOut]:
    """Return the patterns confirmed within the bars that `/bars` gives for the same question, the newest first.

    `record` is how patterns of that kind ended on all watched symbols, up to 25 of them with up to 5,000 bars each (1,000
    for candlesticks), as it was known at `end`: the same whichever symbol and however many bars are asked for.
    """
    frame, _ = await bars_asked(desk, symbol, interval, start=start, end=end, limit=limit)
    length = interval or desk.policy.interval
    found = await asyncio.to_thread(patterns, frame, symbol=symbol, interval=length)
    now = desk.status().now
    until = min(now, opening(end, symbol, "end") or now)
    record = await kept.known(desk, length, until=until)
    items = [PatternOut.of(pattern, record) for pattern in found]
    if candles:
        single = await asyncio.to_thread(candlesticks, frame.tail(CANDLE_BARS), symbol=symbol, interval=length)
        record = await kept.known(desk, length, until=until, candles=True)
        items += [PatternOut.of(pattern, record) for pattern in single]
    return ListOut(items=sorted(items, key=lambda item: item.confirmed_at, reverse=True), next=None)


@router.get("/{symbol}/levels", summary="Support and resistance of a symbol", responses=NOT_FOUND)
async def get_levels(
    symbol: str,
    desk: DeskDep,
    interval: IntervalQuery = None,
    end: TimeQuery = None,
) -> ListOut[LevelOut]:
    """Return the levels as of the newest bar (before `end`), strongest first; they look 1,200 bars back."""
    frame, _ = await bars_asked(desk, symbol, interval, start=None, end=end, limit=HISTORY_MAX)
    found = await asyncio.to_thread(levels, frame, session=session_of(symbol))
    return ListOut(items=[LevelOut.of(level) for level in found], next=None)
