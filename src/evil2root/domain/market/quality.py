"""What is odd about a stored series. Nothing is changed here: each oddity is named, with what was done about it.

What can't be true (a high below a low, a price of zero, two bars of one time) never gets into the store.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from evil2root.domain.core.instrument import FX_WEEK, instrument_for
from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import History
from evil2root.domain.market.sessions import EPOCH, Sessions, micros, moment

GAP_DAILY = timedelta(days=5)
"""Between two bars of a market that closes: a weekend and two holidays take less."""
GAP_BARS = 3
"""Bars missing in a row, while the market was open, that make a gap."""
FX_WEEKEND = timedelta(hours=49)
"""Friday's close to Sunday's opening, with the hour of a weekend on which the clocks change."""
STALE_BARS = 5
"""Bars in a row with the same close and the same volume."""
SPIKE_DEVIATIONS = 12.0
"""Size of a one-bar log return against its median, in robust standard deviations (1.4826 x median deviation)."""
SPLIT_FRAC = 0.2
"""Change of the adjusting factor from one bar to the next that is a split, not a dividend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One oddity."""

    kind: str
    """`gap`, `duplicate`, `out_of_order`, `split`, `spike`, `stale`, `unit`, `bad_value` or `outside_session`.

    Of answers without bars: `silent` (no answer), `unreadable` and `empty`, though the calendar has bars.
    """
    start: datetime
    """Opening of the first bar it concerns."""
    end: datetime
    """Opening of the last."""
    rows: int
    action: str
    """`none`: served as it is. `adjusted`: served times the factor. `passed_over`: nothing was there to be kept. What
    cleaning did is said in `Cleaned.issues`."""
    detail: str


def issues(history: History, *, sessions: Sessions | None = None) -> list[Issue]:
    """Name everything odd about a series, oldest first. Without sessions, gaps are told by their length alone."""
    gaps = _gaps(history) if sessions is None else [*_missing(history, sessions), *_outside(history, sessions)]
    found = [*gaps, *_stale(history), *_spikes(history), *_splits(history)]
    return sorted(found, key=lambda issue: (issue.start, issue.kind))


def _missing(history: History, sessions: Sessions) -> list[Issue]:
    """Each run of bars the calendar expects between the first and the last and that are not there."""
    opened = history.stored["opened_at"].to_physical().to_numpy()
    absent = sessions.missing(opened, history.interval)
    if not len(absent):
        return []
    expected, _ = sessions.grid(history.interval, start=int(opened[0]), end=int(opened[-1]) + 1)
    breaks = np.flatnonzero(np.diff(np.searchsorted(expected, absent)) != 1) + 1
    return [
        Issue(kind="gap", start=moment(int(run[0])), end=moment(int(run[-1])), rows=len(run), action="none",
              detail=f"{len(run)} bars missing while the market was open")
        for run in np.split(absent, breaks)
    ]  # fmt: skip


def _outside(history: History, sessions: Sessions) -> list[Issue]:
    """Bars the calendar does not know: stored by an import, which takes a file at its word."""
    opened = history.stored["opened_at"].to_physical().to_numpy()
    unknown = sessions.closes_of(opened, history.interval) < 0
    begins, ends = sessions.covers
    before, after = (unknown & beyond for beyond in (opened < micros(begins - EPOCH), opened >= micros(ends - EPOCH)))
    calendar, untold = f"the calendar of {sessions.name}", "nothing is known of them"
    said = [
        (before, f"times before {begins.date()}, where {calendar} begins: {untold}"),
        (unknown & ~before & ~after, f"times at which no {history.interval} bar of {sessions.name} opens"),
        (after, f"times after {ends.date()}, where {calendar} ends: {untold}"),
    ]
    if not sessions.is_known:
        said = [(unknown, f"nobody knows when {sessions.name} is open")]
    return [
        Issue(kind="outside_session", start=moment(int(opened[them][0])), end=moment(int(opened[them][-1])),
              rows=int(them.sum()), action="none", detail=detail)
        for them, detail in said if them.any()
    ]  # fmt: skip


def _gaps(history: History) -> list[Issue]:
    opened = history.stored["opened_at"].to_list()
    session = instrument_for(history.symbol).session
    daily, few = history.interval is Interval.D1, GAP_BARS * history.interval.length
    found = []
    for before, after in pairwise(opened):
        apart = after - before
        if session is NEW_YORK or (session is FX_WEEK and daily):
            # Which single days were holidays, and which ended early, is not known here.
            is_gap = apart > GAP_DAILY or (not daily and apart > few and before.date() == after.date())
        else:
            shut = FX_WEEKEND if session is FX_WEEK and _week(before) != _week(after) else timedelta(0)
            is_gap = apart - shut > few
        if is_gap:
            says = f"{apart} between two bars"
            found.append(Issue(kind="gap", start=before, end=after, rows=0, action="none", detail=says))
    return found


def _week(opened: datetime) -> tuple[int, int]:
    """Year and number of the week, which for currencies opens on Sunday."""
    return (opened + timedelta(days=1)).isocalendar()[:2]


def _stale(history: History) -> list[Issue]:
    close, volume = (history.stored[name].to_numpy() for name in ("close", "volume"))
    opened = history.stored["opened_at"].to_list()
    found, first = [], 0
    for row in range(1, len(close) + 1):
        if row < len(close) and close[row] == close[first] and volume[row] == volume[first]:
            continue
        if row - first >= STALE_BARS:
            says = f"{row - first} bars in a row close at {close[first]:g} on the same volume"
            found.append(
                Issue(
                    kind="stale", start=opened[first], end=opened[row - 1], rows=row - first, action="none", detail=says
                )
            )
        first = row
    return found


def _spikes(history: History) -> list[Issue]:
    close = history.adjusted["close"].to_numpy()
    opened = history.stored["opened_at"].to_list()
    if len(close) < 30:
        return []
    returns = np.diff(np.log(close))
    middle = float(np.median(returns))
    scale = 1.4826 * float(np.median(np.abs(returns - middle)))
    if scale == 0:
        return []
    rows = np.flatnonzero(np.abs(returns - middle) > SPIKE_DEVIATIONS * scale) + 1
    return [
        Issue(
            kind="spike", start=opened[row], end=opened[row], rows=1, action="none",
            detail=f"moved {np.expm1(returns[row - 1]):+.1%} in one bar, {abs(returns[row - 1] - middle) / scale:.0f} "
            "robust deviations",
        )
        for row in rows.tolist()
    ]  # fmt: skip


def _splits(history: History) -> list[Issue]:
    factor = history.stored["factor"].to_numpy()
    opened = history.stored["opened_at"].to_list()
    ratio = factor[1:] / factor[:-1]
    rows = np.flatnonzero(np.abs(np.log(ratio)) > np.log1p(SPLIT_FRAC)) + 1
    return [
        Issue(
            kind="split", start=opened[row], end=opened[row], rows=1, action="adjusted",
            detail=f"the adjusting factor changes by {ratio[row - 1]:.4g}",
        )
        for row in rows.tolist()
    ]  # fmt: skip
