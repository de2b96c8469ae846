"""Bars in and out of the database, and how good they are."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from evil2root.adapters.market_data.files import read_history
from evil2root.adapters.postgres.bars import Added, PostgresBars
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.instrument import instrument_for, require_symbol
from evil2root.domain.core.timeframe import Interval, interval
from evil2root.domain.market.calendars import sessions_or_nowhere
from evil2root.domain.market.history import STORED_SCHEMA, History
from evil2root.domain.market.report import SeriesQuality, series_quality
from evil2root.main.commands import opened
from evil2root.main.failure import USAGE, Failure
from evil2root.main.trading import calendars_of
from evil2root.main.venues import PAPER


def _named(symbol: str, step: str) -> tuple[str, Interval]:
    try:
        return require_symbol(symbol), interval(step)
    except ValueError as problem:
        raise Failure(str(problem), code=USAGE) from problem


async def take_in(path: Path, *, symbol: str, step: str, replace: bool) -> Added:
    """Store the bars of a file: all of them, or none if one can't be taken."""
    name, length = _named(symbol, step)
    history = read_history(path, symbol=name, interval=length, now=SystemClock().now())
    async with opened() as (_, database):
        return await PostgresBars(database).add(history, replace=replace)


async def examine(symbols: Sequence[str], *, step: str | None) -> list[dict[str, Any]]:
    """Look over stored series; raises `Failure` for a symbol without bars."""
    wanted = {_named(symbol, step or "1d")[0] for symbol in symbols}
    length = None if step is None else _named("A", step)[1]
    async with opened() as (settings, database):
        calendars = calendars_of(settings)
        rows = [
            row for row in await PostgresReads(database, account=PAPER).symbols(until=None)
            if (not wanted or row.symbol in wanted) and length in (None, row.interval)
        ]  # fmt: skip
        missing = wanted - {row.symbol for row in rows} - {name for name, _ in await PostgresQuality(database).series()}
        if missing:
            text = f"There are no bars of {', '.join(sorted(missing))}: import some with `evil2root data import`."
            raise Failure(text)
        bars, quality = PostgresBars(database), PostgresQuality(database)
        found = []
        for row in rows:
            stored = await bars.stored(row.symbol, row.interval)
            history = History(symbol=row.symbol, interval=row.interval, stored=stored, origin=row.source)
            made = series_quality(
                history, sessions=sessions_or_nowhere(calendars, instrument_for(row.symbol)),
                found=await quality.issues(row.symbol, row.interval), marks=await quality.marks(row.symbol, row.interval),
            )  # fmt: skip
            found.append(_told(made))
        known = {(row.symbol, row.interval) for row in rows}
        for symbol, size in await quality.series():
            if (symbol, size) not in known and (not wanted or symbol in wanted) and length in (None, size):
                # A series of which nothing could be believed is the one to be named.
                empty = History(symbol=symbol, interval=size, stored=pl.DataFrame(schema=STORED_SCHEMA), origin="")
                found.append(_told(series_quality(empty, sessions=None, found=await quality.issues(symbol, size))))
    return found


def _told(made: SeriesQuality) -> dict[str, Any]:
    return {
        "symbol": made.symbol, "interval": made.interval.value, "bars": made.bars, "first": made.first,
        "last": made.last, "source": made.source, "issues": [asdict(one) for one in made.issues],
        "passport": None if made.passport is None else asdict(made.passport),
    }  # fmt: skip
