"""How far it is to the next announced event, and from the last one: only what was known when the bar closed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf

import numpy as np
import polars as pl

from evil2root.domain.market.around.family import Around, Family
from evil2root.domain.market.fundamentals import CompanyEvent, EventKind
from evil2root.domain.market.indicators import Column, Floats, Unit
from evil2root.domain.market.sessions import DAY, EPOCH, MICROSECOND, Micros

NEVER = np.iinfo(np.int64).max
KINDS = (EventKind.EARNINGS, EventKind.EX_DIVIDEND)
FAR_DAYS = 400.0
"""Further away than this is nothing announced, or nothing that matters any more."""


def event_distances(bars: pl.DataFrame, around: Around) -> Mapping[str, Floats]:
    """Days to the next event and days and bars since the last one, for earnings and dividends.

    Notes
    -----
    At a bar's close an event counts if it was known then (`known_from <= closed_at < known_until`); the next one lies
    after the close, the last one at or before it. `..._in_days` is in days of 24 h, not in bars: how many bars will
    come nobody knows. `..._since_bars` counts the bars that closed after the event, 0 for the one it fell into.
    Null without such an event within `FAR_DAYS`.
    """
    closed = bars["closed_at"].to_physical().to_numpy()
    made: dict[str, Floats] = {}
    for kind in KINDS:
        at, known, until = _times([event for event in around.events if event.kind is kind])
        ahead, since = _nearest(closed, at, known, until)
        bar = np.where(np.isnan(since), np.nan, _bars_since(closed, since))
        made[f"{kind}_in_days"], made[f"{kind}_since_days"] = ahead, since
        made[f"{kind}_since_bars"] = np.where(
            bar < np.arange(closed.size), bar, np.nan
        )  # older than the series: unknown
    return made


def _times(events: Sequence[CompanyEvent]) -> tuple[Micros, Micros, Micros]:
    rows = [
        (_micros(e.at), _micros(e.known_from), NEVER if e.known_until is None else _micros(e.known_until))
        for e in events
    ]
    table = np.asarray(rows, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _nearest(closed: Micros, at: Micros, known: Micros, until: Micros) -> tuple[Floats, Floats]:
    """Days to the next and since the last known event of each close. Cost: closes x events."""
    ahead, since = np.full((2, closed.size), np.inf)
    for moment, first, last in zip(at, known, until, strict=True):
        days = (moment - closed) / DAY
        told = (first <= closed) & (closed < last)
        ahead = np.where(told & (days > 0.0) & (days < ahead), days, ahead)
        since = np.where(told & (days <= 0.0) & (-days < since), -days, since)
    return np.where(ahead > FAR_DAYS, np.nan, ahead), np.where(since > FAR_DAYS, np.nan, since)


def _bars_since(closed: Micros, since: Floats) -> Floats:
    """Bars from the first that closed at or after the event to each bar."""
    happened = closed - np.round(np.nan_to_num(since) * DAY).astype(np.int64)
    return (np.arange(closed.size) - np.searchsorted(closed, happened)).astype(np.float64)


def _micros(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


EVENTS = (
    Family(
        name="event_distances", version=1, compute=event_distances,
        columns=tuple(
            Column(name=f"{kind}_{what}", unit=Unit.RATIO, warm_up=0, low=0.0, high=inf if what == "since_bars" else FAR_DAYS)
            for kind in KINDS for what in ("in_days", "since_days", "since_bars")
        ),
    ),
)  # fmt: skip
