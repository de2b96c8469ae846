"""Symbols, bars and indicators."""

import asyncio
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from http import HTTPStatus
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query

from evil2root.api.deps import NOT_FOUND, PROBLEMS, DeskDep, IndicatorsDep
from evil2root.api.problems import Problem
from evil2root.api.schemas.market import BarsOut, IndicatorOut, IndicatorsOut, QualityOut, SymbolOut
from evil2root.api.strict import StrictRoute
from evil2root.api.values import ListOut, midnight, moment, rfc3339
from evil2root.domain.core.instrument import SYMBOL, instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.catalogue.registry import Registry
from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import INDICATORS, Indicator
from evil2root.domain.market.window import WINDOW_BARS
from evil2root.engine.desk import Desk

BARS_MAX = 5_000
"""Bars of one answer: twenty years of days, about 700 kB."""
SPARE = 2
"""Bars asked for beyond the limit: one that opened at `end`, one that tells whether there are more."""

router = APIRouter(prefix="/symbols", route_class=StrictRoute, tags=["market"], responses=PROBLEMS)

IntervalQuery = Annotated[Interval | None, Query(description="Length of a bar; the bot's own when left out.")]
TimeQuery = Annotated[
    str | None,
    Query(max_length=40, description="RFC 3339, or a plain date: that session's opening.", examples=["2012-01-03"]),
]
BarsLimit = Annotated[int, Query(ge=1, le=BARS_MAX, description="The newest so many bars.")]


NAMES_MAX = 20
"""Names one question may have; the slowest of them takes some 0.1 s over 5,000 bars."""
NameQuery = Annotated[
    list[str] | None,
    Query(
        max_length=NAMES_MAX,
        description="Columns (`willr_14`) or families (`bollinger`) by name; repeat it for more.",
        examples=[["rsi_14"]],
    ),
]


@router.get("", summary="Symbols with stored bars")
async def get_symbols(desk: DeskDep) -> ListOut[SymbolOut]:
    """List every symbol, with the interval, number and dates of its bars."""
    rows = await desk.reads.symbols(until=desk.status().now)
    traded = desk.policy.instruments
    return ListOut(items=[SymbolOut.of(row, traded=row.symbol in traded) for row in rows], next=None)


@router.get("/indicators", summary="Every indicator there is")
async def get_registry(registry: IndicatorsDep) -> ListOut[IndicatorOut]:
    """List every indicator that `/symbols/{symbol}/indicators` can be asked for, with inputs, parameters and ranges."""
    return ListOut(items=[IndicatorOut.of(indicator) for indicator in registry.all], next=None)


@router.get("/{symbol}/bars", summary="Bars of a symbol", responses=NOT_FOUND)
async def get_bars(  # noqa: PLR0913 - the parts of the question
    symbol: str,
    desk: DeskDep,
    interval: IntervalQuery = None,
    start: TimeQuery = None,
    end: TimeQuery = None,
    limit: BarsLimit = 500,
    cursor: TimeQuery = None,
) -> BarsOut:
    """Return the newest bars that opened in [start, end), oldest first, adjusted; what a replay hasn't shown is not there."""
    frame, more = await bars_asked(desk, symbol, interval, start=start, end=cursor or end, limit=limit)
    cursor_before = rfc3339(frame["opened_at"][0]) if more else None
    return BarsOut.model_validate({"items": frame.to_dicts(), "next": cursor_before})


@router.get("/{symbol}/indicators", summary="Indicators of a symbol", responses=NOT_FOUND)
async def get_indicators(  # noqa: PLR0913 - the parts of the question
    symbol: str,
    desk: DeskDep,
    registry: IndicatorsDep,
    interval: IntervalQuery = None,
    start: TimeQuery = None,
    end: TimeQuery = None,
    limit: BarsLimit = 500,
    name: NameQuery = None,
) -> IndicatorsOut:
    """Return the indicators of the bars that `/bars` gives for the same question: those decisions use, or those named.

    All of one answer are computed over the same bars: those it tells and up to 4,096 before them. Running totals (`obv`,
    `vwap`, `nvi`) start at the first of these, so they can differ between answers of another `limit` or `end`: don't join
    them. For a longer history the last digits of other running indicators can differ from those stored with a decision.
    """
    wanted = INDICATORS if not name else _named(registry, name)
    frame, _ = await bars_asked(desk, symbol, interval, start=None, end=end, limit=limit + WINDOW_BARS)
    table = await asyncio.to_thread(partial(features, indicators=wanted), frame)
    since = opening(start, symbol, "start")
    if since is not None:
        table = table.filter(pl.col("opened_at") >= since)
    return IndicatorsOut.of(table.tail(limit))


def _named(registry: Registry, names: list[str]) -> tuple[Indicator, ...]:
    unknown = [name for name in names if name not in registry]
    if unknown:
        near = get_close_matches(unknown[0][:40], registry.names, n=5) or registry.names[:5]
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"There is no indicator {unknown[0][:40]!r}; near it: {', '.join(near)}. /api/v1/symbols/indicators lists all.",
        )
    return registry.having(names)


@router.get("/{symbol}/quality", summary="Quality of a symbol's data", responses=NOT_FOUND)
async def get_quality(symbol: str, desk: DeskDep, interval: IntervalQuery = None) -> QualityOut:
    """Return what is odd about the stored bars and what was done about it, and the passport of the last bar."""
    now = desk.status().now
    await _require_symbol(desk, symbol, until=now)
    return QualityOut.of(await desk.reads.quality(symbol, interval or desk.policy.interval, until=now))


async def bars_asked(  # noqa: PLR0913 - the parts of the question
    desk: Desk, symbol: str, interval: Interval | None, *, start: str | None, end: str | None, limit: int
) -> tuple[pl.DataFrame, bool]:
    """Return the bars asked for, and whether older ones are left out."""
    now = desk.status().now
    await _require_symbol(desk, symbol, until=now)
    length = interval or desk.policy.interval
    since, before = opening(start, symbol, "start"), opening(end, symbol, "end")
    # The store bounds closes too: ask one bar further, and cut by the opening here.
    until = now if before is None or before >= now else min(now, before + length.length)
    frame = await desk.reads.bars(symbol, length, start=since, until=until, limit=limit + SPARE)
    if before is not None:
        frame = frame.filter(pl.col("opened_at") < before)
    return frame.tail(limit), frame.height > limit


async def _require_symbol(desk: Desk, symbol: str, *, until: datetime) -> None:
    if symbol in desk.policy.instruments:
        return
    if SYMBOL.fullmatch(symbol) is None or all(row.symbol != symbol for row in await desk.reads.symbols(until=until)):
        known = ", ".join(list(desk.policy.instruments)[:20])
        raise Problem(HTTPStatus.NOT_FOUND, f"There are no bars of {symbol[:40]!r} here; traded are {known}.")


def opening(text: str | None, symbol: str, field: str) -> datetime | None:
    """Return the time a question names; a plain date is that session's opening."""
    at = moment(text, field=field)
    if at is None or isinstance(at, datetime):
        return at
    try:
        return instrument_for(symbol).session.bounds(at)[0]
    except (OverflowError, ValueError):  # the first or last day of the calendar
        return midnight(at)
