"""Stored bars: raw prices with the factor that adjusts them, each bar once.

They come and go in PostgreSQL's binary COPY format, which numpy packs and parses without a Python object a value.
"""

import io
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import numpy as np
import polars as pl
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evil2root.adapters.postgres.bar_series import changed
from evil2root.adapters.postgres.failures import GONE, first_line
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.adjust import adjusted
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.history import STORED_SCHEMA, History

COLUMNS = tuple(STORED_SCHEMA.names())
TIMES = COLUMNS[:2]

_ROW = np.dtype(
    [("fields", ">i2")]
    + [part for name in COLUMNS for part in ((f"{name}_size", ">i4"), (name, ">i8" if name in TIMES else ">f8"))]
)
"""A row in binary COPY: the number of fields, then each field's size in bytes and its value, big end first."""

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"

EPOCH_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
"""PostgreSQL counts microseconds from here."""

EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, tzinfo=UTC)

_NEWEST_SOURCES = (
    "SELECT asked.symbol, newest.source FROM unnest($1::text[]) AS asked (symbol), LATERAL ("
    "SELECT source FROM bars b WHERE b.symbol = asked.symbol AND b.interval = $2 ORDER BY opened_at DESC LIMIT 1) AS newest"
)

PLAIN = re.compile(r"[A-Za-z0-9.=^_/-]{1,64}")
"""Symbols as they are spelled everywhere: nothing in them means anything to SQL."""

SAME = " AND ".join(f"b.{name} = s.{name}" for name in COLUMNS[1:])


Along = Callable[[AsyncConnection], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of bars that were to be stored."""

    new: int
    same: int
    """Already there, equal in every value."""
    different: int
    """Already there with other values: left as they were, or replaced if that was asked for."""
    first_different: datetime | None
    """Opening of the first of them."""


class PostgresBars:
    """Stores and serves bars."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(
        self, history: History, *, source: str | None = None, replace: bool = False, along: Along | None = None
    ) -> Added:
        """Store a history in one transaction. Doing it again changes nothing.

        Parameters
        ----------
        source
            Where the bars come from, the history's own `origin` when not given.
        replace
            Let the new values win where a stored bar has others.
        along
            What else is written in the transaction, behind the bars.
        """
        given = (history.symbol, history.interval.value)
        if await self._has(history):
            if along is not None:
                async with self._engine.begin() as connection:
                    await along(connection)
            return Added(new=0, same=history.stored.height, different=0, first_different=None)
        async with self._engine.begin() as connection:
            await connection.exec_driver_sql("SELECT 1")  # SQLAlchemy begins with its own first statement
            raw = await driver(connection)
            # Two loads of one series, one after the other: the counts are then exact.
            await raw.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "bars " + " ".join(given))
            await raw.execute(
                "CREATE TEMPORARY TABLE staged_bars (opened_at TIMESTAMPTZ PRIMARY KEY, closed_at TIMESTAMPTZ, "
                + ", ".join(f"{name} DOUBLE PRECISION" for name in COLUMNS[2:])
                + ") ON COMMIT DROP"
            )
            await raw.copy_to_table("staged_bars", source=io.BytesIO(_packed(history.stored)), format="binary")
            known = await raw.fetchrow(
                f"SELECT count(*) AS known, count(*) FILTER (WHERE {SAME}) AS same, "  # noqa: S608 - our own names
                f"min(opened_at) FILTER (WHERE NOT ({SAME})) AS first FROM staged_bars s JOIN bars b USING (opened_at) "
                "WHERE b.symbol = $1 AND b.interval = $2",
                *given,
            )
            await raw.execute(
                _MERGE.format(otherwise=REPLACE if replace else "NOTHING"), *given, source or history.origin
            )
            if history.stored.height > known["same" if replace else "known"]:
                await changed(raw, [given])
            if along is not None:
                await along(connection)
        return Added(
            new=history.stored.height - known["known"],
            same=known["same"],
            different=known["known"] - known["same"],
            first_different=known["first"],
        )

    async def _has(self, history: History) -> bool:
        """Are all these bars stored already? Reading them is ten times quicker than storing them again."""
        given = history.stored
        if not given.height:
            return False
        first, last = given["opened_at"][0], given["closed_at"][-1]
        return (await self.stored(history.symbol, history.interval, start=first, until=last)).equals(given)

    async def newest_sources(self, symbols: Sequence[str], interval: Interval) -> dict[str, str]:
        """Return who told the newest stored bar of each symbol that has one."""
        async with self._engine.connect() as connection:
            raw = await driver(connection)
            rows = await raw.fetch(_NEWEST_SOURCES, list(symbols), interval.value)
        return {row["symbol"]: row["source"] for row in rows}

    async def series(self, symbol: str, interval: Interval, *, until: datetime | None = None) -> pl.DataFrame:
        """Return all adjusted bars of a series that closed at or before `until`, oldest first.

        Raises `BarsUnavailable` when the database is away.
        """
        try:
            return _adjusted(await self.stored(symbol, interval, until=until))
        except (SQLAlchemyError, OSError, asyncpg.PostgresError, *GONE) as error:
            msg = f"The stored bars can't be read: {first_line(error)}"
            raise BarsUnavailable(msg) from error

    async def window(
        self, symbol: str, interval: Interval, *, start: datetime | None = None, until: datetime | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """Return adjusted bars opened at or after `start` and closed at or before `until`, oldest first.

        With a `limit` the newest of them.
        """
        return _adjusted(await self.stored(symbol, interval, start=start, until=until, limit=limit))

    async def window_then(
        self, symbol: str, interval: Interval, *, start: datetime, until: datetime, of: tuple[str, datetime]
    ) -> pl.DataFrame:
        """Return the same as they were stored when the bar `of` a symbol and an opening was: nothing restated since."""
        async with self._engine.connect() as connection:
            raw = await driver(connection)
            rows = await raw.fetch(_THEN, symbol, interval.value, start, until, *of)
        return _adjusted(pl.DataFrame([tuple(row) for row in rows], schema=STORED_SCHEMA, orient="row"))

    async def raw(
        self, symbol: str, interval: Interval, *, start: datetime | None = None, until: datetime | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """Return the same bars as they were traded."""
        return (await self.stored(symbol, interval, start=start, until=until, limit=limit)).drop("factor")

    async def stored(
        self, symbol: str, interval: Interval, *, start: datetime | None = None, until: datetime | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """Return raw bars with their factors, `STORED_SCHEMA`, oldest first."""
        buffer = io.BytesIO()
        async with self._engine.connect() as connection:
            raw = await driver(connection)
            asked = (symbol, interval.value, start or EARLIEST, until or LATEST, limit)
            if PLAIN.fullmatch(symbol):
                await raw.copy_from_query(_written_out(*asked), output=buffer, format="binary")
            else:
                await raw.copy_from_query(SELECT, *asked, output=buffer, format="binary")
        return _parsed(buffer.getbuffer())


SELECT = (
    f"SELECT * FROM (SELECT {', '.join(COLUMNS)} FROM bars WHERE symbol = $1 AND interval = $2 "  # noqa: S608
    "AND opened_at >= $3 AND opened_at < $4 AND closed_at <= $4 ORDER BY opened_at DESC LIMIT $5) AS newest "
    "ORDER BY opened_at"
)
_THEN = (
    "WITH own AS (SELECT min(stored_at) AS at FROM (SELECT stored_at FROM bars "  # noqa: S608 - our own names
    "WHERE symbol = $5 AND interval = $2 AND opened_at = $6 UNION ALL SELECT stored_at FROM bar_versions "
    "WHERE symbol = $5 AND interval = $2 AND opened_at = $6) AS every), known AS ("
    f"SELECT {', '.join(COLUMNS)}, stored_at, 0 AS replaced FROM bars, own "
    "WHERE symbol = $1 AND interval = $2 AND opened_at >= $3 AND closed_at <= $4 AND stored_at <= own.at UNION ALL "
    f"SELECT {', '.join(COLUMNS)}, stored_at, 1 FROM bar_versions, own "
    "WHERE symbol = $1 AND interval = $2 AND opened_at >= $3 AND closed_at <= $4 AND stored_at <= own.at "
    f"AND replaced_at > own.at) SELECT DISTINCT ON (opened_at) {', '.join(COLUMNS)} FROM known "
    "ORDER BY opened_at, stored_at DESC, replaced"
)
"""Of two rows of one moment the later one: what the bar's own transaction replaced was known no more."""
_MERGE = (
    f"INSERT INTO bars AS b (symbol, interval, source, {', '.join(COLUMNS)}) "  # noqa: S608 - our own names
    f"SELECT $1, $2, $3, {', '.join(COLUMNS)} FROM staged_bars ORDER BY opened_at "
    "ON CONFLICT (symbol, interval, opened_at) DO {otherwise}"
)
REPLACE = (
    f"UPDATE SET ({', '.join(COLUMNS[1:])}, source, stored_at) = "
    f"ROW({', '.join(f'excluded.{name}' for name in COLUMNS[1:])}, excluded.source, now()) "
    f"WHERE NOT ({SAME.replace('s.', 'excluded.')})"
)


def _written_out(symbol: str, interval: str, start: datetime, until: datetime, limit: int | None) -> str:
    """The question with its values in it. COPY takes no values; the driver has each written out by the server instead.

    That is two round trips of four, as long as reading 500 bars. Only for symbols with nothing to escape in them.
    """
    times = [f"'{at.astimezone(UTC).isoformat()}'::timestamptz" for at in (start, until)]
    values = (f"'{symbol}'", f"'{interval}'", *times, "ALL" if limit is None else str(int(limit)))
    query = SELECT
    for number, value in enumerate(values, start=1):
        query = query.replace(f"${number}", value)
    return query


async def driver(connection: AsyncConnection) -> "asyncpg.Connection[Any]":
    """Give asyncpg's own connection: SQLAlchemy has no COPY."""
    return (await connection.get_raw_connection()).driver_connection


def _adjusted(stored: pl.DataFrame) -> pl.DataFrame:
    return adjusted(stored.drop("factor"), factor=stored["factor"])


def _packed(stored: pl.DataFrame) -> bytes:
    rows = np.empty(stored.height, dtype=_ROW)
    rows["fields"] = len(COLUMNS)
    for name in COLUMNS:
        values = stored[name].to_physical().to_numpy()
        rows[f"{name}_size"] = 8
        rows[name] = values - EPOCH_US if name in TIMES else values
    return HEADER + rows.tobytes() + TRAILER


def _parsed(copied: memoryview) -> pl.DataFrame:
    count = (len(copied) - len(HEADER) - len(TRAILER)) // _ROW.itemsize
    rows = np.frombuffer(copied, dtype=_ROW, count=count, offset=len(HEADER))
    columns = {
        name: rows[name].astype("<i8") + EPOCH_US if name in TIMES else rows[name].astype("<f8") for name in COLUMNS
    }
    return pl.DataFrame(columns).cast(STORED_SCHEMA)
