"""Prices that jump: spikes, units, splits nobody confirmed. A jump is believed when something confirms it.

Closes are held against those stored before and among themselves. Where returns jump, the series falls into
stretches; from one that is believed (the stored one, else the longest) each next one is judged by the move to it.
"""

from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from evil2root.domain.market.cleaning.shapes import named_ratio
from evil2root.domain.market.cleaning.table import Flags, Floats, Table
from evil2root.domain.market.cleaning.values import CONTEXT_BARS, Known
from evil2root.domain.market.cleaning.volumes import VOLUME_ABSURD, times_after, times_usual
from evil2root.domain.market.sessions import EPOCH, MICROSECOND, Micros
from evil2root.domain.market.sources import Fetched

DEVIATIONS = 12.0
"""Robust standard deviations (1.4826 x median deviation) of log returns that make a jump."""
LEAST = 0.02
"""No smaller move is one, however calm the market was."""
FEW, FEW_MOVE = 20, 0.25
"""With fewer returns than this, so large a move is a jump."""
STAYS_BARS, STAYS_MOST = 4, log(2.0)
"""So many bars at the new level confirm a move of less than half or double."""
VOLUME_TIMES, VOLUME_MOST = 3.0, log(4.0)
"""Volume over the median of the bars before that confirms a move of less than a quarter or four times."""
SPLIT_VOLUME_TIMES = 5.0
"""The same where the move looks like a split, after the number of shares a split alone would have made is taken out."""
FALL_VOLUME_TIMES = 2.5
"""The same of a fall that stays, once volume is usual again: after a split there are more shares to trade for good."""

Places = npt.NDArray[np.intp]


@dataclass(slots=True)
class _Series:
    """Stored bars before the answer, and the answer."""

    close: Floats
    """Logarithms, with confirmed splits taken out."""
    volume: Floats
    before: int
    """How many of the bars are stored ones."""
    overlaps: bool
    """Does the answer repeat stored bars?"""
    confirmed: Flags
    """Bars another source tells as well."""
    limit: float
    """The least log move that is a jump."""


def jumps(table: Table, fetched: Fetched, known: Known, confirmed: Flags, *, rescale: float) -> None:
    """Set aside stretches whose level nothing confirms.

    `rescale`: what factors stored before an answer that repeats none of them are multiplied by.
    """
    if not len(table):
        return
    series = _series(table, fetched, known, confirmed, rescale=rescale)
    moves = np.diff(series.close)
    starts = np.concatenate(([0], np.flatnonzero(np.abs(moves) > series.limit) + 1))
    if len(starts) == 1:
        return
    ends = np.append(starts[1:], len(series.close))
    found: dict[_Verdict, Flags] = {}
    for place, (verdict, at) in _judge(series, starts, ends).items():
        flags = found.setdefault(verdict, np.zeros(len(series.close), dtype=np.bool_))
        if verdict.reason:
            flags[starts[place] : ends[place]] = True
        else:
            flags[at] = True  # what is believed is named once, by the bar that moved
    left = np.ones(len(table), dtype=np.bool_)
    for verdict, flags in found.items():
        now = flags[series.before :]
        if verdict.reason:
            table.set_aside(verdict.kind, now[left], reason=verdict.reason, detail=verdict.detail)
            left &= ~now
        else:
            table.note(verdict.kind, now[left], action="none", detail=verdict.detail)


@dataclass(frozen=True, slots=True)
class _Verdict:
    kind: str
    reason: str
    """Why it is not believed; empty when it is."""
    detail: str


def _judge(series: _Series, starts: Places, ends: Places) -> dict[int, tuple[_Verdict, int]]:
    """A verdict for each stretch that is worth a word, and the bar in which the move happened."""
    anchor = int(np.argmax(ends - starts))
    if series.before:
        anchor = int(np.searchsorted(starts, series.before - 1, side="right")) - 1
    verdicts = {}
    last = series.close[ends[anchor] - 1]
    for place in range(anchor + 1, len(starts)):
        start, end = int(starts[place]), int(ends[place])
        verdict = _believed(series, float(series.close[start] - last), start, end, moved=(start, end))
        if verdict is not None:
            verdicts[place] = verdict, start
        if verdict is None or not verdict.reason:
            last = series.close[end - 1]
    first, moved = series.close[starts[anchor]], (int(starts[anchor]), int(ends[anchor]))
    for place in range(anchor - 1, -1, -1):
        start, end = int(starts[place]), int(ends[place])
        verdict = _believed(series, float(first - series.close[end - 1]), start, end, moved=moved)
        if verdict is not None:
            verdicts[place] = verdict, moved[0]
        if verdict is None or not verdict.reason:
            first, moved = series.close[start], (start, end)
    return verdicts


def _believed(series: _Series, move: float, start: int, end: int, *, moved: tuple[int, int]) -> _Verdict | None:
    """Judge the stretch `[start, end)` whose level lies `move` off what is believed.

    `moved`: the stretch that begins with the bar of the move. None: it is no jump from there.
    """
    if abs(move) <= series.limit:
        return None
    if end <= series.before:
        return None  # stored already
    said = f"moved {np.expm1(min(move, 700.0)):+.1%} in one bar"
    if series.confirmed[start]:
        return _Verdict("spike", "", f"{said}; another source tells the same")
    kind, ratio = named_ratio(move)
    if kind == "unit":
        return _Verdict("unit", "unit", f"prices are {ratio} of the ones before: a slip of the unit")
    joined = not series.before or series.overlaps or start != series.before
    stays = joined and end - start >= STAYS_BARS
    after = times_after(series.volume, *moved) if stays and moved[1] - moved[0] >= STAYS_BARS else np.inf
    times = times_usual(series.volume, moved[0], is_backed=after <= VOLUME_ABSURD)
    if kind == "split" and not _is_no_split(move, times, after):
        return _Verdict(
            "split", "unconfirmed split", f"prices are {ratio} of the ones before, and no split is confirmed"
        )
    if abs(move) < VOLUME_MOST and times >= VOLUME_TIMES:
        return _Verdict("spike", "", f"{said} on {times:.0f} times the usual volume")
    if abs(move) < STAYS_MOST and stays and kind is None:
        return _Verdict("spike", "", f"{said}, and stayed")
    return _Verdict(
        "spike", "unconfirmed jump", f"{said}; neither volume, nor another source, nor the bars after it confirm that"
    )


def _is_no_split(move: float, times: float, after: float) -> bool:
    """Does volume say so, of the bar that moved and of those `after` it, over the usual one?"""
    shares = np.exp(min(move, 0.0))
    is_usual_again = move < 0 and after <= np.sqrt(1 / shares)
    return bool(times * shares >= (FALL_VOLUME_TIMES if is_usual_again else SPLIT_VOLUME_TIMES))


def _series(table: Table, fetched: Fetched, known: Known, confirmed: Flags, *, rescale: float) -> _Series:
    at = known.stored["opened_at"].to_physical()
    earlier = known.stored.filter(at < int(table.at[0])).tail(CONTEXT_BARS)
    times = np.concatenate((earlier["opened_at"].to_physical().to_numpy(), table.at))
    close = np.log(np.concatenate((earlier["close"].to_numpy(), table.values["close"])))
    factor = table.values["factor"]
    own = np.log(np.where(np.isnan(factor), 1.0, factor))
    own_moves = np.diff(own, prepend=own[:1])
    if earlier.height and np.isfinite(factor[0]):
        own_moves[0] = own[0] - log(earlier["factor"][-1]) - _shift(table, known, rescale)
    moves = np.concatenate((np.zeros(earlier.height), own_moves))
    moves += _unadjusted_splits(times, fetched, moves)
    close = close + np.cumsum(moves)
    returns = np.diff(close)
    limit = _limit(returns)
    return _Series(
        close=close, volume=np.concatenate((earlier["volume"].to_numpy(), table.values["volume"])),
        before=earlier.height, overlaps=bool(np.isin(table.at, at.to_numpy()).any()),
        confirmed=np.concatenate((np.zeros(earlier.height, dtype=np.bool_), confirmed)), limit=limit,
    )  # fmt: skip


def _shift(table: Table, known: Known, rescale: float) -> float:
    """Logarithm by which factors are others than stored: by the oldest bar told again, else as `levels` says."""
    at = known.stored["opened_at"].to_physical().to_numpy()
    _, mine, theirs = np.intersect1d(table.at, at, assume_unique=True, return_indices=True)
    ratio = table.values["factor"][mine] / known.stored["factor"].to_numpy()[theirs]
    ratio = ratio[np.isfinite(ratio)]
    return log(ratio[0]) if len(ratio) else log(rescale)


def _unadjusted_splits(times: Micros, fetched: Fetched, moves: Floats) -> Floats:
    """Log ratio to add at the first bar at or after each confirmed split that no factor explains yet."""
    added = np.zeros(len(times))
    for when, ratio in fetched.splits:
        if ratio > 0 and np.isfinite(ratio) and ratio != 1:
            row = int(np.searchsorted(times, (when - EPOCH) // MICROSECOND))
            if 0 < row < len(times) and abs(moves[row]) < abs(log(ratio)) / 2:
                added[row] += log(ratio)
    return added


def _limit(returns: Floats) -> float:
    if len(returns) < FEW:
        return FEW_MOVE
    scale = 1.4826 * float(np.median(np.abs(returns - np.median(returns))))
    return max(DEVIATIONS * scale, LEAST)
