"""The equity curve and what it says, kept up to date by reading only what was added since the last look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import sqrt
from statistics import fmean, stdev

from evil2root.domain.book.portfolio import EquityPoint
from evil2root.engine.reads import Reads

POINTS_MAX = 100_000
"""Enough for every bar of a long history; more than that is thinned by the reads."""
SHARPE_DAYS_MIN = 60
DAYS_A_YEAR = 252
Z_95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharpe:
    """Of daily returns, a year's worth, without a risk-free rate; with the half width of its 95% interval."""

    value: float
    half_width: float
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFacts:
    """What the whole curve says."""

    first_at: datetime
    last: EquityPoint
    drawdown_max: float
    """Deepest fall from a peak so far, in [0, 1]."""
    days: int
    sharpe: Sharpe | None
    """None while there are fewer than `SHARPE_DAYS_MIN` daily returns, or while nothing moved."""


class Curve:
    """All points seen so far; one a process, shared by its pages."""

    def __init__(self) -> None:
        self._first: datetime | None = None
        self._last: EquityPoint | None = None
        self._deepest = 0.0
        self._by_day: dict[str, Decimal] = {}

    async def facts(self, reads: Reads) -> CurveFacts | None:
        """Read what is new and say what the curve shows; none before the first point."""
        since = self._last.at if self._last is not None else None
        points = await reads.equity(since=since, points_max=POINTS_MAX)
        if since is not None and (not points or points[0].at != since):
            # The account began anew: what was known is about another one.
            self.__init__()  # type: ignore[misc]
            points = await reads.equity(since=None, points_max=POINTS_MAX)
        self._add(points)
        if self._first is None or self._last is None:
            return None
        values = list(self._by_day.values())
        return CurveFacts(
            first_at=self._first, last=self._last, drawdown_max=self._deepest, days=len(values),
            sharpe=sharpe(values),
        )  # fmt: skip

    def _add(self, points: Sequence[EquityPoint]) -> None:
        for point in points:
            self._first = self._first or point.at
            self._last = point
            self._deepest = max(self._deepest, point.drawdown_frac)
            self._by_day[point.at.date().isoformat()] = point.equity


def sharpe(equity_by_day: Sequence[Decimal]) -> Sharpe | None:
    """Mean over deviation of daily returns, times the root of 252.

    Interval: the asymptotic standard error for independent returns, sqrt((1 + S^2 / 2) / n) with S a day's ratio.
    Source: A. W. Lo, The Statistics of Sharpe Ratios, Financial Analysts Journal 58 (2002).
    """
    pairs = zip(equity_by_day, equity_by_day[1:], strict=False)
    returns = [float(b / a - 1) for a, b in pairs if a > 0]
    if len(returns) < SHARPE_DAYS_MIN:
        return None
    spread = stdev(returns)
    if spread == 0:
        return None
    a_day = fmean(returns) / spread
    error = sqrt((1 + a_day**2 / 2) / len(returns))
    year = sqrt(DAYS_A_YEAR)
    return Sharpe(value=a_day * year, half_width=Z_95 * error * year, days=len(returns))
