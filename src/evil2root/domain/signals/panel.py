"""The panel: which sources are heard, with which default weights, over a table of features."""

from collections.abc import Iterator, Sequence
from hashlib import sha256

import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.breakout import Breakout
from evil2root.domain.signals.calibration import CALIBRATION_VERSION, calibration, column_names, p_up, reading
from evil2root.domain.signals.fusion import Weights, fuse
from evil2root.domain.signals.higher_trend import HigherTrend
from evil2root.domain.signals.inputs import INPUTS_HASH, inputs
from evil2root.domain.signals.mean_reversion import MeanReversion
from evil2root.domain.signals.momentum import Momentum
from evil2root.domain.signals.source import Row, Source, reason
from evil2root.domain.signals.trend_following import TrendFollowing
from evil2root.domain.signals.values import Opinion, Signal, View
from evil2root.domain.signals.volatility_regime import VolatilityRegime
from evil2root.domain.signals.volume_flow import VolumeFlow

SOURCES: tuple[Source, ...] = (
    TrendFollowing(), MeanReversion(), Breakout(), Momentum(), VolumeFlow(), VolatilityRegime(), HigherTrend(),
)  # fmt: skip

DEFAULT_WEIGHTS = Weights.of({
    "trend_following": 0.20, "mean_reversion": 0.20, "breakout": 0.15, "momentum": 0.15, "volume_flow": 0.10,
    "volatility_regime": 0.10, "higher_trend": 0.10,
})  # fmt: skip
"""Trend and its counterpart ahead; volume, regime and the higher interval confirm. Beliefs: nobody has fitted them."""

WORDS_VERSION = "2"
"""Raised by hand when reasons would read otherwise: they are recomputed to the letter as well."""

PANEL_HASH = sha256(
    "\n".join(
        (INPUTS_HASH, CALIBRATION_VERSION, WORDS_VERSION, *(f"{s.name} {s.version} {s.horizon}" for s in SOURCES))
    ).encode()
).hexdigest()[:16]
"""Names what the sources read, the sources and their calibration. Part of a policy's digest."""


def evidence_table(
    window: pl.DataFrame, *, interval: Interval, session: Session, sources: Sequence[Source] = SOURCES,
    newest: int | None = None,
) -> pl.DataFrame:  # fmt: skip
    """What the sources read and the parameters their scores are calibrated by, one row a bar of one window.

    With `newest` only so many last rows, equal to those of the whole table bit for bit.
    """
    table = inputs(window, interval=interval, session=session)
    scores = {source.name: source.weigh(table).scores for source in sources}
    parameters = calibration(table, scores, sources, newest=newest)
    return table.tail(parameters.height).hstack(parameters.get_columns())


def p_ups(features: pl.DataFrame, *, sources: Sequence[Source] = SOURCES) -> pl.DataFrame:
    """One column a source, named by it, null where it abstains; as many rows as `features`."""
    return pl.DataFrame([_p_up(features, source, source.weigh(features).scores) for source in sources])


def _p_up(features: pl.DataFrame, source: Source, scores: Floats) -> pl.Series:
    """Probabilities of a source's scores. Through `math` one by one, as `Source` says why."""
    slopes, bases = (_column(features, name) for name in column_names(source.name)[:2])
    made = [
        p_up(score, slope, base) if score == score else None  # noqa: PLR0124 - NaN
        for score, slope, base in zip(scores.tolist(), slopes, bases, strict=True)
    ]
    return pl.Series(source.name, made, dtype=pl.Float64)


def _column(features: pl.DataFrame, name: str) -> list[float | None]:
    """A column of parameters; a table without any has none to show, and the prior holds."""
    return features[name].to_list() if name in features.columns else [None] * features.height


def views(
    features: pl.DataFrame, *, sources: Sequence[Source] = SOURCES, weights: Weights = DEFAULT_WEIGHTS
) -> list[tuple[tuple[Signal, ...], View | None]]:
    """Signals and view of every row of `features`, oldest first: what a strategy's `opinions` returns.

    Some 60 microseconds a row, most of it sentences; whoever needs only numbers takes `fuse_series(p_ups(...))`.
    """
    weighed = [source.weigh(features) for source in sources]
    said = [_p_up(features, source, found.scores).to_list() for source, found in zip(sources, weighed, strict=True)]
    scores = [found.scores.tolist() for found in weighed]
    parts = [[part.tolist() for part in found.parts] for found in weighed]
    made = []
    for place, row in enumerate(features.iter_rows(named=True)):
        numbers = [
            (probabilities[place], of[place], [part[place] for part in split])
            for probabilities, of, split in zip(said, scores, parts, strict=True)
        ]
        made.append(fuse(tuple(_opinions(row, sources, numbers)), weights))
    return made


def _opinions(
    row: Row, sources: Sequence[Source], numbers: Sequence[tuple[float | None, float, list[float]]]
) -> Iterator[Opinion]:
    """Each source's opinion on one row, given its probability, its score and the score's parts."""
    for source, (probability, score, parts) in zip(sources, numbers, strict=True):
        why = reason(source, row, score=score, parts=parts)
        if probability is not None:
            slope, base, outcomes = (row.get(name) for name in column_names(source.name))
            why = f"{reading(probability, slope, base, outcomes)} {why}"
        yield Opinion(source=source.name, version=source.version, horizon=source.horizon, p_up=probability, reason=why)
