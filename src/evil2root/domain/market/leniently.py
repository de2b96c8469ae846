"""A table somebody wrote, as raw rows for cleaning: what can't be read becomes null, and nothing is refused for it."""

import polars as pl

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.importing import BadTable, check_columns, session_bounds
from evil2root.domain.market.sources import RAW_SCHEMA


def raw_rows(table: pl.DataFrame, *, instrument: Instrument, interval: Interval, where: str) -> pl.DataFrame:
    """Take `time, open, high, low, close, volume` and perhaps `adj_close` or `factor`, in any order of rows.

    Parameters
    ----------
    table
        Columns of text are read: RFC 3339 times with their zone, plain dates for the session of a day, numbers.
    where
        What messages call the table.

    Returns
    -------
    pl.DataFrame
        `RAW_SCHEMA`, as many rows as `table` and in its order. Null: a cell that was empty or unreadable, a time
        without its zone, a plain date where bars are shorter than a day.

    Raises
    ------
    BadTable
        A column is missing, doubled or not one of a bar's: the whole table means something else.
    """
    check_columns(table.columns, where=where)
    named = table.rename({name: name.strip().lower() for name in table.columns})
    numbers = {name: _numbers(named[name]) for name in ("open", "high", "low", "close", "volume")}
    factor = pl.repeat(None, table.height, dtype=pl.Float64(), eager=True)
    if "factor" in named.columns:
        factor = _numbers(named["factor"])
    elif "adj_close" in named.columns:
        ratio = _numbers(named["adj_close"]) / numbers["close"]
        factor = ratio.set(~(ratio.is_finite() & (ratio > 0)).fill_null(value=False), None)
    return pl.DataFrame({"opened_at": _opened(named["time"], instrument, interval), **numbers, "factor": factor},
                        schema=RAW_SCHEMA)  # fmt: skip


def _numbers(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values.str.strip_chars().cast(pl.Float64, strict=False)
    if not values.dtype.is_numeric():
        msg = f"The column {values.name} holds {values.dtype}; it must hold numbers."
        raise BadTable(msg)
    return values.cast(pl.Float64)


def _opened(values: pl.Series, instrument: Instrument, interval: Interval) -> pl.Series:
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        return values.dt.convert_time_zone("UTC").cast(RAW_SCHEMA["opened_at"])
    if values.dtype == pl.Date:
        return _sessions(values, instrument, interval)
    if values.dtype != pl.String:
        msg = f"The column time holds {values.dtype}; it must hold times with a zone, or dates."
        raise BadTable(msg)
    texts = values.str.strip_chars().str.to_uppercase().str.replace(" ", "T").str.replace("Z$", "+00:00")
    full = texts.str.replace(r"T(\d{2}:\d{2})([+-])", "T$1:00$2")
    times = full.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False)
    days = texts.str.to_date("%Y-%m-%d", strict=False)
    return times.fill_null(_sessions(days, instrument, interval))


def _sessions(days: pl.Series, instrument: Instrument, interval: Interval) -> pl.Series:
    if interval is not Interval.D1:
        return pl.repeat(None, len(days), dtype=RAW_SCHEMA["opened_at"], eager=True)
    return session_bounds(days, instrument.session)[0].cast(RAW_SCHEMA["opened_at"])
