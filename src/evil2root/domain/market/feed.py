"""What a feed of bars is, and the history it rests on."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.adjust import adjusted
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.frame import BARS_SCHEMA, check_bars

STORED_SCHEMA = pl.Schema({**BARS_SCHEMA, "factor": pl.Float64()})
"""Raw bars with the factor that adjusts their prices; 1 where there is nothing to adjust for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A series of raw bars with their factors, where they come from, checked at birth."""

    symbol: str
    interval: Interval
    stored: pl.DataFrame
    """`STORED_SCHEMA`, oldest first."""
    origin: str
    """Source, dates and licence as one line for people."""

    def __post_init__(self) -> None:
        # Both halves are checked: the bars' own rules, and that each factor is finite and above zero.
        check_bars(self.raw)
        adjusted(self.raw, factor=self.stored["factor"])

    @property
    def raw(self) -> pl.DataFrame:
        """The bars as they were traded."""
        return self.stored.drop("factor")

    @property
    def adjusted(self) -> pl.DataFrame:
        """The bars adjusted for splits and dividends: what decisions are made from."""
        return adjusted(self.raw, factor=self.stored["factor"])


@dataclass(frozen=True, slots=True, kw_only=True)
class BarGroup:
    """Bars that become known together, adjusted, in the order of the watchlist."""

    closed_at: datetime
    bars: tuple[Bar, ...]


class BarFeed(Protocol):
    """Brings new bars, oldest first, each group once. A restart goes on after the stored cursor."""

    @property
    def name(self) -> str:
        """`replay`, ...; what the cursor is stored under."""
        ...

    @property
    def origin(self) -> str:
        """Where recorded history comes from and its dates; empty for a live feed."""
        ...

    @property
    def speed(self) -> float | None:
        """Bars a second per symbol, 0 for as fast as possible; none for a live feed."""
        ...

    @property
    def starts_after(self) -> datetime:
        """The cursor of a fresh account: bars closed until then are history, not news."""
        ...

    def stored(self, *, after: datetime | None, until: datetime) -> Mapping[str, pl.DataFrame]:
        """Return raw bars and factors (`STORED_SCHEMA`) with after < closed_at <= until, by symbol, to be stored."""
        ...

    def bars(self, *, after: datetime | None) -> int | None:
        """Count the bars still to come after a cursor; none when there is no end."""
        ...

    def groups(self, *, after: datetime) -> AsyncIterator[BarGroup]:
        """Yield groups closed after `after`. Ends when recorded history does; canceled at any moment without harm."""
        ...
