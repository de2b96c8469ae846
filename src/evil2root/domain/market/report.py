"""The quality report of a stored series: what is odd about it, and the passport of its last bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import History
from evil2root.domain.market.passport import Passport, passport_at
from evil2root.domain.market.quality import Issue, issues
from evil2root.domain.market.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesQuality:
    """What can be said of a series."""

    symbol: str
    interval: Interval
    bars: int
    first: datetime | None
    """Opening of the first bar looked at; none where nothing is stored."""
    last: datetime | None
    source: str
    issues: tuple[Issue, ...]
    """Oldest first; what cleaning found as answers came, and what is odd about the bars that are stored."""
    passport: Passport | None
    """Of the last bar; none without bars or calendar."""


def series_quality(
    history: History, *, sessions: Sessions | None, found: Sequence[Issue], marks: pl.DataFrame | None = None
) -> SeriesQuality:
    """Put the report together.

    Parameters
    ----------
    found
        What cleaning named when the answers came. It knew more, so what it named is not named again from the bars.
    """
    stored = history.stored
    passport = None
    if sessions is not None and stored.height:
        passport = passport_at(history.adjusted, sessions, history.interval, marks=marks)
    by_cleaning = {(one.kind, one.start) for one in found}
    seen = [one for one in issues(history, sessions=sessions) if (one.kind, one.start) not in by_cleaning]
    named = sorted([*seen, *found], key=lambda one: (one.start, one.kind))
    return SeriesQuality(
        symbol=history.symbol, interval=history.interval, bars=stored.height,
        first=stored["opened_at"][0] if stored.height else None,
        last=stored["opened_at"][-1] if stored.height else None,
        source=history.origin, issues=tuple(named), passport=passport,
    )  # fmt: skip
