"""From scores to probabilities: Platt scaling on past outcomes, per source and volatility regime.

Causal and expanding: at every `REFIT_BARS`-th bar of a window the parameters are fitted anew on all outcomes known
by then, an outcome being known `horizon` bars after its score. They are columns of the feature table, so a decision
stores those it used, and whoever recomputes the table gets the same ones, to the last bit: only correctly rounded
operations are used, in an order that does not depend on an array's length.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.odds import PRIOR_SLOPE, logistic
from evil2root.domain.signals.source import Source
from evil2root.domain.signals.values import P_UP_MIN

OUTCOMES_MIN = 300
"""Fewer outcomes of a source in a regime, and a stated prior speaks instead."""
BARS_MIN = 300
"""Bars of a window before a score counts as one to learn from: running values have forgotten their seed by then."""
REFIT_BARS = 64
"""Bars from one fit to the next. A divisor of half a window, so that fits fall on the same bars wherever it starts."""
BINS = 32
"""Scores are held to 1/16 for the fit. A power of two: sums are halved, always in the same order."""
RIDGE = 1.0
"""Precision of the belief that a score says nothing beyond one half: about as much as four independent outcomes."""
STEPS = 12
"""Newton's steps; six bring any counts of 4,096 outcomes to the last few digits."""

REGIMES = ("calm", "agitated")
"""Volatility of 20 bars at most, or above, its mean of 252."""

CALIBRATION_VERSION = "1"
"""Raised by hand when a fit would give other numbers."""

_CENTRES = (np.arange(BINS) + 0.5) / (BINS / 2) - 1.0


def column_names(source: str) -> tuple[str, str, str]:
    """Columns of a source's parameters: slope and base (log-odds per score, and at score 0), and outcomes known."""
    return f"platt_slope_{source}", f"platt_base_{source}", f"platt_outcomes_{source}"


def regimes(table: pl.DataFrame) -> np.ndarray:
    """Place in `REGIMES` of each row, -1 where it is not known yet."""
    now, usual = table["vol_20"].to_numpy(), table["vol_usual_252"].to_numpy()
    known = ~(np.isnan(now) | np.isnan(usual))
    return np.where(known, (now > usual).astype(np.int64), -1)


def calibration(
    table: pl.DataFrame, scores: Mapping[str, Floats], sources: Sequence[Source], *, newest: int | None = None
) -> pl.DataFrame:
    """Three columns a source: the parameters that hold for each row, of its own regime.

    Parameters
    ----------
    table
        `inputs` of one window.
    scores
        Each source's scores on it, by name; NaN where it abstained.
    newest
        How many of the last rows are wanted; all by default. Fits that none of them needs are left out.

    Notes
    -----
    Slope and base are null before `OUTCOMES_MIN` outcomes; the count is null only while there is no regime.
    """
    close, regime = table["close"].to_numpy(), regimes(table)
    rows = close.size
    fits = rows // REFIT_BARS + 1
    ups, counts = known_by(close, regime, scores, sources, fits=fits)
    np.cumsum(ups, axis=3, out=ups)
    np.cumsum(counts, axis=3, out=counts)
    wanted = np.arange(max(0, rows - newest) if newest is not None else 0, rows)
    fit = wanted // REFIT_BARS
    oldest = int(fit[0]) if fit.size else 0
    ups, counts, fit = ups[..., oldest:], counts[..., oldest:], fit - oldest
    known = counts.sum(axis=0)
    slope, base = np.full((2, *known.shape), np.nan)
    enough = known >= OUTCOMES_MIN
    overlap = np.array([1.0 / source.horizon for source in sources])[:, None, None]
    weight = np.broadcast_to(overlap, known.shape)[enough]
    if weight.size:
        slope[enough], base[enough] = fitted(ups[:, enough] * weight, counts[:, enough] * weight)
    regime = regime[wanted]
    made: list[pl.Series] = []
    for place, source in enumerate(sources):
        for name, values in zip(column_names(source.name), (slope, base, known), strict=True):
            of_row = np.where(regime >= 0, values[place, np.maximum(regime, 0), fit], np.nan)
            made.append(pl.Series(name, of_row, nan_to_null=True))
    return pl.DataFrame(made)


def known_by(
    close: Floats, regime: np.ndarray, scores: Mapping[str, Floats], sources: Sequence[Source], *, fits: int
) -> tuple[Floats, Floats]:
    """Outcomes that rose and all of them, (`BINS`, sources, regimes, fits): each at the first fit that knows it."""
    ups, counts = np.zeros((2, BINS, len(sources), len(REGIMES), fits))
    for place, source in enumerate(sources):
        _count(ups[:, place], counts[:, place], scores[source.name], close, regime, horizon=source.horizon)
    return ups, counts


def _count(  # noqa: PLR0913 - what is counted, from what
    ups: Floats, counts: Floats, scores: Floats, close: Floats, regime: np.ndarray, *, horizon: int
) -> None:
    """Add up, by bin, regime and the first fit that knows them, outcomes and those that rose. In place, exact."""
    rows = close.size
    if rows <= horizon:
        return
    said = scores[: rows - horizon]
    counted = ~np.isnan(said) & (regime[: rows - horizon] >= 0) & (np.arange(said.size) >= BARS_MIN - 1)
    at = np.flatnonzero(counted)
    first = -(-(at + horizon) // REFIT_BARS)
    at, first = at[first < counts.shape[2]], first[first < counts.shape[2]]
    where = (bins_of(said[at]), regime[at], first)
    np.add.at(counts, where, 1.0)
    np.add.at(ups, where, (close[at + horizon] > close[at]).astype(np.float64))


def bins_of(scores: Floats) -> np.ndarray:
    """The bin each score is counted in."""
    bins: np.ndarray = np.minimum((scores + 1.0) * (BINS / 2), BINS - 1.0).astype(np.int64)
    return bins


def fitted(ups: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Slopes and bases that fit best, for many fits at once: Platt scaling with a ridge, by Newton's method.

    Parameters
    ----------
    ups, counts
        (`BINS`, fits): outcomes that rose and all of them by bin of the score, weighted. Outcomes of a horizon of h
        bars overlap; each counts 1/h.

    Source: J. Platt, Probabilistic Outputs for Support Vector Machines, 1999; the ridge takes the place of his
    smoothed targets.
    """
    centres = _CENTRES[:, None]
    slope, base = np.zeros((2, ups.shape[1]))
    for _ in range(STEPS):
        p = _logistic(base + slope * centres)
        miss = counts * p - ups
        spread = counts * p * (1.0 - p)
        down_base, down_slope = _total(miss) + RIDGE * base, _total(miss * centres) + RIDGE * slope
        bb, bs, ss = _total(spread) + RIDGE, _total(spread * centres), _total(spread * centres * centres) + RIDGE
        size = bb * ss - bs * bs
        base = base - np.clip((ss * down_base - bs * down_slope) / size, -2.0, 2.0)
        slope = slope - np.clip((bb * down_slope - bs * down_base) / size, -2.0, 2.0)
    return slope, base


def _logistic(values: Floats) -> Floats:
    """Logistic of many numbers without `exp`: its series on 1/64 of the number, squared six times."""
    small = np.minimum(np.abs(values), 20.0) / -64.0
    power = np.ones_like(small)
    for order in range(12, 0, -1):
        power = 1.0 + power * small / order
    for _ in range(6):
        power = power * power
    low = power / (1.0 + power)
    return np.where(values >= 0.0, 1.0 - low, low)


def _total(values: Floats) -> Floats:
    """Sum over the first axis by halves: the same order for any number of columns."""
    while len(values) > 1:
        half = len(values) // 2
        values = values[:half] + values[half:]
    (total,) = values
    return np.asarray(total)


def p_up(score: float, slope: float | None, base: float | None) -> float:
    """Probability of a rise at a score, by the fit or, without one, by the prior `logistic(PRIOR_SLOPE * score)`."""
    if slope is None or base is None or slope != slope:  # noqa: PLR0124 - NaN
        return logistic(PRIOR_SLOPE * score)
    return min(1.0 - P_UP_MIN, max(P_UP_MIN, logistic(base + slope * score)))


def reading(probability: float, slope: float | None, base: float | None, outcomes: float | None) -> str:
    """How a score became a probability, as the beginning of a reason.

    What past outcomes say whatever the score (the drift of the market) is told apart from what the score adds, and
    that they turn a score around where rises followed low ones.
    """
    known = f"{outcomes or 0.0:.0f}"
    if slope is None or base is None:
        return f"P(up) {probability:.2f}, a prior ({known} of {OUTCOMES_MIN} outcomes known)."
    turned = "; they turn the score around" if slope < 0.0 else ""
    return f"P(up) {probability:.2f} ({logistic(base):.2f} at score 0, by {known} past outcomes{turned})."
