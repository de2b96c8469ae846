"""The next longer interval as seen from this one: only what was over is seen."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import INDICATORS, Floats, Indicator

_MINUTE = 60_000_000
_DAY = 1_440 * _MINUTE
MONDAY = 4 * _DAY
"""The first Monday of 1970, in microseconds: weeks begin there."""

STEPS = ((10 * _MINUTE, 60 * _MINUTE), (60 * _MINUTE, 240 * _MINUTE), (_DAY * 5 // 6, _DAY), (2**62, 7 * _DAY))
"""Bars shorter than the first make higher bars of the second: 1m, 5m 1h; 15m, 30m 4h; 1h, 4h a day; 1d a week."""

NAMES = ("higher_close", "higher_sma_10", "higher_sma_30", "higher_atr_14")
HIGHER_WARM_UP: Mapping[str, int] = dict.fromkeys(NAMES, 1) | {
    "higher_sma_10": 10,
    "higher_sma_30": 30,
    "higher_atr_14": 15,
}
"""At least: a higher bar is made of one bar or more, and known when the next one has begun."""

HIGHER_INDICATORS: tuple[Indicator, ...] = tuple(
    indicator
    for indicator in INDICATORS
    if {"sma_10", "sma_30", "atr_14"} & {column.name for column in indicator.columns}
)


def higher(window: pl.DataFrame) -> pl.DataFrame:
    """Close, SMA 10 and 30 and ATR 14 of the newest higher bar that is over, as many rows as `window`.

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
    number, _ = spans(opened)
    starts = np.flatnonzero(np.concatenate(([True], number[1:] != number[:-1])))
    table = features(joined(window, starts), indicators=HIGHER_INDICATORS)
    newest = np.searchsorted(starts, np.arange(window.height), side="right") - 2
    over = newest >= 0
    columns = {}
    for name, source in zip(NAMES, ("close", "sma_10", "sma_30", "atr_14"), strict=True):
        values: Floats = np.where(over, table[source].to_numpy()[np.maximum(newest, 0)], np.nan)
        columns[name] = pl.Series(name, values, nan_to_null=True)
    return pl.DataFrame(columns)


def spans(opened: np.ndarray) -> tuple[np.ndarray, int]:
    """Which higher bar each opening (microseconds) belongs to, and how long those are: the first two bars say."""
    apart = int(opened[1] - opened[0])
    length = next(long for shorter_than, long in STEPS if apart < shorter_than)
    return (opened - MONDAY) // length, length


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
