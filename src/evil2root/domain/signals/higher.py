"""The next longer interval as seen from this one: only what was over is seen."""

from collections.abc import Mapping
from functools import lru_cache
from math import inf

import numpy as np
import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.days import trading_days, trading_parts, trading_weeks
from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import INDICATORS, Column, Floats, Indicator, Unit
from evil2root.domain.market.sessions import HOUR, Micros
from evil2root.domain.market.trailing import trailing_mean

PARTS: Mapping[Interval, int] = {
    Interval.M1: HOUR, Interval.M5: HOUR, Interval.M15: 4 * HOUR, Interval.M30: 4 * HOUR,
}  # fmt: skip
"""Microseconds of the next longer interval where it is a part of a day; hours have days above them, days weeks."""

NAMES = ("higher_close", "higher_sma_10", "higher_sma_30", "higher_range_14")
HIGHER_WARM_UP: Mapping[str, int] = dict.fromkeys(NAMES, 1) | {
    "higher_sma_10": 10,
    "higher_sma_30": 30,
    "higher_range_14": 15,
}
"""At least: a higher bar is made of one bar or more, and known when the next one has begun."""


def mean_range(high: Floats, low: Floats, close: Floats, *, length: int) -> Floats:
    """Plain mean of the last `length` true ranges. Warm-up: `length` rows.

    Wilder's smoothing would not have forgotten its first value within the higher bars that some hundred bars make.
    """
    made = np.full(close.size, np.nan)
    if close.size > length:
        before = close[:-1]
        spans = np.maximum(high[1:], before) - np.minimum(low[1:], before)
        made[1:] = trailing_mean(spans, length=length)
    return made


HIGHER_INDICATORS: tuple[Indicator, ...] = (
    *(i for i in INDICATORS if {"sma_10", "sma_30"} & {column.name for column in i.columns}),
    Indicator(
        name="mean_range", compute=mean_range, is_tame=True, is_plain=True, inputs=("high", "low", "close"),
        params=(("length", 14),),
        columns=(Column(name="range_14", unit=Unit.PRICE, warm_up=14, settled=15, low=0.0, high=inf),),
    ),
)  # fmt: skip


def higher(window: pl.DataFrame, *, interval: Interval, session: Session) -> pl.DataFrame:
    """Close, SMA 10 and 30 and mean range of 14 of the newest higher bar that is over, as many rows as `window`.

    Parameters
    ----------
    window
        Bars that passed `check_bars`, oldest first. Higher bars are cut where their market cuts hours, days and weeks
        (`days.py`), the first one where the window begins.

    Notes
    -----
    A higher bar counts as over once a bar of the next one has closed, up to one bar later than a calendar would say
    so: nothing but the bars themselves is needed, and no bar of the future can be in it.
    """
    if window.height < 2:
        return pl.DataFrame({name: pl.Series([None] * window.height, dtype=pl.Float64) for name in NAMES})
    starts = begins(higher_bars(window["opened_at"].to_physical().to_numpy(), interval=interval, session=session))
    table = features(joined(window, starts), indicators=HIGHER_INDICATORS)
    newest = np.searchsorted(starts, np.arange(window.height), side="right") - 2
    over = newest >= 0
    columns = {}
    for name, source in zip(NAMES, ("close", "sma_10", "sma_30", "range_14"), strict=True):
        values: Floats = np.where(over, table[source].to_numpy()[np.maximum(newest, 0)], np.nan)
        columns[name] = pl.Series(name, values, nan_to_null=True)
    return pl.DataFrame(columns)


def higher_bars(opened: Micros, *, interval: Interval, session: Session) -> Micros:
    """The number of the higher bar that each bar is a part of; a later one has a larger number."""
    match interval:
        case Interval.D1:
            return trading_weeks(opened, session=session)
        case Interval.H1 | Interval.H4:
            return trading_days(opened, session=session)
        case _:
            return trading_parts(opened, session=session, length=PARTS[interval])


@lru_cache(maxsize=256)
def higher_bar(opened_at: int, *, interval: Interval, session: Session) -> int:
    """The same of one bar. Remembered: symbols of a market close together and ask for the same time."""
    return int(higher_bars(np.array([opened_at]), interval=interval, session=session)[0])


def begins(numbers: Micros) -> Micros:
    """Rows at which another number begins, the first one included."""
    return np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))


def joined(window: pl.DataFrame, starts: np.ndarray) -> pl.DataFrame:
    """The higher bars, each from one of `starts` up to before the next; the last one may still be forming."""
    ends = np.append(starts[1:], window.height) - 1
    prices = {name: window[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}
    return pl.DataFrame({
        "opened_at": window["opened_at"].gather(starts),
        "closed_at": window["closed_at"].gather(ends),
        "open": prices["open"][starts],
        "high": np.maximum.reduceat(prices["high"], starts),
        "low": np.minimum.reduceat(prices["low"], starts),
        "close": prices["close"][ends],
        "volume": np.add.reduceat(prices["volume"], starts),
    })  # fmt: skip
