"""Chart patterns and levels of a symbol."""

import asyncio
from functools import partial
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query

from evil2root.api.deps import NOT_FOUND, PROBLEMS, DeskDep
from evil2root.api.routes.market import BARS_MAX, BarsLimit, IntervalQuery, TimeQuery, bars_asked
from evil2root.api.schemas.shapes import LevelOut, PatternOut
from evil2root.api.strict import StrictRoute
from evil2root.api.values import ListOut
from evil2root.domain.market.days import session_of
from evil2root.domain.signals.levels.find import HISTORY_MAX, levels
from evil2root.domain.signals.patterns.candles import candlesticks
from evil2root.domain.signals.patterns.detect import Pattern, patterns
from evil2root.domain.signals.patterns.outcomes import Record, records

router = APIRouter(prefix="/symbols", route_class=StrictRoute, tags=["market"], responses=PROBLEMS)

CANDLE_BARS = 250
"""Candlesticks are many: told, and their record kept, for this many newest bars."""

CandlesQuery = Annotated[bool, Query(description="Also TA-Lib's candlesticks of the newest 250 bars.")]


@router.get("/{symbol}/patterns", summary="Chart patterns of a symbol", responses=NOT_FOUND)
async def get_patterns(  # noqa: PLR0913 - the parts of the question
    symbol: str,
    desk: DeskDep,
    interval: IntervalQuery = None,
    start: TimeQuery = None,
    end: TimeQuery = None,
    limit: BarsLimit = BARS_MAX,
    candles: CandlesQuery = False,  # noqa: FBT002 - a question's yes or no
) -> ListOut[PatternOut]:
    """Return the patterns confirmed within the bars that `/bars` gives for the same question, the newest first."""
    frame, _ = await bars_asked(desk, symbol, interval, start=start, end=end, limit=limit)
    found, record = await asyncio.to_thread(partial(_found, frame, symbol, candles=candles))
    newest = sorted(found, key=lambda pattern: pattern.confirmed_at, reverse=True)
    return ListOut(items=[PatternOut.of(pattern, record[pattern.kind]) for pattern in newest], next=None)


@router.get("/{symbol}/levels", summary="Support and resistance of a symbol", responses=NOT_FOUND)
async def get_levels(
    symbol: str,
    desk: DeskDep,
    interval: IntervalQuery = None,
    end: TimeQuery = None,
) -> ListOut[LevelOut]:
    """Return the levels as of the newest bar (before `end`), strongest first; they look 1,200 bars back."""
    frame, _ = await bars_asked(desk, symbol, interval, start=None, end=end, limit=HISTORY_MAX)
    found = await asyncio.to_thread(partial(levels, frame, session=session_of(symbol)))
    return ListOut(items=[LevelOut.of(level) for level in found], next=None)


def _found(frame: pl.DataFrame, symbol: str, *, candles: bool) -> tuple[tuple[Pattern, ...], dict[str, Record]]:
    shapes = patterns(frame, symbol=symbol)
    if not candles:
        return shapes, records(shapes, frame)
    told = frame.tail(CANDLE_BARS)
    single = candlesticks(told, symbol=symbol)
    return (*shapes, *single), records(shapes, frame) | records(single, told)
