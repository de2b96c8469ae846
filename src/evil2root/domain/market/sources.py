"""The ports bars come through."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Bar, Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class BarGroup:
    """Bars of several symbols that close at the same moment, in the order of the watchlist."""

    closed_at: datetime
    bars: tuple[Bar, ...]
    renewed: frozenset[str] = frozenset()
    """Symbols whose stored bars before this moment are other ones than were told: a bar that came late, a factor."""

    def __post_init__(self) -> None:
        if not self.bars or any(bar.closed_at != self.closed_at for bar in self.bars):
            msg = f"A group closing at {self.closed_at} needs bars, all closing then."
            raise ValueError(msg)


RAW_SCHEMA = pl.Schema(
    {
        "opened_at": pl.Datetime("us", "UTC"),
        "open": pl.Float64(),
        "high": pl.Float64(),
        "low": pl.Float64(),
        "close": pl.Float64(),
        "volume": pl.Float64(),
        "factor": pl.Float64(),
    }
)
"""Rows as somebody told them: any order, any value, nulls where a value was missing or unreadable.

`factor` adjusts prices for splits and dividends; null where the source does not say.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One answer of a source, unchecked: only the types are sure. Cleaning decides what of it is believed."""

    symbol: str
    interval: Interval
    rows: pl.DataFrame
    """`RAW_SCHEMA`."""
    source: str
    """The source's name, as in the settings."""
    fetched_at: datetime
    """When the question left, not when the answer came: a bar that was not over then must not ripen on the way."""
    currency: str | None = None
    """What the source says the prices are in; none when it does not say."""
    splits: tuple[tuple[datetime, float], ...] = ()
    """Moments and ratios (new shares for one old) of splits the source confirms."""


class BarSource(Protocol):
    """Gives history. Raises `BarsUnavailable` (see `bars.py`); an empty answer is one without rows, not an error.

    `bars` asks for what opened in `[start, end)`. A source answers with all it has of that, in any order; with up to a
    day more on either side, as daily bars are named by midnights or by openings; and perhaps with the bar that is not
    over yet: that is told by `opened_at` and `fetched_at`, and never decided on. Asking twice changes nothing.
    """

    @property
    def name(self) -> str: ...

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What several sources said to one question. Cleaning holds `answer` against `peers` (`Known.peers`)."""

    answer: Fetched
    """Of the first source in the symbol's order that answered."""
    peers: tuple[Fetched, ...] = ()
    """Of those asked only to confirm it; empty when none did."""
    silent: tuple[Silence, ...] = ()
    """Sources that were asked and gave no answer."""
    left: tuple[str, ...] = ()
    """Sources that were not asked, in the order in which they would be."""


class BarFeed(Protocol):
    """Tells of bars as they close, oldest first, never twice.

    `groups` starts with the first group that closes after `after`, and ends when there is nothing more to come.
    A feed that waits for whoever reads it (a replay) never runs ahead of it.
    """

    def groups(self, after: datetime | None) -> AsyncIterator[BarGroup]: ...


class BarMarks(Protocol):
    """Knows of stored bars what is beside their numbers: who told them, what was repaired, who else tells the same."""

    async def newest(self, opened: Mapping[str, datetime], interval: Interval) -> Mapping[str, pl.DataFrame]:
        """Return what the passport of one bar a symbol looks back on, given its opening: `MARKS_SCHEMA` rows.

        By symbol, oldest first: the bar itself, and of those before it at least every repaired one that a passport
        counts. Nothing for a symbol whose bars are not stored. Raises `BarsUnavailable` when the store is away.
        """
        ...


class BarStore(Protocol):
    """Stored bars, served adjusted, oldest first, in the columns of `frame.py`."""

    async def series(self, symbol: str, interval: Interval, *, until: datetime | None) -> pl.DataFrame:
        """Return all bars of a series that closed at or before `until`."""
        ...
