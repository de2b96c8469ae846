"""The panel: which sources are heard, with which default weights, over a table of features."""

from collections.abc import Mapping, Sequence

import polars as pl

from evil2root.domain.signals.breakout import Breakout
from evil2root.domain.signals.fusion import Weights, fuse
from evil2root.domain.signals.mean_reversion import MeanReversion
from evil2root.domain.signals.source import Row, Source
from evil2root.domain.signals.trend_following import TrendFollowing
from evil2root.domain.signals.values import Opinion, Signal, View

SOURCES: tuple[Source, ...] = (TrendFollowing(), MeanReversion(), Breakout())

DEFAULT_WEIGHTS = Weights.of({"trend_following": 0.4, "mean_reversion": 0.3, "breakout": 0.3})
"""Trend following a little ahead: the best documented of the three. Nothing here has been measured yet."""


def p_ups(features: pl.DataFrame, *, sources: Sequence[Source] = SOURCES) -> pl.DataFrame:
    """One column a source, named by it, null where it abstains; as many rows as `features`."""
    return pl.DataFrame([source.p_up(features) for source in sources])


def opinions_at(
    row: Row, p_up: Mapping[str, float | None], *, sources: Sequence[Source] = SOURCES
) -> tuple[Opinion, ...]:
    """Each source's opinion on one row of features, given the probabilities it said there."""
    return tuple(
        Opinion(
            source=source.name,
            version=source.version,
            horizon=source.horizon,
            p_up=p_up[source.name],
            reason=source.reason(row),
        )
        for source in sources
    )


def views(
    features: pl.DataFrame, *, sources: Sequence[Source] = SOURCES, weights: Weights = DEFAULT_WEIGHTS
) -> list[tuple[tuple[Signal, ...], View | None]]:
    """Signals and view of every row of `features`, oldest first: what a strategy's `opinions` returns.

    Some 20 microseconds a row, most of it sentences; whoever needs only numbers takes `fuse_series(p_ups(...))`.
    """
    said = p_ups(features, sources=sources)
    rows = zip(features.iter_rows(named=True), said.iter_rows(named=True), strict=True)
    return [fuse(opinions_at(row, p_up, sources=sources), weights) for row, p_up in rows]
