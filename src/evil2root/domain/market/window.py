"""Where the features of a bar start, so that a live bar and the same bar in a backtest agree to the last bit.

Running indicators (RSI, ATR, EMA, OBV and every running sum) remember the first bar they saw. Whoever computes the
features of bar number `index` therefore starts at `window_start(index)`: the series' origin while it is short, then
a start that moves on in half windows. A whole series is computed window by window under the same rule.
"""

from collections.abc import Callable, Sequence
from functools import partial

import polars as pl

from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import INDICATORS, Indicator

WINDOW_BARS = 4_096
"""Most bars behind one row of features. Half of it, the least, is ten times the longest warm-up."""


def window_start(index: int, *, window_bars: int = WINDOW_BARS) -> int:
    """Ordinal of the bar at which the features of bar `index` start; 0 is the first bar stored of that series.

    A pure function of the ordinal. The window from there to `index` holds all bars up to `window_bars`, then
    between half of that plus one and all of it. Bars added before the first one shift every ordinal: decisions
    made until then keep the start they were made with.
    """
    if index < 0:
        msg = f"A bar's ordinal is 0 or more, not {index}."
        raise ValueError(msg)
    if window_bars < 2 or window_bars % 2:
        msg = f"A window of {window_bars} bars can't be halved: use an even number from 2 on."
        raise ValueError(msg)
    half = window_bars // 2
    surplus = max(0, index + 1 - window_bars)
    return -(-surplus // half) * half


def features_series(
    bars: pl.DataFrame, *, window_bars: int = WINDOW_BARS, indicators: Sequence[Indicator] = INDICATORS
) -> pl.DataFrame:
    """Features of a whole series whose first row has ordinal 0, each row from its own window; as many rows as `bars`."""
    return windowed(bars, partial(features, indicators=indicators), window_bars=window_bars)


def windowed(
    bars: pl.DataFrame, compute: Callable[[pl.DataFrame], pl.DataFrame], *, window_bars: int = WINDOW_BARS
) -> pl.DataFrame:
    """What `compute` makes of a whole series whose first row has ordinal 0, each row from its own window.

    `compute` takes one window and gives as many rows; so does this.
    """
    pieces = []
    done = 0
    while done < bars.height:
        start = window_start(done, window_bars=window_bars)
        window = bars.slice(start, window_bars)
        pieces.append(compute(window).slice(done - start))
        done = start + window.height
    return pl.concat(pieces, rechunk=True) if pieces else compute(bars)


def features_at(bars: pl.DataFrame, *, first_index: int = 0, window_bars: int = WINDOW_BARS) -> pl.DataFrame:
    """One row: the features of the last bar in `bars`, equal to that row of `features_series` bit for bit.

    Parameters
    ----------
    bars
        Bars up to now, at least from `window_start` of the last one on.
    first_index
        Ordinal of the first row of `bars` in its stored series.
    """
    if not bars.height:
        msg = "No bars: features need at least one."
        raise ValueError(msg)
    start = window_start(first_index + bars.height - 1, window_bars=window_bars)
    if start < first_index:
        msg = f"The features of bar {first_index + bars.height - 1} start at bar {start}, but the bars given start at {first_index}: load the earlier ones."
        raise ValueError(msg)
    return features(bars.slice(start - first_index)).tail(1)
