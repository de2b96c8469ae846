"""What a strategy is."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence, Holding
from evil2root.domain.decision.intent import Intent
from evil2root.domain.market.bars import Bar
from evil2root.domain.signals.carried.carry import Carried
from evil2root.domain.signals.fusion import Weights
from evil2root.domain.signals.source import Source
from evil2root.domain.signals.values import Signal, View


class Strategy(Protocol):
    """Turns bars into evidence and evidence into intent. Pure, causal, without memory."""

    @property
    def name(self) -> str:
        """The public name: `fusion`, `sma_cross`, ..."""
        ...

    def features(
        self, bars: pl.DataFrame, *, interval: Interval, session: Session, newest: int | None = None
    ) -> pl.DataFrame:
        """Compute one row a bar from the whole series; cutting off the future changes nothing before the cut.

        The result has `opened_at` and Float64 columns only, null while warming up. With `newest`, `bars` is one
        window and only so many of its last rows are given, the same to the last bit.
        """
        ...

    def opinions(self, features: pl.DataFrame) -> list[tuple[tuple[Signal, ...], View | None]]:
        """Return what the sources say and their fused view, one pair a row of `features`."""
        ...

    def intend(self, evidence: Evidence, holding: Holding | None) -> Intent:
        """Say what to do at this bar's close."""
        ...


@runtime_checkable
class Sourced(Protocol):
    """A strategy that pools sources and acts on a view that is strong enough."""

    @property
    def name(self) -> str:
        """As any strategy's."""
        ...

    @property
    def sources(self) -> Sequence[Source]:
        """In the order of its signals."""
        ...

    @property
    def weights(self) -> Weights:
        """Default weight of each."""
        ...

    @property
    def entry_threshold(self) -> float:
        """Least size of the view's score that is acted on."""
        ...


@runtime_checkable
class Carrying(Protocol):
    """A strategy whose newest features can be carried on from bar to bar, at a cost that no longer series raises."""

    def begun(self, window: pl.DataFrame, bar: Bar) -> tuple[pl.DataFrame, Carried | None]:
        """Return `features(window, newest=1)`, whose last row is `bar`, and what carries it on; none where nothing can."""
        ...

    def carried(self, carried: Sequence[Carried]) -> pl.DataFrame:
        """Return one row of features for the newest bar each has taken, the same to the last bit as the long way's."""
        ...

    def opinions(self, features: pl.DataFrame) -> list[tuple[tuple[Signal, ...], View | None]]:
        """As any strategy's."""
        ...
