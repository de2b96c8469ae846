"""Fusion: sources' probabilities pooled into one view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isclose
from typing import Self

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.odds import logistic, logit
from evil2root.domain.signals.values import P_UP_MIN, Opinion, Signal, View

WEIGHT_SUM_TOLERANCE = 1e-9
"""Room for the rounding of weights written as decimals; nothing that was meant to be something else fits in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Default weight of each source, in [0, 1], summing to one. Build with `Weights.of`."""

    by_source: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        for source, weight in self.by_source:
            if not 0.0 <= weight <= 1.0:
                msg = f"The weight of {source} is {weight}; it must lie in [0, 1]."
                raise ValueError(msg)
        if len({source for source, _ in self.by_source}) != len(self.by_source):
            msg = f"A source is weighted twice among {', '.join(source for source, _ in self.by_source)}."
            raise ValueError(msg)
        total = fsum(weight for _, weight in self.by_source)
        if not isclose(total, 1.0, rel_tol=0.0, abs_tol=WEIGHT_SUM_TOLERANCE):
            listed = ", ".join(f"{source} {weight}" for source, weight in self.by_source)
            msg = f"The weights sum to {total:.12g} instead of 1 ({listed or 'none given'}): change one of them."
            raise ValueError(msg)

    @classmethod
    def of(cls, by_source: Mapping[str, float]) -> Self:
        """Weights from a mapping of source names."""
        return cls(by_source=tuple(by_source.items()))

    def but(self, changed: Mapping[str, float]) -> Self:
        """Return these weights with some of them changed; all together still sum to one. No source is new."""
        known = dict(self.by_source)
        unknown = [source for source in changed if source not in known]
        if unknown:
            msg = f"There is no source {', '.join(unknown)[:80]}; weighted are {', '.join(known)}."
            raise ValueError(msg)
        return self.of(known | dict(changed))

    def shares(self, speaking: Sequence[str]) -> tuple[float, ...] | None:
        """Weights of those who speak, brought back to a sum of one; none when they have no weight between them."""
        known = dict(self.by_source)
        unknown = [source for source in speaking if source not in known]
        if unknown:
            msg = f"{', '.join(unknown)} has no weight; weighted are {', '.join(known)}."
            raise ValueError(msg)
        total = fsum(known[source] for source in speaking)
        return tuple(known[source] / total for source in speaking) if total > 0.0 else None


def fuse(opinions: Sequence[Opinion], weights: Weights) -> tuple[tuple[Signal, ...], View | None]:
    """The signals, one an opinion in the same order, and their view: a logarithmic opinion pool.

    log-odds = sum of share x logit(p_up) over the sources that speak, their default weights brought back to a sum of
    one: sources that abstain neither pull the view to one half nor strengthen it. No view when all abstain, or when
    those who speak weigh nothing. The contributions sum to the log-odds exactly (`math.fsum`).

    Source: C. Genest and J. V. Zidek, Combining Probability Distributions, Statistical Science 1 (1986), 114-135.
    """
    spoken = [opinion for opinion in opinions if opinion.p_up is not None]
    shares = weights.shares([opinion.source for opinion in spoken])
    share_of = dict(zip((opinion.source for opinion in spoken), shares or (0.0,) * len(spoken), strict=True))
    if len(share_of) != len(spoken):
        msg = f"A source spoke twice: {', '.join(opinion.source for opinion in spoken)}."
        raise ValueError(msg)
    signals = tuple(_signal(opinion, share=share_of.get(opinion.source, 0.0)) for opinion in opinions)
    return signals, _view(signals) if spoken and shares is not None else None


def fuse_series(p_ups: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """Views of a whole series: columns `p_up` and `log_odds`, equal to `fuse` row by row and bit for bit.

    Parameters
    ----------
    p_ups
        One Float64 column a source, named by it; null where it abstains.

    Returns
    -------
    pl.DataFrame
        As many rows; null where there is no view.
    """
    table = np.stack([p_ups[name].to_numpy() for name in p_ups.columns]) if p_ups.width else np.empty((0, p_ups.height))
    speaks = ~np.isnan(table)
    if bool(np.any(speaks & ~((table >= P_UP_MIN) & (table <= 1.0 - P_UP_MIN)))):
        msg = f"A p_up among {', '.join(p_ups.columns)} lies outside [{P_UP_MIN}, {1.0 - P_UP_MIN}]: clip it."
        raise ValueError(msg)
    contributions = _logits(table) * _shares(speaks, p_ups.columns, weights)
    heard = ~np.isnan(contributions)
    added = np.where(heard, contributions, 0.0).T.tolist()
    log_odds = [fsum(row) if some else None for some, row in zip(list(np.any(heard, axis=0)), added, strict=True)]
    p_up = [None if odds is None else logistic(odds) for odds in log_odds]
    return pl.DataFrame({"p_up": p_up, "log_odds": log_odds}, schema={"p_up": pl.Float64, "log_odds": pl.Float64})


def _signal(opinion: Opinion, *, share: float) -> Signal:
    return Signal(
        source=opinion.source,
        version=opinion.version,
        horizon=opinion.horizon,
        p_up=opinion.p_up,
        weight=share,
        contribution=0.0 if opinion.p_up is None else share * logit(opinion.p_up),
        reason=opinion.reason,
    )


def _view(signals: Sequence[Signal]) -> View:
    log_odds = fsum(signal.contribution for signal in signals)
    p_up = logistic(log_odds)
    leans = 1.0 if p_up >= 0.5 else -1.0
    spoken = [signal.p_up for signal in signals if signal.p_up is not None]
    agreeing = sum((p - 0.5) * leans > 0.0 for p in spoken)
    return View(p_up=p_up, log_odds=log_odds, agreeing=agreeing, speaking=len(spoken))


def _logits(table: Floats) -> Floats:
    made = np.full(table.shape, np.nan)
    spoken = ~np.isnan(table)
    made[spoken] = [logit(p) for p in table[spoken].tolist()]
    return made


def _shares(speaks: np.ndarray, sources: Sequence[str], weights: Weights) -> Floats:
    """Each source's share on each row, NaN where it has none; computed once for each set of speaking sources."""
    shares = np.full(speaks.shape, np.nan)
    code = (1 << np.arange(len(sources))) @ speaks
    for pattern in np.unique(code).tolist():
        present = [place for place in range(len(sources)) if pattern >> place & 1]
        found = weights.shares([sources[place] for place in present])
        for place, share in zip(present, found or (), strict=False):
            shares[place, code == pattern] = share
    return shares
