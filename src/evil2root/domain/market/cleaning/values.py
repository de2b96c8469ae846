"""What cleaning knows before it looks, and what it gives back."""

from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA
from evil2root.domain.market.quality import Issue
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

CONTEXT_BARS = 64
"""Stored bars before the first fetched one that the rules look back on: `Known.stored` should hold that many."""

QUARANTINE_SCHEMA = pl.Schema({**RAW_SCHEMA, "kind": pl.String(), "reason": pl.String(), "detail": pl.String()})
"""Rows as they were told (`opened_at` null where it could not be read), why, and the words for people."""

QUARANTINE_MAX = 10_000
"""Quarantined rows of one answer that are kept one by one; the issues count them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a series beside the answer that is to be cleaned."""

    stored: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=STORED_SCHEMA))
    """Stored raw bars, oldest first: `CONTEXT_BARS` before the answer's first row, and all it overlaps."""
    peers: tuple[Fetched, ...] = ()
    """What other sources told of the same series and span, unchecked as well."""
    currency: str | None = None
    """What the symbol's prices are in."""
    has_volume: bool = True
    """False where no provider reports real volume: a missing one then reads as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """An answer after cleaning. Every row of it is in exactly one place: good, incomplete, quarantined or a repetition."""

    symbol: str
    interval: Interval
    source: str
    fetched_at: datetime
    good: pl.DataFrame
    """`STORED_SCHEMA`, oldest first: bars that are over and believed. `History` accepts them."""
    incomplete: pl.DataFrame
    """`STORED_SCHEMA`, at most one row: the bar that is not over yet. To be shown, never stored or decided on."""
    quarantined: pl.DataFrame
    """`QUARANTINE_SCHEMA`, at most `QUARANTINE_MAX` rows."""
    issues: tuple[Issue, ...]
    """Everything that was odd, oldest first, with what was done: `none`, `sorted`, `repaired`, `adjusted`, `dropped`
    (a repetition of a row that is kept), `quarantined`."""
    repaired: frozenset[datetime] = frozenset()
    """Openings of good bars that a rule changed a value of."""
    agreed: frozenset[datetime] = frozenset()
    """Openings of good bars whose close another source told as well, within `QUORUM_FRAC`."""

    rescale: float = 1.0
    """What the factors of stored bars before `good` are to be multiplied by: a split or dividend since then."""

    @property
    def is_clean(self) -> bool:
        """Was every row believed as it was told?"""
        return not any(issue.action in ("quarantined", "repaired", "dropped", "sorted") for issue in self.issues)
