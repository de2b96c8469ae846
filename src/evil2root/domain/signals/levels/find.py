"""The levels of a series as of its newest bar."""

from collections.abc import Iterator
from math import isfinite

import numpy as np
import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.market.indicators import Floats
from evil2root.domain.market.lean_talib import talib
from evil2root.domain.signals.levels.level import Level, Origin, Role, strength_of
from evil2root.domain.signals.levels.named import Named, much_traded, periods, round_numbers
from evil2root.domain.signals.patterns.pivots import Pivot, pivots

HISTORY_MAX = 1_200
"""Bars looked at: what lies further back is forgotten, and the cost has an end. Fifty days of a currency's hours: the
whole of the month before is always among them."""
REACH = 5
"""Bars on either side of a turning point."""
RANGE_BARS = 14
TOLERANCE_RANGES = 0.5
"""Turns within this many average ranges of their mean are one level; a close further away is beyond it."""
SAME_RANGES = 0.25
"""Of levels that lie nearer together than this many average ranges, by whatever origin, the strongest is told."""
LEVELS_MAX = 24
"""Strongest levels of turning points kept. Those by name (at most 15) are told beside them however weak: that nobody
has turned at yesterday's high yet does not make it unimportant."""


def levels(bars: pl.DataFrame, *, session: Session) -> tuple[Level, ...]:
    """Support and resistance, strongest first; empty before the average range has a value (14 bars).

    Parameters
    ----------
    bars
        Bars that passed `check_bars`, oldest first, up to now.
    session
        The hours of the symbol, see `session_of`: they say where its days, weeks and months begin.

    Notes
    -----
    Causal by construction: the table ends now, and a pivot counts only once `REACH` later bars have confirmed it.
    Cost: one pass over at most 1,200 bars, 6 to 8 ms of one core.
    """
    recent = bars.tail(HISTORY_MAX)
    if recent.height <= RANGE_BARS:
        return ()
    high, low, close, volume = (recent[name].to_numpy() for name in ("high", "low", "close", "volume"))
    span = float(talib.ATR(high, low, close, RANGE_BARS)[-1])
    if not isfinite(span) or span <= 0.0:
        return ()
    turns = pivots(high, low, reach=REACH)
    named = (
        *much_traded(high, low, volume),
        *(Named(price=price, origin=Origin.ROUND) for price in round_numbers(float(close[-1]), span=span)),
        *periods(recent, session=session),
    )
    found = [*_clusters(recent, turns, span=span), *(_named(recent, one, turns, span=span) for one in named)]
    kept: list[Level] = []
    room = LEVELS_MAX
    for level in sorted(found, key=lambda level: (-level.strength, level.price, level.origin)):
        is_turned_at = level.origin is Origin.PIVOTS
        if (room or not is_turned_at) and all(abs(level.price - one.price) > SAME_RANGES * span for one in kept):
            kept.append(level)
            room -= is_turned_at
    return tuple(kept)


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


def _named(bars: pl.DataFrame, one: Named, turns: tuple[Pivot, ...], *, span: float) -> Level:
    """A level by name: its touches where it has some, else a small strength that says nobody has tested it."""
    price, since = one.price, one.since
    near = (turn.known for turn in turns if abs(turn.price - price) <= TOLERANCE_RANGES * span)
    known = sorted(row for row in near if row >= since)
    if known:
        return _level(bars, price, one.origin, known, span=span)
    close, closed = bars["close"].to_numpy(), bars["closed_at"]
    return Level(
        price=price, role=_role(close, price), origin=one.origin, strength=0.1, touches=0,
        flips=_flips(close[since:], price, tolerance=TOLERANCE_RANGES * span),
        first_at=closed[since], last_at=closed[-1],
    )  # fmt: skip
