"""What the shape of a curve of money says: growth, swing, falls. Floats: nothing here becomes money again.

Years are real time, 365.25 days from the first to the last point. A yearly figure is scaled by the points there really
were in a year (`periods_a_year`), not by a convention such as 252. The risk-free rate is zero everywhere.
A figure that can't be had is None, never 0 and never infinite.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

YEAR = timedelta(days=365.25)
GROWTH_FROM = timedelta(days=30)
"""A shorter curve has no yearly growth: a week's luck to the power of 52 says nothing."""
RETURNS_MIN = 30
"""Fewer returns have no Sharpe ratio: its error formula holds for many of them only."""
Z95 = 1.959964
"""Half a 95 % interval, in standard errors of a normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """One fall from a peak, until the curve was back at it."""

    depth_frac: float
    """1 - trough / peak, in (0, 1]. 1 also when the trough lies below zero: all is lost and more is owed."""
    peak_at: datetime
    """The last point at the peak."""
    trough_at: datetime
    recovered_at: datetime | None
    """The first point at or above the peak again; none while still below."""
    length: timedelta
    """From the peak to the recovery, or to the last point while there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The figures of one curve; r are its n simple returns from point to point, q is `periods_a_year`.

    A curve that touches zero or less is ruined: no return exists after that, so every figure made from returns is None
    while the total return and the drawdowns still say what happened.
    """

    points: int
    start: datetime | None = None
    end: datetime | None = None
    years: float = 0.0
    periods_a_year: float | None = None
    """q = n / years: how many returns a year really had."""
    ruined_at: datetime | None = None
    """The first point at or below zero."""
    return_frac: float | None = None
    """last / first - 1; 0.1 is +10 %. Below -1 when more was lost than there was. None with fewer than two points."""
    cagr_frac: float | None = None
    """(last / first) ** (1 / years) - 1, from 30 days on."""
    volatility_frac: float | None = None
    """std(r, ddof=1) * sqrt(q), never negative; from 2 returns on."""
    sharpe: float | None = None
    """mean(r) / std(r, ddof=1) * sqrt(q), risk-free 0; from 30 returns on, none when they do not vary."""
    sharpe_error: float | None = None
    """Its standard error, sqrt((1 + s**2 / 2 - g3 * s + (g4 - 3) / 4 * s**2) / n) * sqrt(q) with s the Sharpe ratio
    of one period, g3 skewness and g4 kurtosis (3 for a normal) of r.

    Source: E. Mertens, Comments on variance of the IID estimator in Lo (2002), 2002. It takes returns as independent;
    returns that follow each other make the true error larger (A. W. Lo, The statistics of Sharpe ratios, 2002).
    """
    sortino: float | None = None
    """mean(r) / sqrt(mean(min(r, 0)**2)) * sqrt(q), target 0; from 30 returns on, none without a losing one."""
    calmar: float | None = None
    """cagr_frac / max_drawdown_frac over the whole curve; none without a fall."""
    max_drawdown_frac: float | None = None
    """Deepest fall from a running peak, in [0, 1]; falls between two points are not seen."""
    max_drawdown: Drawdown | None = None
    """Where that was; none when the curve never fell."""
    underwater_longest: timedelta | None = None
    """Longest time from a peak until it was reached again, or until the last point."""
    best_frac: float | None = None
    """Largest return of one period."""
    worst_frac: float | None = None

    @property
    def sharpe_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the Sharpe ratio: 1.96 standard errors each way."""
        if self.sharpe is None or self.sharpe_error is None:
            return None
        return self.sharpe - Z95 * self.sharpe_error, self.sharpe + Z95 * self.sharpe_error


def measure_curve(times: Sequence[datetime], values: Sequence[float]) -> Curve:
    """Measure a curve of finite values at times that rise strictly; raises `ValueError` otherwise."""
    curve = _checked(times, values)
    if not times:
        return Curve(points=0)
    start, end, first, last = times[0], times[-1], float(curve[0]), float(curve[-1])
    if len(times) == 1 or first <= 0:
        ruined = start if first <= 0 else None
        return Curve(points=len(times), start=start, end=end, years=(end - start) / YEAR, ruined_at=ruined)
    years = (end - start) / YEAR
    q = (len(times) - 1) / years
    fallen = drawdowns(times, values)
    deepest = max(fallen, key=lambda fall: fall.depth_frac, default=None)
    depth = deepest.depth_frac if deepest else 0.0
    down = np.flatnonzero(curve <= 0)
    steady = not down.size
    r = returns(values) if steady else np.empty(0)
    cagr = _growth(last / first, years) if steady and end - start >= GROWTH_FROM else None
    sharpe, error = _sharpe(r, q)
    return Curve(
        points=len(times),
        start=start,
        end=end,
        years=years,
        periods_a_year=q,
        ruined_at=None if steady else times[int(down[0])],
        return_frac=last / first - 1,
        cagr_frac=cagr,
        volatility_frac=float(np.std(r, ddof=1)) * math.sqrt(q) if r.size > 1 else None,
        sharpe=sharpe,
        sharpe_error=error,
        sortino=_sortino(r, q),
        calmar=cagr / depth if cagr is not None and depth > 0 else None,
        max_drawdown_frac=depth,
        max_drawdown=deepest,
        underwater_longest=max((fall.length for fall in fallen), default=timedelta(0)),
        best_frac=float(r.max()) if r.size else None,
        worst_frac=float(r.min()) if r.size else None,
    )


def returns(values: Sequence[float]) -> Values:
    """Return v[i] / v[i - 1] - 1, one fewer than `values`, which are all above zero."""
    curve = np.asarray(values, dtype=np.float64)
    return curve[1:] / curve[:-1] - 1


def falls(values: Sequence[float]) -> Values:
    """Return how far each value lies below the highest so far, in [0, 1]; the first value is above zero."""
    curve = np.asarray(values, dtype=np.float64)
    return np.clip(1 - curve / np.maximum.accumulate(curve), 0.0, 1.0) if curve.size else curve


def drawdowns(times: Sequence[datetime], values: Sequence[float]) -> tuple[Drawdown, ...]:
    """Return every fall from a peak, oldest first; only the last may be without a recovery."""
    depth = falls(values)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], depth > 0, [0])))).tolist()
    found = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        trough = begin + int(depth[begin:end].argmax())
        recovered = times[end] if end < len(times) else None
        found.append(
            Drawdown(
                depth_frac=float(depth[trough]),
                peak_at=times[begin - 1],
                trough_at=times[trough],
                recovered_at=recovered,
                length=(recovered or times[-1]) - times[begin - 1],
            )
        )
    return tuple(found)


def monthly_returns(times: Sequence[datetime], values: Sequence[float]) -> dict[tuple[int, int], float]:
    """Return the return of each (year, month) in UTC, from the last point before the month to its last point.

    The first month counts from the first point, so it may be a part of one. A month that starts at or below zero is
    left out: it has no return.
    """
    months = [(moment.astimezone(UTC).year, moment.astimezone(UTC).month) for moment in times]
    found: dict[tuple[int, int], float] = {}
    base = values[0] if values else 0.0
    for n, month in enumerate(months):
        if n + 1 < len(months) and months[n + 1] == month:
            continue
        if base > 0:
            found[month] = values[n] / base - 1
        base = values[n]
    return found


def rolling_sharpe(values: Sequence[float], *, window: int, at: Sequence[int]) -> list[float | None]:
    """Return the Sharpe ratio of one period (not scaled to a year) of the `window` returns that end at each index `at`.

    None where there are fewer returns before it, where they do not vary, and for a window below 30.
    """
    r = returns(values)
    found: list[float | None] = []
    for index in at:
        part = r[max(index - window, 0) : index]
        sharpe, _ = _sharpe(part, 1.0) if part.size == window else (None, None)
        found.append(sharpe)
    return found


def beta_alpha(own: Values, market: Values, periods_a_year: float) -> tuple[float | None, float | None]:
    """Return beta, cov(own, market) / var(market), and the yearly alpha, (mean(own) - beta * mean(market)) * q.

    None for fewer than 30 pairs of returns and for a market that does not move. Source: M. C. Jensen, 1968.
    """
    if own.size < RETURNS_MIN or not _varies(market):
        return None, None
    beta = float(np.cov(own, market, ddof=1)[0, 1] / np.var(market, ddof=1))
    return beta, (float(own.mean()) - beta * float(market.mean())) * periods_a_year


def _checked(times: Sequence[datetime], values: Sequence[float]) -> Values:
    if len(times) != len(values):
        msg = f"{len(times)} times for {len(values)} values; each point has one of both."
        raise ValueError(msg)
    for before, after in pairwise(times):
        if after <= before:
            msg = f"The point at {after} comes after the one at {before}; times must rise."
            raise ValueError(msg)
    curve = np.asarray(values, dtype=np.float64)
    if not np.isfinite(curve).all():
        at = int(np.flatnonzero(~np.isfinite(curve))[0])
        msg = f"The value at {times[at]} is {values[at]}; it must be a finite number."
        raise ValueError(msg)
    return curve


def _growth(ratio: float, years: float) -> float | None:
    try:
        return math.pow(ratio, 1 / years) - 1
    except OverflowError:  # a ratio of 1e30 in a month: there is no such yearly figure
        return None


def _varies(r: Values) -> bool:
    """Is the spread more than what rounding leaves of equal returns?"""
    return r.size > 1 and float(np.std(r, ddof=1)) > max(1e-14, 1e-9 * abs(float(r.mean())))


def _sharpe(r: Values, q: float) -> tuple[float | None, float | None]:
    if r.size < RETURNS_MIN or not _varies(r):
        return None, None
    s = float(r.mean() / np.std(r, ddof=1))
    z = (r - r.mean()) / np.std(r)
    skewness, kurtosis = float((z**3).mean()), float((z**4).mean())
    variance = (1 + s**2 / 2 - skewness * s + (kurtosis - 3) / 4 * s**2) / r.size
    return s * math.sqrt(q), math.sqrt(max(variance, 0.0)) * math.sqrt(q)


def _sortino(r: Values, q: float) -> float | None:
    if r.size < RETURNS_MIN:
        return None
    below = math.sqrt(float((np.minimum(r, 0.0) ** 2).mean()))
    return float(r.mean()) / below * math.sqrt(q) if below > 1e-14 else None
