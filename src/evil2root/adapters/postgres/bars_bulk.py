"""Many series at once: loaded in one transaction, read into one table.

What lies before or behind the bars a series has already can't meet one of them, so it is copied straight into the
table; only what lies among them goes through a staging table and is merged. Series are locked while that is decided.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evil2root.adapters.postgres.bar_series import changed
from evil2root.adapters.postgres.bars import (
    COLUMNS,
    EARLIEST,
    EPOCH_US,
    HEADER,
    LATEST,
    REPLACE,
    SAME,
    TIMES,
    TRAILER,
    driver,
)
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA, History

SERIES_MAX = 2_000
"""Series of one load: each holds a lock until the end, and the server has room for 64 a connection it allows."""

AT_ONCE = 4_096
"""Rows parsed column by column before the next ones: they stay in the processor's cache meanwhile."""

NAMED = ("symbol", "interval", "source", *COLUMNS)
TABLE_SCHEMA = pl.Schema({"symbol": pl.Categorical(), **STORED_SCHEMA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of the bars of a load."""

    new: int
    same: int
    different: int
    """Stored with other values: left as they were, or replaced if that was asked for."""


class BulkBars:
    """Loads and reads stored bars of many symbols."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load(
        self, histories: Sequence[History], *, replace: bool = False, on: AsyncConnection | None = None
    ) -> Loaded:
        """Store all histories or none, in one transaction. Doing it again changes nothing.

        `on` an open connection it is part of that transaction. Raises `ValueError` for more than `SERIES_MAX` of them,
        or two of one series.
        """
        names = [(history.symbol, history.interval.value) for history in histories]
        if len(names) > SERIES_MAX or len(set(names)) < len(names):
            msg = f"A load takes up to {SERIES_MAX} series, each once: {len(names)} given, {len(set(names))} different."
            raise ValueError(msg)
        if on is not None:
            return await _load(on, histories, replace=replace)
        async with self._engine.begin() as connection:
            return await _load(connection, histories, replace=replace)

    async def table(
        self,
        symbols: Sequence[str],
        interval: Interval,
        *,
        start: datetime | None = None,
        until: datetime | None = None,
    ) -> pl.DataFrame:
        """Return raw bars with their factors of all `symbols`, `TABLE_SCHEMA`, by symbol in that order, oldest first.

        Bars opened at or after `start` and closed at or before `until`. Symbols without bars have no rows.
        """
        names, buffer = list(dict.fromkeys(symbols)), io.BytesIO()
        async with self._engine.connect() as connection:
            raw = await driver(connection)
            await raw.copy_from_query(
                _TABLE, names, interval.value, start or EARLIEST, until or LATEST, output=buffer, format="binary"
            )
        return await asyncio.to_thread(_table, buffer.getbuffer(), names)


async def _load(connection: AsyncConnection, histories: Sequence[History], *, replace: bool) -> Loaded:
    await connection.exec_driver_sql("SELECT 1")  # SQLAlchemy begins with its own first statement
    raw = await driver(connection)
    names = _columns([(history.symbol, history.interval.value) for history in histories])
    await raw.execute(_LOCK, *names)
    spans = {(row["symbol"], row["interval"]): row for row in await raw.fetch(_SPANS, *names)}
    beyond, among = [], []
    for history in histories:
        _, _, first, last = spans[history.symbol, history.interval.value]
        inside = pl.lit(first is not None) & pl.col("opened_at").is_between(first or LATEST, last or EARLIEST)
        beyond.append((history, history.stored.filter(~inside)))
        among.append((history, history.stored.filter(inside)))
    await raw.copy_to_table("bars", source=copied(beyond), columns=NAMED, format="binary")
    new = sum(rows.height for _, rows in beyond)
    touched = [history for history, rows in beyond if rows.height]
    merged = Loaded(new=0, same=0, different=0)
    if any(rows.height for _, rows in among):
        merged = await _merge(raw, among, replace=replace)
        if merged.new or (replace and merged.different):
            touched += [history for history, rows in among if rows.height]
    await changed(raw, [(history.symbol, history.interval.value) for history in touched])
    return Loaded(new=new + merged.new, same=merged.same, different=merged.different)


_LOCK = (
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT hashtextextended('bars ' || s || ' ' || i, 0) AS key "
    "FROM unnest($1::text[], $2::text[]) AS asked (s, i) ORDER BY 1) AS keys"
)
"""The locks of `PostgresBars.add`, in an order of their own: two loads then never wait for each other."""

_OWN = "FROM bars b WHERE b.symbol = asked.symbol AND b.interval = asked.interval"
_SPANS = (
    f"SELECT asked.symbol, asked.interval, (SELECT min(opened_at) {_OWN}), (SELECT max(opened_at) {_OWN}) "  # noqa: S608
    "FROM unnest($1::text[], $2::text[]) AS asked (symbol, interval)"
)
_TABLE = (
    f"SELECT place, {', '.join(COLUMNS)} FROM unnest($1::text[]) WITH ORDINALITY AS asked (symbol, place), LATERAL ("  # noqa: S608
    f"SELECT {', '.join(COLUMNS)} FROM bars b WHERE b.symbol = asked.symbol AND interval = $2 "
    "AND opened_at >= $3 AND closed_at <= $4 ORDER BY opened_at OFFSET 0) AS own"
)
"""A walk along the key for each symbol: as a plain join, PostgreSQL hashes all bars, on disk.

A number for the symbol: rows of one length are parsed without looking at each.
"""

_JOINED = "FROM staged_many s JOIN bars b USING (symbol, interval, opened_at)"
_COUNT = f"SELECT count(*) AS known, count(*) FILTER (WHERE {SAME}) AS same {_JOINED}"


async def _merge(
    raw: "asyncpg.Connection[Any]", parts: Sequence[tuple[History, pl.DataFrame]], *, replace: bool
) -> Loaded:
    await raw.execute(
        f"CREATE TEMPORARY TABLE staged_many ON COMMIT DROP AS SELECT {', '.join(NAMED)} FROM bars WITH NO DATA"  # noqa: S608
    )
    await raw.copy_to_table("staged_many", source=copied(parts), columns=NAMED, format="binary")
    await raw.execute("ANALYZE staged_many")
    known = await raw.fetchrow(_COUNT)
    otherwise = REPLACE if replace else "NOTHING"
    await raw.execute(
        f"INSERT INTO bars AS b ({', '.join(NAMED)}) SELECT {', '.join(NAMED)} FROM staged_many "  # noqa: S608
        f"ON CONFLICT (symbol, interval, opened_at) DO {otherwise}"
    )
    given = sum(rows.height for _, rows in parts)
    return Loaded(new=given - known["known"], same=known["same"], different=known["known"] - known["same"])


def _columns(names: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [symbol for symbol, _ in names], [interval for _, interval in names]


async def copied(parts: Sequence[tuple[History, pl.DataFrame]]) -> AsyncIterator[bytes]:
    """Binary COPY, a series a piece: the next one is packed while the server works on the last."""
    yield HEADER
    given = [(history, rows) for history, rows in parts if rows.height]
    ahead = None
    for history, rows in given:
        packing = asyncio.create_task(asyncio.to_thread(_packed, history, rows))
        if ahead is not None:
            yield await ahead
        ahead = packing
    if ahead is not None:
        yield await ahead
    yield TRAILER


def _packed(history: History, rows: pl.DataFrame) -> bytes:
    texts = {
        name: text.encode()
        for name, text in zip(NAMED, (history.symbol, history.interval.value, history.origin), strict=False)
    }
    packed = np.empty(rows.height, dtype=_layout({name: len(text) for name, text in texts.items()}))
    packed["fields"] = len(NAMED)
    for name, text in texts.items():
        packed[f"{name}_size"] = len(text)
        packed[name] = text
    for name in COLUMNS:
        values = rows[name].to_physical().to_numpy()
        packed[f"{name}_size"] = 8
        packed[name] = values - EPOCH_US if name in TIMES else values
    return packed.tobytes()


def _layout(texts: Mapping[str, int]) -> np.dtype[Any]:
    """A row whose first fields are texts of these sizes, or one number in the place of texts."""
    parts: list[tuple[str, str]] = [("fields", ">i2")]
    for name, size in texts.items():
        parts += [(f"{name}_size", ">i4"), (name, f"S{size}" if size else ">i8")]
    for name in COLUMNS:
        parts += [(f"{name}_size", ">i4"), (name, ">i8" if name in TIMES else ">f8")]
    return np.dtype(parts)


_PLACED = _layout({"place": 0})


def _table(told: memoryview, names: Sequence[str]) -> pl.DataFrame:
    count = (len(told) - len(HEADER) - len(TRAILER)) // _PLACED.itemsize
    rows = np.frombuffer(told, dtype=_PLACED, count=count, offset=len(HEADER))
    columns = {name: np.empty(count, "<i8" if name in (*TIMES, "place") else "<f8") for name in ("place", *COLUMNS)}
    for begin in range(0, count, AT_ONCE):
        some = slice(begin, begin + AT_ONCE)
        for name, values in columns.items():
            values[some] = rows[name][some]
    for name in TIMES:
        columns[name] += EPOCH_US
    place = columns.pop("place") - 1
    if (np.diff(place) < 0).any():  # a promise of the query that no standard makes
        order = np.lexsort((columns["opened_at"], place))
        place, columns = place[order], {name: values[order] for name, values in columns.items()}
    symbol = pl.Series("symbol", list(names), dtype=pl.Categorical()).gather(place)
    return pl.DataFrame({"symbol": symbol, **columns}).cast(TABLE_SCHEMA)
