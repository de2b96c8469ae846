"""Prices that are levels whether or not anybody has turned there: much traded, round, or ends of a period."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.market.days import trading_days, trading_months, trading_weeks
from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.levels.level import Origin

VOLUME_BINS = 60
VOLUME_PEAKS = 3
PEAK_MEANS = 1.25
"""A peak holds more than so many times the volume of a bin in the mean."""
NEAR_RANGES = 10.0
NEAR_FRAC_MIN, NEAR_FRAC_MAX = 0.01, 0.1
"""Round numbers further from the price than so many average ranges are not told, within these shares of it: a cent
matters to a currency's hours, not to the days of a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A price, why it is one, and the row from which on it was known."""

    price: float
    origin: Origin
    since: int = 0


def volume_by_price(high: Floats, low: Floats, volume: Floats) -> tuple[Floats, Floats]:
    """Price and volume of each bin between the lowest low and the highest high: as many of both as there are bins.

    Each bar's volume is spread evenly over its own range, or lies where all of it was traded: together the bins hold
    what the bars do. A bin's price is the mean of what was traded in it; its middle, where nothing was.
    """
    edges = np.linspace(float(low.min()), float(high.max()), VOLUME_BINS + 1)
    lower, upper = np.maximum(low[:, None], edges[:-1]), np.minimum(high[:, None], edges[1:])
    span = high - low
    moved = span > 0.0
    share = np.maximum(upper - lower, 0.0) / np.where(moved, span, 1.0)[:, None]
    still = np.flatnonzero(~moved)
    share[still] = 0.0
    share[still, np.clip(np.searchsorted(edges, low[still], side="right") - 1, 0, VOLUME_BINS - 1)] = 1.0
    traded = share * volume[:, None]
    held = traded.sum(axis=0)
    middle = (edges[:-1] + edges[1:]) / 2.0
    mean = (traded * ((lower + upper) / 2.0)).sum(axis=0) / np.where(held > 0.0, held, 1.0)
    return np.where(held > 0.0, mean, middle), held


def much_traded(high: Floats, low: Floats, volume: Floats) -> Iterator[Named]:
    """Peaks of the volume by price, the highest first; the ends of the range may be some too."""
    if not (volume.sum() > 0.0 and high.max() > low.min()):
        return
    price, held = volume_by_price(high, low, volume)
    around = np.concatenate(([0.0], held, [0.0]))
    peaks = np.flatnonzero((held > around[:-2]) & (held >= around[2:]) & (held > PEAK_MEANS * held.mean()))
    for peak in peaks[np.argsort(-held[peaks], kind="stable")][:VOLUME_PEAKS]:
        yield Named(price=float(price[peak]), origin=Origin.VOLUME)


def round_numbers(close: float, *, span: float) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten near the price, ascending: two to six.

    Of the coarsest step that has two of them there: 80 and 90 for a price of 87.5, 1.1 and 1.2 for one of 1.12 where
    the average range (`span`, above 0) is a percent or more of it; 1.11, 1.12 and 1.13 where it is tiny.
    """
    near_frac = min(NEAR_FRAC_MAX, max(NEAR_FRAC_MIN, NEAR_RANGES * span / close))
    power = floor(log10(close))
    near: list[float] = []
    for mantissa, exponent in ((1, power), *((m, power - less) for less in (1, 2) for m in (5, 2, 1))):
        step = _times_ten(mantissa, exponent)
        first, last = ceil(close * (1.0 - near_frac) / step), floor(close * (1.0 + near_frac) / step)
        near = [_times_ten(times * mantissa, exponent) for times in range(first, last + 1)]
        if len(near) > 1:
            break
    return tuple(near)


def _times_ten(number: int, exponent: int) -> float:
    """Divided where it is a fraction, so that 3 x 0.1 is 0.3."""
    return float(number * 10**exponent) if exponent >= 0 else number / 10.0**-exponent


def periods(bars: pl.DataFrame, *, session: Session) -> Iterator[Named]:
    """High and low of the session, week and month before the newest bar's, as the market cuts them.

    Only of periods all of whose bars are there: one that the bars begin in had, as far as they tell, no beginning.
    """
    opened = bars["opened_at"].to_physical().to_numpy()
    high, low = bars["high"].to_numpy(), bars["low"].to_numpy()
    cuts = {Origin.SESSION: trading_days, Origin.WEEK: trading_weeks, Origin.MONTH: trading_months}
    for origin, cut in cuts.items():
        begins = np.flatnonzero(np.diff(cut(opened, session=session))) + 1
        if begins.size < 2:
            continue
        first, end = begins[-2:].tolist()
        for price in (high[first:end].max(), low[first:end].min()):
            yield Named(price=float(price), origin=origin, since=end - 1)
