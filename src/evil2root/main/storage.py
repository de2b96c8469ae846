"""Bars in and out of the database, and how good they are."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy.ext.asyncio import AsyncConnection

from evil2root.adapters.market_data.files import read_history
from evil2root.adapters.postgres.bars import Added, PostgresBars
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.instrument import instrument_for, require_symbol
from evil2root.domain.core.timeframe import Interval, interval
from evil2root.domain.market.calendars import NoCalendar, sessions_or_nowhere
from evil2root.domain.market.cleaning import Cleaned, Known, clean
from evil2root.domain.market.history import STORED_SCHEMA, History
from evil2root.domain.market.report import SeriesQuality, series_quality
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched
from evil2root.main.commands import opened
from evil2root.main.failure import USAGE, Failure
from evil2root.main.trading import calendars_of
from evil2root.main.venues import PAPER

FILE = "file"
"""The source of imported bars, in the records of what was set aside."""

SHOWN_MAX = 3
"""Reasons that are named when a file is not believed."""

DOUBTED_MOST = 0.1
"""Share of a file's bars that may be set aside; with more it is another series than it says."""

IN_DOUBT = "Give prices before splits a factor or adj_close column; --as-is takes the file at its word."


def _named(symbol: str, step: str) -> tuple[str, Interval]:
    try:
        return require_symbol(symbol), interval(step)
    except ValueError as problem:
        raise Failure(str(problem), code=USAGE) from problem


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What became of a file's bars."""

    added: Added
    set_aside: int
    why: tuple[str, ...]
    """What was wrong with those, a line each."""


async def take_in(path: Path, *, symbol: str, step: str, replace: bool, as_is: bool = False) -> TakenIn:
    """Store the bars of a file: all that cleaning believes, or none if one can't be read.

    A file is cleaned as an answer of a source is, and what is set aside is kept with its reason; `as_is` takes it at its
    word. Raises `Failure` when more of it than `DOUBTED_MOST` can't be believed, as a series with holes of years or two
    scales is none, `BadTable` when it can't be read.
    """
    name, length = _named(symbol, step)
    now = SystemClock().now()
    history = read_history(path, symbol=name, interval=length, now=now)
    async with opened() as (settings, database):
        if as_is:
            return TakenIn(added=await PostgresBars(database).add(history, replace=replace), set_aside=0, why=())
        instrument = instrument_for(name)
        told = Fetched(
            symbol=name, interval=length, rows=history.stored.select(RAW_SCHEMA.names()), source=FILE, fetched_at=now
        )
        try:
            sessions = calendars_of(settings).sessions(instrument)
        except NoCalendar as problem:
            text = f"{problem} --as-is stores the bars all the same."
            raise Failure(text) from problem
        cleaned = await asyncio.to_thread(clean, told, sessions, Known(has_volume=instrument.has_volume))
        quality = PostgresQuality(database)
        why = tuple(f"{one.kind}: {one.detail}" for one in cleaned.issues if one.action == "quarantined")
        if cleaned.quarantined.height > DOUBTED_MOST * history.stored.height:
            of = f"{cleaned.quarantined.height} of the {history.stored.height} bars can't be believed"
            text = f"{of}, so nothing was stored ({'; '.join(why[:SHOWN_MAX])}). {IN_DOUBT}"
            raise Failure(text)
        kept = History(symbol=name, interval=length, stored=_as_written(cleaned.good, history), origin=history.origin)
        along = partial(_kept_along, quality, cleaned)
        added = await PostgresBars(database).add(kept, replace=replace, along=along)
        return TakenIn(added=added, set_aside=cleaned.quarantined.height, why=why)


async def _kept_along(quality: PostgresQuality, cleaned: Cleaned, connection: AsyncConnection) -> None:
    await quality.keep(cleaned, on=connection)


def _as_written(good: pl.DataFrame, history: History) -> pl.DataFrame:
    """Give believed bars the closes the file's reader gave them: the same file is the same bars, cleaned or not."""
    read = history.stored.select("opened_at", read="closed_at")
    joined = good.join(read, on="opened_at", how="left", maintain_order="left")
    return joined.with_columns(closed_at=pl.coalesce("read", "closed_at")).drop("read")


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
