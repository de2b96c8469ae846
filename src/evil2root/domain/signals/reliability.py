"""How far probabilities can be believed: each beside what happened, worse than the base rate included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.days import session_of
from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.calibration import BARS_MIN
from evil2root.domain.signals.fusion import Weights, fuse_series
from evil2root.domain.signals.panel import evidence_table, p_ups
from evil2root.domain.signals.source import Source

CLASSES = 10
"""Classes of a tenth that probabilities are grouped into for the curve and its error."""

FUSED = "fused_view"
FUSED_HORIZON = 10
"""Bars ahead the pooled view is held against: the horizon of most sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """Probabilities that lie together."""

    p_up: float
    """Their mean."""
    rose: float
    """Share after which the price had risen at the horizon."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """A source's probabilities beside what happened."""

    source: str
    horizon: int
    outcomes: int
    base_rate: float | None
    """Share of all its outcomes that rose; none before the first."""
    brier: float | None
    """Mean squared error of the probabilities, 0 perfect."""
    brier_base: float | None
    """The same had it always said the base rate, known afterwards: a strict yardstick."""
    error: float | None
    """Expected calibration error: mean distance between what was said and what happened, weighted by count."""
    classes: tuple[Class, ...]

    @property
    def skill(self) -> float | None:
        """Share of the base rate's error that it saves; below 0 it does worse than the base rate."""
        if self.brier is None or not self.brier_base:
            return None
        return 1.0 - self.brier / self.brier_base


def said_and_rose(
    windows: Mapping[str, pl.DataFrame], sources: Sequence[Source], weights: Weights, *, interval: Interval
) -> dict[str, tuple[Floats, np.ndarray]]:
    """Every probability of every source and of their view from bar 300 on whose outcome is known, and whether it rose.

    Parameters
    ----------
    windows
        Bars by symbol, each at most one window long.

    Notes
    -----
    All of it is held out: a probability rests on outcomes that were known on its bar.
    """
    horizons = {source.name: source.horizon for source in sources} | {FUSED: FUSED_HORIZON}
    parts: dict[str, list[tuple[Floats, np.ndarray]]] = {name: [] for name in horizons}
    for symbol, window in windows.items():
        table = evidence_table(window, interval=interval, session=session_of(symbol), sources=sources)
        said = p_ups(table, sources=sources)
        said = said.with_columns(fuse_series(said, weights)["p_up"].alias(FUSED))
        close = window["close"].to_numpy()
        for name, horizon in horizons.items():
            told = said[name].to_numpy()[BARS_MIN - 1 : -horizon]
            rose = close[BARS_MIN - 1 + horizon :] > close[BARS_MIN - 1 : -horizon]
            spoke = ~np.isnan(told)
            parts[name].append((told[spoke], rose[spoke]))
    return {
        name: (np.concatenate([p for p, _ in found]), np.concatenate([r for _, r in found])) if found
        else (np.empty(0), np.empty(0, dtype=np.bool_))
        for name, found in parts.items()
    }  # fmt: skip


def reliability(source: str, said: Floats, rose: np.ndarray, *, horizon: int) -> Reliability:
    """Hold probabilities, in (0, 1), against what happened.

    Source: G. Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 78, 1950;
    the error as in M. P. Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015.
    """
    if not said.size:
        return Reliability(source=source, horizon=horizon, outcomes=0, base_rate=None, brier=None, brier_base=None,
                           error=None, classes=())  # fmt: skip
    happened = rose.astype(np.float64)
    place = np.minimum((said * CLASSES).astype(np.int64), CLASSES - 1)
    classes = tuple(
        Class(
            p_up=float(said[place == n].mean()), rose=float(happened[place == n].mean()), count=int((place == n).sum())
        )
        for n in np.unique(place).tolist()
    )
    base = float(happened.mean())
    return Reliability(
        source=source, horizon=horizon, outcomes=said.size, base_rate=base,
        brier=float(((said - happened) ** 2).mean()), brier_base=base * (1.0 - base),
        error=sum(one.count * abs(one.p_up - one.rose) for one in classes) / said.size, classes=classes,
    )  # fmt: skip
