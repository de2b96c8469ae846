"""From a table somebody hands in to a checked history. Nothing is repaired: what is wrong is named and refused."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from difflib import get_close_matches

import numpy as np
import polars as pl

from evil2root.domain.core.instrument import AssetClass, Instrument
from evil2root.domain.core.listings import Session
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.adjust import adjustment_factor
from evil2root.domain.market.frame import BadBars
from evil2root.domain.market.history import STORED_SCHEMA, History

NEEDED = ("time", "open", "high", "low", "close", "volume")
OPTIONAL = ("adj_close", "factor")
"""Either gives the adjustment: the adjusted close, or what prices are multiplied by. Without both it is 1."""

SHOWN_MAX = 60
"""Characters of a refused value that are repeated."""

EARLIEST = datetime(1800, 1, 1, tzinfo=UTC)
"""Bars may open from here on: the oldest daily prices anybody keeps are of the nineteenth century."""

_DATE = r"^\d{4}-\d{2}-\d{2}$"
_TIME = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_ZONE = r"([Zz]|[+-]\d{2}:\d{2})$"
_UTC = pl.Datetime("us", "UTC")


class BadTable(ValueError):  # noqa: N818 - named for what is wrong, as the trade says it
    """A table that can't be taken in. The message names the place, the value, the limit and what to do."""


def history_from(  # noqa: PLR0913 - the table, whose it is, when it is read, and how its places are called
    table: pl.DataFrame,
    *,
    instrument: Instrument,
    interval: Interval,
    now: datetime,
    origin: str,
    where: str,
    first_line: int | None = None,
) -> History:
    """Take a table of `time, open, high, low, close, volume` and perhaps `adj_close` or `factor`.

    Parameters
    ----------
    table
        Columns of text are read; numbers and times with a zone are taken as they are. Column names in any case.
    now
        Bars that open more than one bar later can't be known yet and are refused.
    where
        What messages call the table: a file's name.
    first_line
        Number of the line that holds the first row; without it rows are counted from 1.
    """
    place = _Place(where, first_line)
    check_columns(table.columns, where=where)
    table = table.rename({name: name.strip().lower() for name in table.columns})
    if not table.height:
        msg = f"{where} has no rows: there is nothing to take in."
        raise BadTable(msg)
    numbers = {name: _numbers(table[name], place) for name in (*NEEDED[1:], *OPTIONAL) if name in table.columns}
    opened = _opened(table["time"], instrument, interval, place)
    _refuse_other_times(opened, table["time"], now + interval.length, place)
    closed = closes(opened, instrument, interval)
    said = "time {} is after the close of that day's session, write daily bars as plain dates like 2024-03-01."
    place.refuse_first(closed <= opened, table["time"], said)
    columns = {name: numbers[name] for name in NEEDED[1:]}
    try:
        factor = _factor(numbers, table.height)
        stored = pl.DataFrame(
            {"opened_at": opened, "closed_at": closed, **columns, "factor": factor},
            schema=STORED_SCHEMA,
        )
        return History(symbol=instrument.symbol, interval=interval, stored=stored, origin=origin)
    except BadBars as bad:
        raise BadTable(place.say(bad.row, str(bad).split(": ", 1)[-1])) from bad


def check_columns(names: Sequence[str], *, where: str) -> None:
    """Refuse missing, doubled and unknown columns by name."""
    said = [name.strip().lower() for name in names]
    listed = f"Needed are {','.join(NEEDED)}; adj_close or factor may be added."
    for name in said:
        if said.count(name) > 1:
            msg = f"{where} has the column {name!r} {said.count(name)} times: keep one of them."
            raise BadTable(msg)
        if name not in NEEDED and name not in OPTIONAL:
            close = get_close_matches(name, (*NEEDED, *OPTIONAL), n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            msg = f"{where} has the column {name[:SHOWN_MAX]!r}, which is not one of a bar's.{hint} {listed}"
            raise BadTable(msg)
    missing = [name for name in NEEDED if name not in said]
    if missing:
        msg = f"{where} lacks the column {', '.join(missing)}. {listed}"
        raise BadTable(msg)
    if all(name in said for name in OPTIONAL):
        msg = f"{where} has both adj_close and factor, which say the same thing twice: keep one of them."
        raise BadTable(msg)


def session_bounds(days: pl.Series, session: Session) -> tuple[pl.Series, pl.Series]:
    """Opening and close, in UTC, of the sessions that open on `days`: `Session.bounds` for a whole column."""
    ends = days if session.closes > session.opens else days.dt.offset_by("1d")
    return _moments(days, session.opens, session.zone), _moments(ends, session.closes, session.zone)


def closes(opened: pl.Series, instrument: Instrument, interval: Interval) -> pl.Series:
    """When bars opened at these moments were known: `Instrument.bar_times` for a whole column."""
    session = instrument.session
    if interval is Interval.D1 and instrument.asset_class is AssetClass.EQUITY:
        return session_bounds(opened.dt.convert_time_zone(session.zone).dt.date(), session)[1].alias("closed_at")
    return (opened + interval.length).alias("closed_at")


def _moments(days: pl.Series, at: time, zone: str) -> pl.Series:
    local = pl.select(pl.lit(days).dt.combine(at)).to_series()
    return local.cast(pl.Datetime("us")).dt.replace_time_zone(zone).dt.convert_time_zone("UTC")


class _Place:
    """Says where in the table a row is."""

    def __init__(self, where: str, first_line: int | None) -> None:
        self._where, self._first_line = where, first_line

    def say(self, row: int | None, problem: str) -> str:
        if row is None:
            return f"{self._where}: {problem}"
        counted = f"row {row + 1}" if self._first_line is None else f"line {row + self._first_line}"
        return f"{self._where}, {counted}: {problem}"

    def refuse_first(self, wrong: pl.Series, values: pl.Series, problem: str) -> None:
        """Raise for the first row that is `wrong`; `{}` in `problem` is the value."""
        if wrong.null_count():
            wrong = wrong.fill_null(value=True)
        if wrong.any():
            row = wrong.arg_max()
            assert row is not None, "one is wrong"
            said = values.slice(row, 1).cast(pl.String)[0]  # text at once: a year 0 is no Python date
            raise BadTable(self.say(row, problem.format(repr(str(said)[:SHOWN_MAX]))))


def _numbers(values: pl.Series, place: _Place) -> pl.Series:
    """Read a column as Float64; numbers that are no price or volume are refused by the bars' own rules."""
    name = values.name
    if values.dtype == pl.String:
        clean = values.cast(pl.Float64, strict=False)
        if not clean.null_count() and np.isfinite(clean.to_numpy()).all():
            return clean  # nearly every column: none of the questions below need be asked
        texts = values.str.strip_chars()
        place.refuse_first(texts.is_null() | (texts == ""), values, f"{name} is empty; every bar has every value.")
        read = texts.cast(pl.Float64, strict=False)
        place.refuse_first(
            ~read.is_finite().fill_null(value=False), values, name + " {} is not a finite number; write it like 187.25."
        )
        return read
    if not values.dtype.is_numeric():
        raise BadTable(place.say(None, f"the column {name} holds {values.dtype}; it must hold numbers."))
    place.refuse_first(values.is_null(), values, f"{name} is empty; every bar has every value.")
    return values.cast(pl.Float64)


def _opened(values: pl.Series, instrument: Instrument, interval: Interval, place: _Place) -> pl.Series:
    """Read when the bars opened: RFC 3339 times, or plain dates, which mean that session's opening."""
    if values.dtype == pl.String:
        return _opened_from_text(values.str.strip_chars(), instrument, interval, place)
    place.refuse_first(values.is_null(), values, "time is empty; every bar has every value.")
    if values.dtype == pl.Date:
        return _sessions(values, instrument, interval, place)
    if not isinstance(values.dtype, pl.Datetime):
        raise BadTable(
            place.say(None, f"the column time holds {values.dtype}; it must hold times with a zone, or dates.")
        )
    if values.dtype.time_zone is None:
        raise BadTable(place.say(0, f"time {values[0]} has no time zone; {_WITH_ZONE}"))
    return values.dt.convert_time_zone("UTC").cast(_UTC)


_WITH_ZONE = "write it as RFC 3339, like 2024-03-01T14:30:00Z or 2024-03-01T09:30:00-05:00."


def _opened_from_text(texts: pl.Series, instrument: Instrument, interval: Interval, place: _Place) -> pl.Series:
    is_date = texts.str.contains(_DATE)
    if is_date.all(ignore_nulls=False):
        days = texts.str.to_date("%Y-%m-%d", strict=False)
        place.refuse_first(days.is_null(), texts, "time {} is no day of the calendar.")
        return _sessions(days, instrument, interval, place)
    place.refuse_first(texts.is_null() | (texts == ""), texts, "time is empty; every bar has every value.")
    is_time = texts.str.contains(_TIME + _ZONE)
    without_zone = texts.str.contains(_TIME + "$")
    place.refuse_first(without_zone, texts, "time {} has no time zone; " + _WITH_ZONE)
    place.refuse_first(~(is_date | is_time), texts, "time {} is no time; " + _WITH_ZONE)
    if is_date.any() and is_time.any():
        of_first, other = (is_date, "a plain date") if is_date[0] else (is_time, "a time with a zone")
        place.refuse_first(
            ~of_first, texts, f"time {{}} is written otherwise than the first row, which is {other}; write all alike."
        )
    plain = texts.str.to_uppercase().str.replace(" ", "T").str.replace("Z$", "+00:00")
    plain = plain.str.replace(r"T(\d{2}:\d{2})([+-])", "T$1:00$2")
    read = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False)
    place.refuse_first(read.is_null(), texts, "time {} is no moment of the calendar; " + _WITH_ZONE)
    return read


def _sessions(days: pl.Series, instrument: Instrument, interval: Interval, place: _Place) -> pl.Series:
    if interval is not Interval.D1:
        problem = f"time {days[0]} is a plain date, which names a daily session; bars of {interval} need times. "
        raise BadTable(place.say(0, problem + _WITH_ZONE[0].upper() + _WITH_ZONE[1:]))
    return session_bounds(days, instrument.session)[0]


def _refuse_other_times(opened: pl.Series, texts: pl.Series, latest: datetime, place: _Place) -> None:
    said = f"time {{}} lies before {EARLIEST.year}: no market's prices reach further back."
    place.refuse_first(opened < EARLIEST, texts, said)
    limit = latest.astimezone(UTC)
    said = f"time {{}} lies in the future: bars may open until {limit.isoformat(timespec='seconds')} at the latest."
    place.refuse_first(opened > limit, texts, said)


def _factor(numbers: dict[str, pl.Series], rows: int) -> pl.Series:
    if "adj_close" in numbers:
        return adjustment_factor(numbers["close"], numbers["adj_close"])
    return numbers.get("factor", pl.Series("factor", [1.0]).new_from_index(0, rows))


FILE_NAME = re.compile(r"(?P<symbol>.+)_(?P<interval>[^_.]+)\.(csv|parquet)")
"""`SYMBOL_INTERVAL.csv`, as folders of recorded history name their files."""


def span(history: History) -> tuple[datetime, datetime]:
    """First opening and last close of a history that has bars."""
    return history.stored["opened_at"][0], history.stored["closed_at"][-1]


def dated(history: History) -> str:
    """The dates of a history, for people."""
    first, last = span(history)
    return f"{first.date()} to {(last - timedelta(microseconds=1)).date()}"
