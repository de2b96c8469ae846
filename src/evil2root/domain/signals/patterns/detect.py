"""Every chart pattern of a series, each from the bar on at which it was known.

False rates, on 200 seeded random walks of 500 bars (1.5 % a bar): see `FALSE_RATES`, held by a test. They are what a
market without any memory shows: a pattern alone is no edge, its realised record says whether it was one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType

import numpy as np
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.patterns.bounded import bounded, flags
from evil2root.domain.signals.patterns.bowls import cups, roundings
from evil2root.domain.signals.patterns.pivots import Pivot, Zigzag, pivots
from evil2root.domain.signals.patterns.reversals import reversals
from evil2root.domain.signals.patterns.shape import Direction, Shape

REACHES = (3, 6, 12)
"""Bars on either side of a pivot: three sizes of pattern."""
OVERLAP_FRAC = 0.5
"""A second pattern of a kind that shares more than this part of the shorter one's span with an earlier one says nothing
new."""
SHARED_FRAC = 0.6
"""Nor does one of another kind that points the same way and has more than this part of its turns from the earlier one:
a swing that is a triple bottom, a rectangle and a double bottom at once is told once. A third bottom after a told double
is news: three of its five turns are the double's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A chart pattern that was confirmed: its turns, and what it says."""

    id: str
    """Hash of symbol, interval, kind, direction and the times of its turns: the same wherever and whenever it is found.
    Prices are not in it, since each later split or dividend adjusts them anew."""
    kind: str
    direction: Direction
    points: tuple[tuple[datetime, float], ...]
    """Opening time and price of each turn, oldest first: highs and lows of these very bars, in rounding tops and bottoms and in cups also closes."""
    quality: float
    """0 (barely allowed) to 1 (perfect)."""
    confirmed_at: datetime
    """Close of the first bar that closed beyond the breakout once every turn was confirmed: nobody could know it earlier.
    The price may have left the shape before that, but has not been at its target."""
    breakout: float
    target: float
    invalidation: float


FALSE_RATES: Mapping[str, float] = MappingProxyType(
    {
        "double_top": 0.65,
        "double_bottom": 0.8,
        "triple_top": 0.2,
        "triple_bottom": 0.25,
        "head_and_shoulders": 0.95,
        "inverse_head_and_shoulders": 0.9,
        "ascending_triangle": 0.55,
        "descending_triangle": 0.5,
        "symmetric_triangle": 1.35,
        "rising_wedge": 1.0,
        "falling_wedge": 1.35,
        "channel": 1.2,
        "rectangle": 0.35,
        "flag": 0.15,
        "pennant": 0.15,
        "cup_and_handle": 0.5,
        "rounding_bottom": 0.5,
        "rounding_top": 0.4,
    }
)
"""Patterns of a kind per random walk of 500 bars, at most; their keys are every kind there is but candlesticks.

Set on the walks of seeds 100,000 to 100,399: their mean and three of its standard errors over 200 walks, rounded up
to a twentieth. The test that holds them looks at other walks.
"""


def patterns(bars: pl.DataFrame, *, symbol: str, interval: Interval) -> tuple[Pattern, ...]:
    """Every confirmed pattern, in the order of confirmation.

    Parameters
    ----------
    bars
        A table that passed `check_bars`, oldest first.

    Notes
    -----
    Causal: what was confirmed by a bar depends on it and earlier ones only, and stays. A shape is kept when a close
    leaves it by its breakout side before it leaves by the other, within a time in proportion to its length, and while no
    bar after its last turn, the confirming one included, has touched its target or closed beyond its invalidation. Of
    shapes that tell the same swing (`OVERLAP_FRAC`, `SHARED_FRAC`) the first confirmed is kept; of those confirmed by
    one bar the one with the most turns, then the best fit. Cost: about 0.06 s for 2,500 bars; loops run over pivots, of which there are at most
    bars / 4.
    """
    if bars.height == 0:
        return ()
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    broken = sorted(
        (found for shape in _shapes(high, low, close) if (found := _broken(shape, close)) is not None),
        key=lambda found: (found[1], -len(found[0].turns), -found[0].quality, found[0].turns[0].row, found[0].kind),
    )
    kept: list[tuple[Shape, Pattern]] = []
    for shape, row, side in broken:
        pattern = _pattern(shape, row, side, bars, symbol=symbol, interval=interval)
        # Past its apex a triangle holds nothing any more; a fall by more than the whole price is none.
        rises = pattern.direction is Direction.UP
        stands = pattern.target > 0.0 and (pattern.invalidation < pattern.breakout) is rises
        if not stands or any(_repeats(shape, pattern, *earlier) for earlier in kept):
            continue
        if not _is_over(pattern, high, low, close, since=min(shape.turns[-1].row + 1, row), row=row):
            kept.append((shape, pattern))
    return tuple(pattern for _, pattern in kept)


def _repeats(shape: Shape, pattern: Pattern, other: Shape, told: Pattern) -> bool:
    """Says an earlier one all that this one would?"""
    (start, end), (s, e) = ((one.turns[0].row, one.turns[-1].row) for one in (shape, other))
    if min(end, e) - max(start, s) <= OVERLAP_FRAC * min(end - start, e - s):
        return False
    if shape.kind == other.kind:
        return True
    mine, its = ({(turn.row, turn.price) for turn in one.turns} for one in (shape, other))
    return pattern.direction is told.direction and len(mine & its) > SHARED_FRAC * len(mine)


def _shapes(high: Floats, low: Floats, close: Floats) -> Iterator[Shape]:
    for reach in REACHES:
        line = Zigzag()
        for pivot in pivots(high, low, reach=reach):
            yield from _rounds(close, pivot)
            if not line.add(pivot):
                continue
            sign = 1.0 if pivot.is_high else -1.0
            yield from reversals(line.turns, sign=sign)
            yield from bounded(line.turns)
            yield from flags(line.turns, sign=-sign)
            yield from cups(close, line.turns)


def _rounds(close: Floats, pivot: Pivot) -> Iterator[Shape]:
    sign = 1.0 if pivot.is_high else -1.0
    return roundings(sign * close, pivot, sign=sign)


def _broken(shape: Shape, close: Floats) -> tuple[Shape, int, Direction] | None:
    """Row at which a shape was confirmed and the side it left by, in signed prices; none when it never was."""
    last = shape.turns[-1].row
    if shape.patience == 0:
        return shape, shape.known, Direction.UP
    rows = np.arange(last + 1, min(close.size, last + 1 + max(shape.patience, shape.known - last)))
    signed = shape.sign * close[rows]
    above = signed > shape.upper.price + shape.upper.slope * (rows - shape.upper.at)
    below = signed < shape.lower.price + shape.lower.slope * (rows - shape.lower.at)
    out = np.flatnonzero(above | below)
    if not out.size:
        return None
    side = Direction.UP if above[out[0]] else Direction.DOWN
    if shape.breaks is not None and side is not shape.breaks:
        return None
    beyond = rows[(above if side is Direction.UP else below) & (rows >= shape.known)]
    return (shape, int(beyond[0]), side) if beyond.size else None


def _is_over(  # noqa: PLR0913 - bars and their rows
    pattern: Pattern, high: Floats, low: Floats, close: Floats, *, since: int, row: int
) -> bool:
    """Has it come true or failed by the bar that confirms it? Then it is no news, and would count in the record."""
    rows = slice(since, row + 1)
    if pattern.direction is Direction.UP:
        return bool((high[rows] >= pattern.target).any() or (close[rows] < pattern.invalidation).any())
    return bool((low[rows] <= pattern.target).any() or (close[rows] > pattern.invalidation).any())


def _pattern(  # noqa: PLR0913 - what it is made of
    shape: Shape, row: int, side: Direction, bars: pl.DataFrame, *, symbol: str, interval: Interval
) -> Pattern:
    up = side is Direction.UP
    behind = [shape.sign * t.price for t in shape.turns if (t.is_high == (shape.sign > 0.0)) is not up][-1:]
    if up:
        edge, guard = shape.upper(row), min([shape.lower(row), *behind])
    else:
        edge, guard = shape.lower(row), max([shape.upper(row), *behind])
    target = edge + (shape.reach_frac if up else -shape.reach_frac)
    direction = side if shape.sign > 0 else (Direction.DOWN if side is Direction.UP else Direction.UP)
    opened = bars["opened_at"]
    points = tuple((opened[turn.row], turn.price) for turn in shape.turns)
    return Pattern(
        id=pattern_id(symbol, interval, shape.kind, direction, [at for at, _ in points]),
        kind=shape.kind, direction=direction, points=points,
        quality=min(1.0, max(0.0, shape.quality)), confirmed_at=bars["closed_at"][row],
        breakout=shape.sign * edge, target=shape.sign * target, invalidation=shape.sign * guard,
    )  # fmt: skip


def pattern_id(symbol: str, interval: Interval, kind: str, direction: Direction, times: Iterable[datetime]) -> str:
    """Name a pattern by what never changes about it."""
    text = "|".join((symbol, interval.value, kind, direction.value, *(at.isoformat() for at in times)))
    return sha256(text.encode()).hexdigest()[:16]
