"""The ports bars come through."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class BarGroup:
    """Bars of several symbols that close at the same moment, in the order of the watchlist."""

    closed_at: datetime
    bars: tuple[Bar, ...]

    def __post_init__(self) -> None:
        if not self.bars or any(bar.closed_at != self.closed_at for bar in self.bars):
            msg = f"A group closing at {self.closed_at} needs bars, all closing then."
            raise ValueError(msg)


class BarFeed(Protocol):
    """Tells of bars as they close, oldest first, never twice.

    `groups` starts with the first group that closes after `after`, and ends when there is nothing more to come.
    A feed that waits for whoever reads it (a replay) never runs ahead of it.
    """

    def groups(self, after: datetime | None) -> AsyncIterator[BarGroup]: ...


class BarStore(Protocol):
    """Stored bars, served adjusted, oldest first, in the columns of `frame.py`."""

    async def series(self, symbol: str, interval: Interval, *, until: datetime | None) -> pl.DataFrame:
        """Return all bars of a series that closed at or before `until`."""
        ...
