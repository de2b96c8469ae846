"""Adjusting factors held against those stored, the present, and themselves: they scale every price that is decided on.

A factor is relative to the newest bar there is, whoever tells it. So the newest one is about 1 in an answer that reaches
the present, and those of bars told again change by splits and dividends since, never otherwise.
"""

from datetime import datetime, timedelta
from math import exp, log

import numpy as np
import numpy.typing as npt

from evil2root.domain.market.cleaning.shapes import DIVIDENDS, YEAR, named_ratio
from evil2root.domain.market.cleaning.table import Flags, Floats, Table
from evil2root.domain.market.cleaning.values import Known
from evil2root.domain.market.sessions import EPOCH, MICROSECOND, Micros
from evil2root.domain.market.sources import Fetched

PRESENT = timedelta(days=10)
"""An answer whose newest bar is not older reaches the present: no market is shut for longer."""
OTHER_FRAC = 0.5
"""Share of bars told again that may have factors nothing explains; with more the answer as a whole is wrong."""
DRIFT_BARS, DRIFT_FRAC, DRIFT_LEAST = 20, 0.75, 1e-4
"""So many steps from bar to bar, of which so many go one way by more than rounding: dividends come now and then."""

Places = npt.NDArray[np.intp]
Events = tuple[Micros, Floats]


def levels(table: Table, fetched: Fetched, known: Known) -> float:
    """Set aside what tells factors that no split or dividend explains; all of it where most of it does.

    Returns what the factors of stored bars before an answer that repeats none of them are to be multiplied by.
    """
    rows = np.flatnonzero(np.isfinite(table.values["factor"]))
    if not len(rows):
        return 1.0
    factor = np.log(table.values["factor"][rows])
    if _drifts(factor):
        _all_aside(table, "bad_value", "an adjusting factor that changes with every bar")
        return 1.0
    events = events_of(table, rows, fetched)
    at, stored = known.stored["opened_at"].to_physical().to_numpy(), np.log(known.stored["factor"].to_numpy())
    _, mine, theirs = np.intersect1d(table.at[rows], at, assume_unique=True, return_indices=True)
    if len(mine):
        shift = factor[mine] - stored[theirs]
        explained = explained_by(shift, table.at[rows[mine]], events, _allowed(fetched, known))
        covers = bool(at[0] >= table.at[0]) and _reaches_now(int(table.at[-1]), fetched)
        renewed = covers and _is_one(table, rows, events)
        _again(table, rows[mine], shift, explained, renewed=renewed)
        return 1.0
    return _beside(table, rows, fetched, known, events)


def newest(table: Table, fetched: Fetched, *, until: int) -> None:
    """Set everything aside when an answer reaches the present and its newest factor is not about 1.

    Comes last: a newest bar that was wrong by itself is gone then. `until`: the newest bar before any was set aside for
    its price. A split no later than that should show in the newest factor, and excuses nothing.
    """
    rows = np.flatnonzero(np.isfinite(table.values["factor"]))
    if not len(rows) or not _reaches_now(until, fetched):
        return
    when, size = events_of(table, rows, fetched)
    if not _is_one(table, rows, (when[when > until], size[when > until])):
        factor = float(table.values["factor"][rows[-1]])
        kind = "unit" if named_ratio(log(factor))[0] == "unit" else "split"
        _all_aside(table, kind, f"the newest bar's adjusting factor is {factor:.4g}: it should be about 1")


def _again(table: Table, rows: Places, shift: Floats, explained: Flags, *, renewed: bool) -> None:
    """Judge an answer by the bars it tells again: how far their factors lie off those stored, in logarithms.

    `renewed`: it reaches from the first stored bar until now, where it is right. Then the stored ones were wrong.
    """
    if explained.all():
        return
    kind, says = _named(float(np.median(shift[~explained])))
    words = f"adjusting factors are {says} of those stored, and no split says so"
    if (~explained).mean() <= OTHER_FRAC:
        wrong = np.zeros(len(table), dtype=np.bool_)
        wrong[rows[~explained]] = True
        table.set_aside(kind, wrong, reason="factor", detail=words)
    elif not renewed:
        _all_aside(table, kind, f"{words}; only an answer from the first stored bar until now would replace them")


def _beside(table: Table, rows: Places, fetched: Fetched, known: Known, events: Events) -> float:
    """Judge an answer that repeats nothing by the stored bars next to it, and tell what those before it are to become."""
    at, allowed = known.stored["opened_at"].to_physical().to_numpy(), _allowed(fetched, known)
    place, rescale = int(np.searchsorted(at, table.at[0])), 1.0
    for row, beside in ((rows[0], place - 1), (rows[-1], place)):
        if not 0 <= beside < len(at):
            continue
        shift, move = (log(table.values[name][row] / known.stored[name][beside]) for name in ("factor", "close"))
        if abs(move + shift) < abs(shift) / 2:
            continue  # a split between the two, which price and factor show alike
        since = np.array([min(int(table.at[row]), int(at[beside]))])
        if not explained_by(np.array([shift]), since, events, allowed)[0]:
            kind, says = _named(shift)
            _all_aside(table, kind, f"adjusting factors are {says} of the nearest stored, and no split says so")
            return 1.0
        if beside < place and abs(shift) > allowed:
            rescale = exp(shift)
    return rescale


def _drifts(factor: Floats) -> bool:
    steps = np.diff(factor)
    if len(steps) < DRIFT_BARS:
        return False
    return bool(max((steps > DRIFT_LEAST).mean(), (steps < -DRIFT_LEAST).mean()) >= DRIFT_FRAC)


def events_of(table: Table, rows: Places, fetched: Fetched) -> Events:
    """Moments, oldest first, and log ratios of splits: confirmed ones, and those that price and factor show alike.

    A company that is spun off is a split to some sources, which tell nobody of it.
    """
    when, size = told_splits(fetched)
    told = list(zip(when.tolist(), size.tolist(), strict=True))
    at = table.at[rows]
    steps, moves = (np.diff(np.log(table.values[name][rows])) for name in ("factor", "close"))
    for row in np.flatnonzero((np.abs(steps) > DIVIDENDS) & (np.abs(moves + steps) < np.abs(steps) / 2)).tolist():
        if not any(at[row] < when <= at[row + 1] for when, _ in told):
            told.append((int(at[row + 1]), float(steps[row])))
    told.sort()
    return np.array([when for when, _ in told], np.int64), np.array([size for _, size in told], np.float64)


def told_splits(fetched: Fetched) -> Events:
    """Moments, oldest first, and log ratios of the splits a source confirms."""
    good = sorted((when, ratio) for when, ratio in fetched.splits if np.isfinite(ratio) and ratio > 0)
    moments = [(when - EPOCH) // MICROSECOND for when, _ in good]
    return np.array(moments, np.int64), np.log(np.array([ratio for _, ratio in good], np.float64))


def explained_by(shift: Floats, since: Micros, events: Events, allowed: float | Floats) -> Flags:
    """Do dividends, or the newest one or more of the splits after these moments, make these shifts of factors?"""
    found = np.abs(shift) <= allowed
    together = 0.0
    for when, size in zip(events[0][::-1], events[1][::-1], strict=True):
        together += size
        found |= (np.abs(shift + together) <= allowed) & (when > since)
    return np.asarray(found, dtype=np.bool_)


def _reaches_now(newest_at: int, fetched: Fetched) -> bool:
    return newest_at >= (fetched.fetched_at - PRESENT - EPOCH) // MICROSECOND


def _is_one(table: Table, rows: Places, events: Events) -> bool:
    """Is the newest factor about 1, but for splits since?"""
    last = rows[-1:]
    return bool(explained_by(np.log(table.values["factor"][last]), table.at[last], events, DIVIDENDS)[0])


def _allowed(fetched: Fetched, known: Known) -> float:
    """What dividends since the newest stored bar may have changed."""
    if not known.stored.height:
        return DIVIDENDS
    newest: datetime = known.stored["closed_at"][-1]
    return DIVIDENDS * (1.0 + max((fetched.fetched_at - newest) / MICROSECOND / YEAR, 0.0))


def _named(shift: float) -> tuple[str, str]:
    kind, says = named_ratio(shift)
    return kind or "split", says or f"{exp(shift):.3g} times"


def _all_aside(table: Table, kind: str, words: str) -> None:
    table.set_aside(kind, np.ones(len(table), dtype=np.bool_), reason="factor", detail=words)
