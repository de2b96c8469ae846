"""From a provider's records to raw rows: strict about every value, and losing none of them.

What can't be read becomes null, which cleaning quarantines with its reason. A record that is no record at all becomes a
row without a time. Only an answer as a whole that is something else is refused (`Unreadable`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Generic, TypeVar

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Unreadable
from evil2root.domain.market.sources import RAW_SCHEMA

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
VALUES = ("open", "high", "low", "close", "volume")
PAGES_MAX = 500
"""Of one answer; five million bars."""
REMEMBERED_MAX = 5_000
"""Symbols whose splits and factors are remembered for a day."""
REPEATED_MOST, SPARE_ROWS = 4, 2_000
"""A window may be told so many times over, and so many rows more: beyond that the answer has no end."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a provider calls the fields of a bar."""

    time: str
    open: str
    high: str
    low: str
    close: str
    volume: str


def rows_of(records: Sequence[object], names: Names) -> pl.DataFrame:
    """Read records, as many rows as records and in their order, factors null."""
    plain: list[Mapping[str, object]] = [record if isinstance(record, dict) else {} for record in records]
    columns: dict[str, list[object]] = {"opened_at": [moment_of(record.get(names.time)) for record in plain]}
    for name in VALUES:
        field = getattr(names, name)
        columns[name] = [number_of(record.get(field)) for record in plain]
    return pl.DataFrame({**columns, "factor": [None] * len(plain)}, schema=RAW_SCHEMA)


def number_of(value: object) -> float | None:
    """Take a JSON number for one, NaN and infinities included; text, booleans and the rest are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def day_of(value: object) -> datetime | None:
    """Read a date, or a time's date, as its midnight in UTC; none for anything else."""
    try:
        moment = datetime.fromisoformat(value[:10]) if isinstance(value, str) and len(value) <= 40 else None
    except ValueError:
        return None
    return None if moment is None else moment.replace(tzinfo=UTC)


def moment_of(value: object) -> datetime | None:
    """Read an RFC 3339 time in UTC; none for anything else, a time without its zone included."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class Enough:
    """Counts what an answer brings, so that one without an end is given up."""

    def __init__(self, who: str, interval: Interval, *, start: datetime, end: datetime) -> None:
        bars = max((end - start) / interval.length, 1.0)
        self._who, self._rows_left = who, int(REPEATED_MOST * bars) + SPARE_ROWS
        self._pages = 0
        self._tokens: set[str] = set()

    def page(self, rows: int, *, token: str = "") -> None:
        """Count a page. Raises `Unreadable` when there were too many, or the next one was told already."""
        self._pages += 1
        self._rows_left -= rows
        if self._rows_left < 0 or self._pages > PAGES_MAX or (token and token in self._tokens):
            msg = f"{self._who}'s answer has no end: {self._pages} pages, more rows than the time asked for can hold"
            raise Unreadable(msg)
        self._tokens.add(token)


class OnceADay(Generic[T]):
    """What changes between sessions only (splits, factors): what was told of a symbol is good for the day."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[date, date, T]] = {}

    def known(self, symbol: str, *, today: date, since: date) -> T | None:
        """Return what was told today of the days from `since` on, or none."""
        day, first, told = self._told.get(symbol, (date.min, date.max, None))
        return told if day == today and first <= since else None

    def keep(self, symbol: str, told: T, *, today: date, since: date) -> None:
        """Remember it; symbols that were asked for longest ago make room."""
        self._told.pop(symbol, None)
        while len(self._told) >= REMEMBERED_MAX:
            del self._told[next(iter(self._told))]
        self._told[symbol] = (today, since, told)


def within(rows: pl.DataFrame, start: datetime, end: datetime, *, now: datetime) -> pl.DataFrame:
    """Leave out bars of other times than were asked for, which sources tell to fill a day or a page.

    What can be no such bar stays, for cleaning to name: one without a time, of the future, or from before there were any.
    """
    opened = pl.col("opened_at")
    asked_for = (opened >= start) & (opened < end)
    return rows.filter((asked_for | (opened > now) | (opened < EARLIEST)).fill_null(value=True))


def asked_before(rows: pl.DataFrame, *, asked_at: datetime, answered_at: datetime) -> pl.DataFrame:
    """Leave out bars that opened while the answer was on its way.

    An answer is as old as its question: a bar that was over only when it came may have been told before that.
    """
    opened = pl.col("opened_at")
    return rows.filter(((opened <= asked_at) | (opened > answered_at)).fill_null(value=True))
