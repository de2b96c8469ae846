"""The next longer interval as seen from this one: only what was over is seen."""

from collections.abc import Mapping
from math import inf

import numpy as np
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import INDICATORS, Column, Floats, Indicator, Unit
from evil2root.domain.market.trailing import trailing_mean

_MINUTE = 60_000_000
_DAY = 1_440 * _MINUTE
MONDAY = 4 * _DAY
"""The first Monday of 1970, in microseconds: weeks begin there."""

LENGTHS: Mapping[Interval, int] = {
    Interval.M1: 60 * _MINUTE, Interval.M5: 60 * _MINUTE, Interval.M15: 240 * _MINUTE, Interval.M30: 240 * _MINUTE,
    Interval.H1: _DAY, Interval.H4: _DAY, Interval.D1: 7 * _DAY,
}  # fmt: skip
"""Microseconds of the next longer interval: an hour, four hours, a day, a week."""

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


def higher(window: pl.DataFrame, *, interval: Interval) -> pl.DataFrame:
    """Close, SMA 10 and 30 and mean range of 14 of the newest higher bar that is over, as many rows as `window`.

    Parameters
    ----------
    window
        Bars that passed `check_bars`, oldest first. Higher bars are cut at UTC hours, days and Mondays, the first one
        where the window begins.

    Notes
    -----
    A higher bar counts as over once a bar of the next one has closed, up to one bar later than a calendar would say
    so: nothing but the bars themselves is needed, and no bar of the future can be in it.
    """
    if window.height < 2:
        return pl.DataFrame({name: pl.Series([None] * window.height, dtype=pl.Float64) for name in NAMES})
    opened = window["opened_at"].to_physical().to_numpy()
    number = (opened - MONDAY) // LENGTHS[interval]
    starts = np.flatnonzero(np.concatenate(([True], number[1:] != number[:-1])))
    table = features(joined(window, starts), indicators=HIGHER_INDICATORS)
    newest = np.searchsorted(starts, np.arange(window.height), side="right") - 2
    over = newest >= 0
    columns = {}
    for name, source in zip(NAMES, ("close", "sma_10", "sma_30", "range_14"), strict=True):
        values: Floats = np.where(over, table[source].to_numpy()[np.maximum(newest, 0)], np.nan)
        columns[name] = pl.Series(name, values, nan_to_null=True)
    return pl.DataFrame(columns)


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
