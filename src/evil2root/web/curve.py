"""The equity curve and what it says, kept up to date by reading only what was added since the last look."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.numerics.curves import Z95, measure_curve
from evil2root.engine.reads import Reads

POINTS_MAX = 20_000
"""The same as the API's: eighty years of days, or two weeks of minutes."""
SHARPE_DAYS_MIN = 60
"""Fewer days of a curve are too few to show a ratio on the first page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharpe:
    """A year's worth, without a risk-free rate, with the half width of its 95% interval."""

    value: float
    half_width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFacts:
    """What the whole curve says."""

    first_at: datetime
    last: EquityPoint
    drawdown_max: float
    """Deepest fall from a peak so far, in [0, 1]."""
    days: int
    sharpe: Sharpe | None
    """None while there are fewer than `SHARPE_DAYS_MIN` days, or while nothing moved."""


class Curve:
    """All points seen so far; one a process, shared by its pages."""

    def __init__(self) -> None:
        self._points: list[EquityPoint] = []
        self._facts: CurveFacts | None = None
        self._turn = asyncio.Lock()

    async def facts(self, reads: Reads) -> CurveFacts | None:
        """Read what is new and say what the curve shows; none before the first point."""
        async with self._turn:
            last = self._points[-1] if self._points else None
            fresh = await reads.equity(since=None if last is None else last.at, points_max=POINTS_MAX)
            if last is not None and (not fresh or fresh[0] != last):
                # The account began anew: what was known is about another one.
                self._points, self._facts, last = [], None, None
                fresh = await reads.equity(since=None, points_max=POINTS_MAX)
            added = fresh if last is None else fresh[1:]
            if added:
                self._points += added
                self._facts = await asyncio.to_thread(facts_of, self._points)
            return self._facts


def facts_of(points: Sequence[EquityPoint]) -> CurveFacts:
    """Measure a curve of at least one point by the same functions as the API."""
    figures = measure_curve([p.at for p in points], [float(p.equity) for p in points])
    days = len({p.at.date() for p in points})
    sharpe = None
    if figures.sharpe is not None and figures.sharpe_error is not None and days >= SHARPE_DAYS_MIN:
        sharpe = Sharpe(value=figures.sharpe, half_width=Z95 * figures.sharpe_error)
    return CurveFacts(
        first_at=points[0].at, last=points[-1], drawdown_max=figures.max_drawdown_frac or 0.0, days=days,
        sharpe=sharpe,
    )  # fmt: skip
