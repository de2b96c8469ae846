"""A market that never existed, and a strategy over the real sources that trades it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.listings import Session
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence, Holding
from evil2root.domain.decision.intent import Enter, Exit, Intent, Stay, StayKind
from evil2root.domain.signals import panel
from evil2root.domain.signals.fusion import Weights
from evil2root.domain.signals.source import Source
from evil2root.domain.signals.values import Signal, View

NASTY = "<script>alert('x')</script>\"&'"
"""Whatever a page is told, it must stay text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelStrategy:
    """The real sources, entered beyond a threshold and left when they turn; reasons carry a nasty string."""

    name: str = "fusion"
    threshold: float = 0.12
    sources: Sequence[Source] = panel.SOURCES
    weights: Weights = panel.DEFAULT_WEIGHTS

    @property
    def entry_threshold(self) -> float:
        return self.threshold

    def features(
        self, bars: pl.DataFrame, *, interval: Interval, session: Session, newest: int | None = None
    ) -> pl.DataFrame:
        return panel.evidence_table(bars, interval=interval, session=session, newest=newest).drop("closed_at")

    def opinions(self, features: pl.DataFrame) -> list[tuple[tuple[Signal, ...], View | None]]:
        return panel.views(features)

    def intend(self, evidence: Evidence, holding: Holding | None) -> Intent:
        view = evidence.view
        if evidence.number <= 50:
            return Stay(kind=StayKind.WARMING_UP, why=f"Bar {evidence.number} of the first 50 only warms up.")
        if view is None:
            return Stay(kind=StayKind.NO_OPINION, why="Every source abstains.")
        if holding is not None and view.score < -0.08 and holding.quantity > 0:
            return Exit(why=f"The view turned to {view.score:+.3f}. {NASTY}")
        if abs(view.score) < self.threshold:
            return Stay(kind=StayKind.BELOW_THRESHOLD, why=f"{view.score:+.3f} is under {self.threshold}. {NASTY}")
        if view.side is Side.SELL:
            return Stay(kind=StayKind.NO_OPINION, why="Sells are left out here.")
        return Enter(side=Side.BUY, why=f"{view.agreeing} of {view.speaking} sources agree. {NASTY}")


def market(seed: int, *, bars: int, start: float, drift: float = 0.0006) -> pl.DataFrame:
    """Daily bars of a random walk with slow swings; same seed, same bars."""
    rng = np.random.default_rng(seed)
    swing = 0.004 * np.sin(np.arange(bars) / 19 + seed)
    close = start * np.exp(np.cumsum(drift + swing + rng.normal(0, 0.013, bars)))
    opened = np.concatenate([[start], close[:-1]]) * np.exp(rng.normal(0, 0.003, bars))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.005, bars)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.005, bars)))
    days: list[datetime] = []
    day = datetime(2005, 1, 3, tzinfo=UTC)
    while len(days) < bars:
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(days=1)
    times = [instrument_for("AAPL").session.bounds(d.date()) for d in days]
    return pl.DataFrame(
        {
            "opened_at": [t[0] for t in times],
            "closed_at": [t[1] for t in times],
            "open": opened,
            "high": high,
            "low": low,
            "close": close,
            "volume": rng.integers(2_000_000, 9_000_000, bars).astype(float),
        }
    )
