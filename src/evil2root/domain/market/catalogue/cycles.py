"""Two cycles by their authors' definitions, which pandas-ta-classic 0.8.32 departs from.

Its Schaff cycle stands still while the lowest MACD of the window is not above 0, where Schaff asks that of its range;
its sine wave takes Ehlers' degrees for radians and begins with a leap from a price of 0.
"""

from itertools import accumulate
from math import cos, exp, pi, radians, sin, sqrt

import numpy as np

from evil2root.domain.market.catalogue.entry import PERCENT, RATIO, C
from evil2root.domain.market.indicators import FLAT_FRAC, Column, Floats, Indicator, ema
from evil2root.domain.market.lean_talib import talib

_SETTLING = 40
"""Bars before the sine wave's first value: one of its longest waves, over which its filters forget their start."""


def schaff(close: Floats, *, fast: int, slow: int, length: int) -> Floats:
    """Schaff Trend Cycle, 0 to 100: the place in its range of MACD, smoothed, and once more of that.

    A range of nothing keeps the place before, 0 at first; each smoothing goes half the way and begins at its first
    value. Warm-up: slow + 2 length - 3 rows.
    Source: D. Schaff, Technical Analysis of Stocks and Commodities, April 2010.
    """
    made = np.full(close.size, np.nan)
    start = slow - 1
    if close.size < start + 2 * length - 1:
        return made
    line = (ema(close, length=fast) - ema(close, length=slow))[start:]
    once = _smoothed_place(line, length, still=FLAT_FRAC * close[start + length - 1 :])
    twice = _smoothed_place(once, length, still=np.full(once.size - length + 1, 100.0 * FLAT_FRAC))
    made[start + 2 * (length - 1) :] = twice
    return made


def even_better_sine(close: Floats, *, length: int, bars: int) -> Floats:
    """Even Better Sinewave, -1 to 1: the mean of three smoothed waves over their root mean square; NaN when flat.

    A high pass of `length` bars, then a super smoother of `bars`; both begin at 0.
    Source: J. F. Ehlers, Cycle Analytics for Traders, 2013, chapter 12.
    """
    share = (1.0 - sin(radians(360.0 / length))) / cos(radians(360.0 / length))
    pole = exp(-sqrt(2.0) * pi / bars)
    first, second = 2.0 * pole * cos(sqrt(2.0) * pi / bars), -pole * pole
    made = np.full(close.size, np.nan)
    if close.size <= _SETTLING:
        return made
    passed = _run(0.5 * (1.0 + share) * np.diff(close[1:]), share)
    halves = 0.5 * (1.0 - first - second) * (passed[1:] + passed[:-1])
    waves = [0.0, 0.0]
    for half in halves.tolist():
        waves.append(half + first * waves[-1] + second * waves[-2])
    found = np.asarray(waves)
    mean = (found[2:] + found[1:-1] + found[:-2]) / 3.0
    power = (found[2:] ** 2 + found[1:-1] ** 2 + found[:-2] ** 2) / 3.0
    size = np.sqrt(power)
    known = mean / np.where(size > FLAT_FRAC * close[-size.size :], size, np.nan)
    made[_SETTLING:] = known[_SETTLING - close.size :]
    return made


def _run(values: Floats, share: float) -> Floats:
    """Each value plus a share of what was before it, from 0."""
    return np.asarray(list(accumulate(values.tolist(), lambda last, value: value + share * last, initial=0.0)))


def _smoothed_place(values: Floats, length: int, *, still: Floats) -> Floats:
    """0 to 100 within the last `length` values, half the way a bar; `length - 1` fewer than `values`."""
    lowest = talib.MIN(values, length)[length - 1 :]
    span = talib.MAX(values, length)[length - 1 :] - lowest
    place = 100.0 * (values[length - 1 :] - lowest) / np.where(span > still, span, np.nan)
    last, smooth, made = 0.0, None, []
    for now in place.tolist():
        last = last if np.isnan(now) else now
        smooth = last if smooth is None else smooth + 0.5 * (last - smooth)
        made.append(smooth)
    return np.asarray(made)


CYCLES: tuple[Indicator, ...] = (
    Indicator(
        name="stc", compute=schaff, inputs=C, params=(("fast", 12), ("slow", 26), ("length", 10)),
        columns=(Column(name="schaff_10", unit=PERCENT[0], warm_up=43, low=0.0, high=100.0),),
    ),
    Indicator(
        name="ebsw", compute=even_better_sine, inputs=C, params=(("length", 40), ("bars", 10)),
        columns=(Column(name="even_better_sine", unit=RATIO[0], warm_up=_SETTLING, low=-1.0, high=1.0),),
    ),
)  # fmt: skip
