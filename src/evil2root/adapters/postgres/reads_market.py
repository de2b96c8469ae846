"""Reads of stored bars."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import polars as pl
from sqlalchemy import ARRAY, Text, bindparam, func, select, true
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.bar_series import stamp
from evil2root.adapters.postgres.bars import LATEST, PostgresBars
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.calendars import Calendars, sessions_or_nowhere
from evil2root.domain.market.frame import PRICES
from evil2root.domain.market.history import History
from evil2root.domain.market.report import SeriesQuality, series_quality
from evil2root.engine.hot import NO_CACHE, CacheState, HotWindows
from evil2root.engine.reads import SymbolRow

QUALITY_BARS = 100_000
"""Bars one report looks over: two months of minutes."""


class MarketReads:
    """The part of `Reads` that looks into stored bars."""

    _engine: AsyncEngine
    _bars: PostgresBars
    _quality: PostgresQuality
    _calendars: Calendars | None
    _hot: HotWindows | None

    async def symbols(self, *, until: datetime | None) -> tuple[SymbolRow, ...]:
        """Return every series with bars that closed at or before `until`."""
        bar, newest = tables.bars, tables.bars.alias("newest")
        series = (
            select(
                bar.c.symbol, bar.c.interval, func.count().label("bars"), func.min(bar.c.opened_at).label("first"),
                func.max(bar.c.opened_at).label("last"),
            )
            .where(bar.c.closed_at <= (until or LATEST))
            .group_by(bar.c.symbol, bar.c.interval)
            .subquery()
        )  # fmt: skip
        query = select(series, newest.c.source).join(
            newest,
            (newest.c.symbol == series.c.symbol)
            & (newest.c.interval == series.c.interval)
            & (newest.c.opened_at == series.c.last),
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(series.c.symbol, series.c.interval))).mappings().all()
        return tuple(SymbolRow(**{**row, "interval": Interval(row["interval"])}) for row in rows)

    async def bars(
        self, symbol: str, interval: Interval, *, start: datetime | None, until: datetime | None, limit: int
    ) -> pl.DataFrame:
        """Return the newest `limit` adjusted bars opened from `start` on and closed at or before `until`."""
        found = None if self._hot is None else await stamp(self._engine, symbol, interval, until=until or LATEST)
        if self._hot is None or found is None:
            return await self._bars.window(symbol, interval, start=start, until=until, limit=limit)
        name = "|".join((symbol, interval.value, found.mark, str(found.newest), str(start), str(limit)))
        frame = await self._hot.frame(name)
        if frame is None:
            frame = await self._bars.window(symbol, interval, start=start, until=until, limit=limit)
            await self._hot.keep(name, frame)
        return frame

    def cache(self) -> CacheState:
        """Return which cache windows of bars are kept in."""
        return NO_CACHE if self._hot is None else self._hot.state()

    async def quality(self, symbol: str, interval: Interval, *, until: datetime | None) -> SeriesQuality:
        """Return the report of the newest `QUALITY_BARS` bars of a series."""
        stored = await self._bars.stored(symbol, interval, until=until, limit=QUALITY_BARS)
        found = await self._quality.issues(symbol, interval, until=until)
        marks = None
        if stored.height:
            marks = (await self._quality.newest({symbol: stored["opened_at"][-1]}, interval)).get(symbol)
        source = marks["source"][-1] if marks is not None and marks.height else ""
        history = History(symbol=symbol, interval=interval, stored=stored, origin=source)
        known = self._calendars
        sessions = None if known is None else sessions_or_nowhere(known, instrument_for(symbol))
        return await asyncio.to_thread(series_quality, history, sessions=sessions, found=found, marks=marks)

    async def last_bars(self, symbols: Sequence[str], interval: Interval, *, until: datetime | None) -> dict[str, Bar]:
        """Return each symbol's newest adjusted bar that closed at or before `until`; symbols without one are left out."""
        bar = tables.bars
        given = bindparam("symbols", list(symbols), type_=ARRAY(Text))
        wanted = func.unnest(given).table_valued("symbol", name="wanted").render_derived()
        before = until or LATEST
        newest = (
            select(bar)
            .where(bar.c.symbol == wanted.c.symbol, bar.c.interval == interval.value)
            .where(bar.c.opened_at < before, bar.c.closed_at <= before)
            .order_by(bar.c.opened_at.desc())
            .limit(1)
            .lateral()
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(newest).select_from(wanted.join(newest, true())))).mappings().all()
        return {
            row["symbol"]: Bar(
                symbol=row["symbol"], interval=interval, opened_at=row["opened_at"], closed_at=row["closed_at"],
                volume=row["volume"] / row["factor"], **{name: row[name] * row["factor"] for name in PRICES},
            )
            for row in rows
        }  # fmt: skip
