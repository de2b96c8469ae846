"""Calibration carried forward: outcomes are added up as they become known, and fits made when they are due."""

from collections.abc import Mapping, Sequence

import numpy as np

from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.calibration import (
    BARS_MIN,
    OUTCOMES_MIN,
    REFIT_BARS,
    REGIMES,
    bins_of,
    fitted,
    known_by,
)
from evil2root.domain.signals.source import Source

FITTED_TOGETHER = 128
"""Fits made in one go: so many stay in the processor's cache."""


class Learning:
    """What `calibration` has counted and fitted on one window up to its last bar."""

    def __init__(
        self, close: Floats, regime: np.ndarray, scores: Mapping[str, Floats], sources: Sequence[Source]
    ) -> None:
        """Begin after the bars given. The fit they ended with has to be made: it is due."""
        self.horizons = np.array([source.horizon for source in sources])
        self.rows = close.size
        fit = max(0, self.rows - 1) // REFIT_BARS
        ups, counts = known_by(close, regime, scores, sources, fits=fit + 1)
        self.ups, self.counts = ups.sum(axis=-1), counts.sum(axis=-1)
        self.is_due = True
        self.slope, self.base = np.full((2, len(sources), len(REGIMES)), np.nan)
        self.known = np.zeros((len(sources), len(REGIMES)))
        keep = REFIT_BARS + int(self.horizons.max())
        self._close = close[-keep:].tolist()
        self._regime = regime[-keep:].tolist()
        self._scores = np.stack([scores[source.name] for source in sources], axis=1)[-keep:].tolist()
        self._keep = keep

    def bar(self, close: float, regime: int) -> None:
        """Take the close and the regime of the next bar; what it says is told later, by `said`."""
        row = self.rows
        self.rows += 1
        self._close.append(close)
        self._regime.append(regime)
        if row % REFIT_BARS == 0:
            self._learn()
            self.is_due = True

    def said(self, scores: Sequence[float]) -> None:
        """Take the scores of the newest bar, NaN where a source abstained."""
        self._scores.append(scores)

    def parameters(self) -> list[float]:
        """Slope, base and outcomes of each source on the newest bar, NaN where there is none, as `calibration`'s columns."""
        regime = self._regime[-1]
        if regime < 0:
            return [np.nan] * (3 * len(self.horizons))
        made = np.stack((self.slope[:, regime], self.base[:, regime], self.known[:, regime]), axis=1)
        return list(made.reshape(-1).tolist())

    def _learn(self) -> None:
        """Add the outcomes that have become known since the last fit, this bar's included, and forget older bars."""
        first = self.rows - len(self._close)
        close, regime, scores = np.array(self._close), np.array(self._regime), np.array(self._scores)
        at = self.rows - 1 - first - self.horizons - np.arange(REFIT_BARS)[:, None]
        at, place = at.reshape(-1), np.tile(np.arange(self.horizons.size), REFIT_BARS)
        later = at + np.tile(self.horizons, REFIT_BARS)
        inside = at + first >= BARS_MIN - 1
        at, place, later = at[inside], place[inside], later[inside]
        counted = ~np.isnan(scores[at, place]) & (regime[at] >= 0)
        at, place, later = at[counted], place[counted], later[counted]
        where = (bins_of(scores[at, place]), place, regime[at])
        np.add.at(self.counts, where, 1.0)
        np.add.at(self.ups, where, (close[later] > close[at]).astype(np.float64))
        old = len(self._close) - self._keep
        for values in (self._close, self._regime, self._scores):
            del values[:old]


def fit_all(due: Sequence[Learning]) -> None:
    """Make the fits that are due, of many windows together: the bits are those of each alone."""
    for start in range(0, len(due), FITTED_TOGETHER):
        _fit(due[start : start + FITTED_TOGETHER])


def _fit(due: Sequence[Learning]) -> None:
    for one in due:
        one.known = one.counts.sum(axis=0)
        one.slope, one.base = np.full((2, *one.known.shape), np.nan)
        one.is_due = False
    enough = [one.known >= OUTCOMES_MIN for one in due]
    weight = [
        np.broadcast_to(1.0 / one.horizons[:, None], one.known.shape)[e] for one, e in zip(due, enough, strict=True)
    ]
    ups = [one.ups[:, e] * w for one, e, w in zip(due, enough, weight, strict=True)]
    counts = [one.counts[:, e] * w for one, e, w in zip(due, enough, weight, strict=True)]
    sizes = [w.size for w in weight]
    if not sum(sizes):
        return
    slopes, bases = fitted(np.concatenate(ups, axis=1), np.concatenate(counts, axis=1))
    ends = np.cumsum(sizes).tolist()
    for one, e, end, size in zip(due, enough, ends, sizes, strict=True):
        one.slope[e], one.base[e] = slopes[end - size : end], bases[end - size : end]
