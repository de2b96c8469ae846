"""The levels of a series as of its newest bar."""

from collections.abc import Iterator
from math import floor, isfinite, log10

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import Floats
from evil2root.domain.market.lean_talib import talib
from evil2root.domain.signals.levels.level import Level, Origin, Role, strength_of
from evil2root.domain.signals.patterns.pivots import Pivot, pivots

HISTORY_MAX = 1_000
"""Bars looked at: what lies further back is forgotten, and the cost has an end."""
REACH = 5
"""Bars on either side of a turning point."""
RANGE_BARS = 14
TOLERANCE_RANGES = 0.5
"""Turns within this many average ranges of their mean are one level; a close further away is beyond it."""
SAME_RANGES = 0.25
"""Of levels that lie nearer together than this many average ranges, by whatever origin, the strongest is told."""
LEVELS_MAX = 24
"""Strongest levels kept."""
VOLUME_BINS = 60
VOLUME_PEAKS = 3
NEAR_FRAC = 0.1
"""Round numbers further from the price than this share of it are not told."""


def levels(bars: pl.DataFrame) -> tuple[Level, ...]:
    """Support and resistance, strongest first; empty before the average range has a value (14 bars).

    Notes
    -----
    Causal by construction: the table ends now, and a pivot counts only once `REACH` later bars have confirmed it.
    Cost: one pass over at most 1,000 bars, 13 to 20 ms measured on a busy machine.
    """
    recent = bars.tail(HISTORY_MAX)
    if recent.height <= RANGE_BARS:
        return ()
    high, low, close, volume = (recent[name].to_numpy() for name in ("high", "low", "close", "volume"))
    span = float(talib.ATR(high, low, close, RANGE_BARS)[-1])
    if not isfinite(span) or span <= 0.0:
        return ()
    found = [
        *_clusters(recent, pivots(high, low, reach=REACH), span=span),
        *_traded(recent, high, low, volume, span=span),
        *_round_numbers(recent, span=span),
        *_periods(recent, span=span),
    ]
    kept: list[Level] = []
    for level in sorted(found, key=lambda level: (-level.strength, level.price, level.origin)):
        if all(abs(level.price - other.price) > SAME_RANGES * span for other in kept):
            kept.append(level)
    return tuple(kept[:LEVELS_MAX])


def _clusters(bars: pl.DataFrame, turns: tuple[Pivot, ...], *, span: float) -> Iterator[Level]:
    """Turns sorted by price, cut where the next is further than the tolerance from the mean so far."""
    group: list[Pivot] = []
    for turn in sorted(turns, key=lambda pivot: pivot.price):
        if group and turn.price - sum(one.price for one in group) / len(group) > TOLERANCE_RANGES * span:
            yield from _cluster(bars, group, span=span)
            group = []
        group.append(turn)
    if group:
        yield from _cluster(bars, group, span=span)


def _cluster(bars: pl.DataFrame, group: list[Pivot], *, span: float) -> Iterator[Level]:
    if len(group) < 2:
        return
    price = sum(turn.price for turn in group) / len(group)
    yield _level(bars, price, Origin.PIVOTS, sorted(turn.known for turn in group), span=span)


def _level(bars: pl.DataFrame, price: float, origin: Origin, known: list[int], *, span: float) -> Level:
    """A level with touches confirmed at the rows `known`."""
    close, volume = bars["close"].to_numpy(), bars["volume"].to_numpy()
    closed = bars["closed_at"]
    usual = float(volume.mean())
    reaction = float(np.abs(close[known] - price).mean()) / span
    traded = float(volume[[max(0, row - REACH) for row in known]].mean()) / usual if usual > 0.0 else 0.0
    flips = _flips(close, price, tolerance=TOLERANCE_RANGES * span)
    age = (bars.height - 1 - known[-1]) / bars.height
    strength = strength_of(
        touches=len(known), age_frac=age, reaction=reaction, volume_ratio=traded, flips=flips
    )  # fmt: skip
    return Level(
        price=price, role=_role(close, price), origin=origin, strength=strength, touches=len(known), flips=flips,
        first_at=closed[known[0]], last_at=closed[known[-1]],
    )  # fmt: skip


def _role(close: Floats, price: float) -> Role:
    return Role.SUPPORT if close[-1] >= price else Role.RESISTANCE


def _flips(close: Floats, price: float, *, tolerance: float) -> int:
    side = np.sign(close - price)[np.abs(close - price) > tolerance]
    return int((np.diff(side) != 0).sum())


def _touched(bars: pl.DataFrame, price: float, *, span: float) -> list[int]:
    """Rows that confirm a turn within the tolerance of a price, whoever named that price."""
    high, low = bars["high"].to_numpy(), bars["low"].to_numpy()
    turns = pivots(high, low, reach=REACH)
    return sorted(turn.known for turn in turns if abs(turn.price - price) <= TOLERANCE_RANGES * span)


def _untested(bars: pl.DataFrame, price: float, origin: Origin, *, since: int, span: float) -> Level:
    """A level by name: its touches where it has some, else a small strength that says nobody has tested it."""
    known = [row for row in _touched(bars, price, span=span) if row >= since]
    if known:
        return _level(bars, price, origin, known, span=span)
    close, closed = bars["close"].to_numpy(), bars["closed_at"]
    return Level(
        price=price, role=_role(close, price), origin=origin, strength=0.1, touches=0,
        flips=_flips(close[since:], price, tolerance=TOLERANCE_RANGES * span),
        first_at=closed[since], last_at=closed[-1],
    )  # fmt: skip


def _traded(bars: pl.DataFrame, high: Floats, low: Floats, volume: Floats, *, span: float) -> Iterator[Level]:
    """Peaks of the volume by price, each bar's volume spread evenly over its range."""
    if not volume.sum() > 0.0:
        return
    edges = np.linspace(float(low.min()), float(high.max()), VOLUME_BINS + 1)
    if not edges[-1] > edges[0]:
        return
    inside = np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1])
    width = np.maximum(high - low, edges[1] - edges[0])
    profile = (np.maximum(inside, 0.0) / width[:, None] * volume[:, None]).sum(axis=0)
    peaks = np.flatnonzero((profile[1:-1] > profile[:-2]) & (profile[1:-1] >= profile[2:])) + 1
    peaks = peaks[profile[peaks] > 1.25 * profile.mean()]
    for peak in peaks[np.argsort(-profile[peaks], kind="stable")][:VOLUME_PEAKS]:
        yield _untested(bars, float((edges[peak] + edges[peak + 1]) / 2.0), Origin.VOLUME, since=0, span=span)


def _round_numbers(bars: pl.DataFrame, *, span: float) -> Iterator[Level]:
    """Multiples of half a power of ten (50, 100, 150 for a price of 120) near the newest close."""
    close = float(bars["close"][-1])
    step = 0.5 * 10.0 ** floor(log10(close))
    for times in range(max(1, floor(close * (1.0 - NEAR_FRAC) / step)), floor(close * (1.0 + NEAR_FRAC) / step) + 1):
        price = times * step
        if abs(price - close) <= NEAR_FRAC * close:
            yield _untested(bars, price, Origin.ROUND, since=0, span=span)


def _periods(bars: pl.DataFrame, *, span: float) -> Iterator[Level]:
    """High and low of the session (when bars are shorter than a day), week and month before the newest bar's."""
    spans = {Origin.WEEK: "1w", Origin.MONTH: "1mo"}
    if bars["opened_at"].dt.date().n_unique() < bars.height:
        spans = {Origin.SESSION: "1d", **spans}
    else:
        for name in ("high", "low"):
            price = float(bars[name][-2])
            yield _untested(bars, price, Origin.SESSION, since=bars.height - 2, span=span)
    for origin, every in spans.items():
        period = bars["opened_at"].dt.truncate(every)
        earlier = period.filter(period < period[-1])
        if earlier.is_empty():
            continue
        rows = (period == earlier[-1]).arg_true()
        for price in (float(bars["high"].gather(rows).max()), float(bars["low"].gather(rows).min())):  # type: ignore[arg-type]
            yield _untested(bars, price, origin, since=int(rows[-1]), span=span)
