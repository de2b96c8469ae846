"""Two strategies without an opinion: a yardstick and a drill."""

from dataclasses import dataclass

import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence, Holding
from evil2root.domain.decision.intent import Enter, Exit, Intent, Stay, StayKind
from evil2root.domain.signals.values import Signal, View


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyHold:
    """Buy on the first bar and never sell: what doing nothing clever would have earned."""

    name: str = "buy_hold"

    def features(  # the port's signature
        self, bars: pl.DataFrame, *, interval: Interval, session: Session, newest: int | None = None,  # noqa: ARG002
    ) -> pl.DataFrame:  # fmt: skip
        """Return the close."""
        return bars.select("opened_at", "close").tail(bars.height if newest is None else newest)

    def opinions(self, features: pl.DataFrame) -> list[tuple[tuple[Signal, ...], View | None]]:
        """No sources."""
        return [((), None)] * features.height

    def intend(self, evidence: Evidence, holding: Holding | None) -> Intent:  # noqa: ARG002 - the port's signature
        """Enter while flat."""
        if holding is None:
            return Enter(side=Side.BUY, why="Buy and hold.")
        return Stay(kind=StayKind.HOLDING, why="Held.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metronome:
    """On every even bar of a symbol's series buy when flat, on every odd one sell all: a drill for brokers."""

    name: str = "metronome"

    def features(  # the port's signature
        self, bars: pl.DataFrame, *, interval: Interval, session: Session, newest: int | None = None,  # noqa: ARG002
    ) -> pl.DataFrame:  # fmt: skip
        """Return the close."""
        return bars.select("opened_at", "close").tail(bars.height if newest is None else newest)

    def opinions(self, features: pl.DataFrame) -> list[tuple[tuple[Signal, ...], View | None]]:
        """No sources."""
        return [((), None)] * features.height

    def intend(self, evidence: Evidence, holding: Holding | None) -> Intent:
        """Enter on even bars, leave on odd ones."""
        if evidence.number % 2 == 0:
            if holding is None:
                return Enter(side=Side.BUY, why=f"Bar {evidence.number} is even.")
            return Stay(kind=StayKind.HOLDING, why=f"Bar {evidence.number} is even, already held.")
        if holding is not None:
            return Exit(why=f"Bar {evidence.number} is odd.")
        return Stay(kind=StayKind.NO_OPINION, why=f"Bar {evidence.number} is odd, nothing held.")
