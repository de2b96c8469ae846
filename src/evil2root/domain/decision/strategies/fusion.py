"""The pipeline: independent sources, pooled into one view, acted on when it is strong enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite

import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence, Holding
from evil2root.domain.decision.intent import Enter, Exit, Intent, Stay, StayKind
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.window import windowed
from evil2root.domain.signals.calibration import BARS_MIN
from evil2root.domain.signals.carried.carry import Carried, begun, rows_of
from evil2root.domain.signals.fusion import Weights
from evil2root.domain.signals.inputs import ALL
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS, SOURCES, evidence_table, views
from evil2root.domain.signals.source import Source
from evil2root.domain.signals.values import Signal, View

ENTRY_THRESHOLD = 0.20
"""Least size of the view's score, in [0, 1), that is acted on: half the strongest view that the sources' priors allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """Enters with a view at or beyond the threshold, leaves when a view that strong points the other way.

    Stops and targets, not this rule, end what goes wrong slowly.
    """

    weights: Weights = DEFAULT_WEIGHTS
    entry_threshold: float = ENTRY_THRESHOLD
    sources: Sequence[Source] = SOURCES
    name: str = "fusion"

    def __post_init__(self) -> None:
        if not (isfinite(self.entry_threshold) and 0 <= self.entry_threshold < 1):
            msg = f"entry_threshold is {self.entry_threshold}; it must be from 0 up to below 1."
            raise ValueError(msg)

    @property
    def bars_needed(self) -> int:
        """Bars until every source can speak and running values have forgotten where they began.

        `BARS_MIN`, or more where an input states more.
        """
        asked = {name for source in self.sources for name in source.inputs}
        settled = (column.settled or 0 for indicator in ALL for column in indicator.columns if column.name in asked)
        return max(BARS_MIN, *settled, *(source.warm_up + 1 for source in self.sources))

    def features(
        self, bars: pl.DataFrame, *, interval: Interval, session: Session, newest: int | None = None
    ) -> pl.DataFrame:
        """What the sources read and are calibrated by, each row from its own window when there is more than one."""
        table = partial(evidence_table, interval=interval, session=session, sources=self.sources)
        if newest is not None:
            return table(bars, newest=newest).drop("closed_at")
        return windowed(bars, table).drop("closed_at")

    def begun(self, window: pl.DataFrame, bar: Bar) -> tuple[pl.DataFrame, Carried | None]:
        """The newest row of `features` the long way, and what carries it on."""
        row, carried = begun(window, bar, sources=self.sources)
        return row.drop("closed_at"), carried

    def carried(self, carried: Sequence[Carried]) -> pl.DataFrame:
        """The newest row of `features` of each series that is carried."""
        return rows_of(carried, sources=self.sources).drop("closed_at")

    def opinions(self, features: pl.DataFrame) -> list[tuple[tuple[Signal, ...], View | None]]:
        """What each source says, and the pool of those that speak."""
        return views(features, sources=self.sources, weights=self.weights)

    def intend(self, evidence: Evidence, holding: Holding | None) -> Intent:
        """Enter while flat, leave on the opposite view, else say why not."""
        if evidence.number < self.bars_needed:
            return Stay(kind=StayKind.WARMING_UP, why=f"Bar {evidence.number} of {self.bars_needed} needed.")
        view = evidence.view
        if view is None:
            return Stay(kind=StayKind.NO_OPINION, why="No source has an opinion.")
        said = f"score {view.score:+.3f}, {view.agreeing} of {view.speaking} speaking sources agree"
        if abs(view.score) < self.entry_threshold:
            why = f"The view is too weak: {said}; {self.entry_threshold:g} is asked in either direction."
            return Stay(kind=StayKind.BELOW_THRESHOLD, why=why)
        why = (
            f"{_direction(view.side)}: {said} ({_named(evidence.signals)}); at least {self.entry_threshold:g} is asked."
        )
        if holding is None:
            return Enter(side=view.side, why=why)
        held = Side.BUY if holding.quantity > 0 else Side.SELL
        if held is view.side:
            return Stay(kind=StayKind.HOLDING, why=f"Held on this side already. {why}")
        return Exit(why=f"The view turned. {why}")


def _direction(side: Side) -> str:
    return "Up" if side is Side.BUY else "Down"


def _named(signals: Sequence[Signal]) -> str:
    """Sources that spoke with the probability each gave, loudest first."""
    spoken = sorted((s for s in signals if s.p_up is not None), key=lambda s: -abs(s.contribution))
    return ", ".join(f"{s.source} {s.p_up:.0%}" for s in spoken)
