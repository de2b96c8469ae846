"""Highs, lows and opens that lie far from everything else in their bar: a stop would be filled at them."""

import numpy as np

from evil2root.domain.market.cleaning.peers import told_beside
from evil2root.domain.market.cleaning.table import Flags, Floats, Table
from evil2root.domain.market.cleaning.values import CONTEXT_BARS, Known
from evil2root.domain.market.cleaning.volumes import times_usual

RANGES, LEAST = 12.0, 0.02
"""Usual ranges a price must lie beyond the closes around it to be far, and the least way, however calm the market was.

Recorded shares and currencies: at most 10.3."""
UPPER_SHARE, UPPER_PART = 0.9, 3.0
"""Where most bars do not move at all (a share of few ticks), a third of the range that nine in ten keep to is usual."""
FEW, FEW_WAY = 20, 0.25
"""With fewer bars than this, so long a way is far."""
VOLUME_TIMES, VOLUME_MOST = 5.0, 0.25
"""Volume over the usual one that confirms a way no longer than this: news do that, a slip of a digit does not."""


def wicks(table: Table, known: Known) -> None:
    """Set aside bars whose high, low or open is far off, unless volume or another source's same price confirms it."""
    if not len(table):
        return
    at = known.stored["opened_at"].to_physical()
    earlier = known.stored.filter(at < int(table.at[0])).tail(CONTEXT_BARS)
    first = earlier.height

    def whole(name: str) -> Floats:
        return np.concatenate((earlier[name].to_numpy(), table.values[name]))

    close = np.log(whole("close"))
    before = np.concatenate((close[:1], close[:-1]))
    limit = _limit(np.log(whole("high")), np.log(whole("low")), before)
    top, bottom = np.maximum(close, before)[first:], np.minimum(close, before)[first:]
    wrong = np.zeros(len(table), dtype=np.bool_)
    volume = whole("volume")
    for name in ("open", "high", "low"):
        price = np.log(table.values[name])
        way = np.maximum(price - top, 0.0) - np.maximum(bottom - price, 0.0)
        far = np.abs(way) > limit
        if far.any():
            far &= ~_on_volume(volume, way, far, first)
            wrong |= far & ~_told_as_far(table, known, name, price, way)
    table.set_aside("spike", wrong, reason="wick", detail="a high, low or open far from the closes around it")


def _limit(high: Floats, low: Floats, before: Floats) -> float:
    """The way that is far, by the ranges of the bars themselves: those of a few wrong ones do not count."""
    if len(high) < FEW:
        return FEW_WAY
    ranges = np.maximum(high, before) - np.minimum(low, before)
    usual = max(float(np.median(ranges)), float(np.quantile(ranges, UPPER_SHARE)) / UPPER_PART)
    return max(RANGES * usual, LEAST)


def _on_volume(volume: Floats, way: Floats, far: Flags, first: int) -> Flags:
    loud = np.zeros(len(far), dtype=np.bool_)
    for row in np.flatnonzero(far & (np.abs(way) <= VOLUME_MOST)):
        loud[row] = times_usual(volume, first + int(row)) >= VOLUME_TIMES
    return loud


def _told_as_far(table: Table, known: Known, name: str, price: Floats, way: Floats) -> Flags:
    """Does another source tell this price about as far off? That it tells the same close says nothing of a high."""
    same = np.zeros(len(table), dtype=np.bool_)
    for peer in known.peers:
        mine, theirs = told_beside(table, peer, name)
        same[mine] |= np.abs(np.log(theirs) - price[mine]) < np.abs(way[mine]) / 2
    return same
