"""Bars by the clock, as providers count them, brought to sessions, as they are counted here."""

import numpy as np
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA
from evil2root.domain.market.resample import resampled
from evil2root.domain.market.sessions import DAY, HOUR, Micros, Sessions
from evil2root.domain.market.sources import RAW_SCHEMA

EXTENDED = (4 * HOUR, 20 * HOUR)
"""From the first to the last trade of a day in New York, of which the session is a part."""

NUMBERS = ("open", "high", "low", "close", "volume")


def without_extended_hours(rows: pl.DataFrame, sessions: Sessions) -> pl.DataFrame:
    """Leave out bars before and after the session of a day in New York, which providers tell unasked.

    All else that lies outside a session stays, for cleaning to name: a Sunday, the middle of the night.
    """
    opened = _times(rows)
    local = rows["opened_at"].dt.convert_time_zone("America/New_York").dt.replace_time_zone(None)
    in_day = local.to_physical().fill_null(-1).to_numpy() % DAY
    near = np.searchsorted(sessions.day_opens, opened + DAY // 2, side="right") - 1
    begin, end = sessions.day_opens[np.maximum(near, 0)], sessions.day_closes[np.maximum(near, 0)]
    is_session_day = (near >= 0) & (np.abs(begin - opened) < DAY // 2)
    by_the_clock = (in_day >= EXTENDED[0]) & (in_day < EXTENDED[1])
    extended = is_session_day & by_the_clock & ((opened < begin) | (opened >= end))
    return rows.filter(pl.Series(~extended, dtype=pl.Boolean))


def regrouped(rows: pl.DataFrame, sessions: Sessions, *, interval: Interval, into: Interval) -> pl.DataFrame:
    """Put short bars together into longer ones that count from the opening of the session.

    Parameters
    ----------
    rows
        `RAW_SCHEMA` of `interval`, factors null, any order, any value.

    Returns
    -------
    pl.DataFrame
        `RAW_SCHEMA` of `into`. A bar of which a part can't be read, or is told in two ways, has null values. One whose
        last part is missing is not given: nobody knows that it is over. Rows of no session are told as they came.
    """
    numbers = pl.col(NUMBERS)
    known = rows.filter(pl.col("opened_at").is_not_null()).unique(maintain_order=True).sort("opened_at")
    readable = pl.all_horizontal(numbers.is_not_null() & numbers.is_finite() & (numbers >= 0)).fill_null(value=False)
    sound = known.select(readable & ~pl.col("opened_at").is_duplicated()).to_series()
    in_session = pl.Series(sessions.closes_of(_times(known), interval) >= 0, dtype=pl.Boolean)
    stored = known.filter(sound & in_session).with_columns(closed_at="opened_at", factor=1.0)
    made = resampled(stored.select(list(STORED_SCHEMA)).cast(STORED_SCHEMA), sessions, interval=interval, into=into,
                     keep_holed=True)  # fmt: skip
    told = made.with_columns(factor=pl.lit(None, dtype=pl.Float64())).select(list(RAW_SCHEMA)).cast(RAW_SCHEMA)
    spoilt = _openings(_times(known.filter(~sound & in_session)), sessions, into)
    blanks = pl.DataFrame({"opened_at": spoilt}, schema={"opened_at": pl.Int64()}).cast(RAW_SCHEMA["opened_at"])
    told = told.join(blanks, on="opened_at", how="anti")
    parts = (told, blanks, known.filter(~in_session), rows.filter(pl.col("opened_at").is_null()))
    return pl.concat(parts, how="diagonal").select(list(RAW_SCHEMA)).cast(RAW_SCHEMA).sort("opened_at", nulls_last=True)


def _openings(opened: Micros, sessions: Sessions, interval: Interval) -> Micros:
    """Openings of the longer bars that these short ones are part of, each once, ascending."""
    if not len(opened):
        return np.empty(0, np.int64)
    opens, _ = sessions.grid(interval, start=int(opened.min()) - 8 * DAY, end=int(opened.max()) + 1)
    return np.unique(opens[np.maximum(np.searchsorted(opens, opened, side="right") - 1, 0)])


def _times(rows: pl.DataFrame) -> Micros:
    return rows["opened_at"].to_physical().fill_null(-1).to_numpy().astype(np.int64)
