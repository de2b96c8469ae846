"""The read side: what pages, the API and the command line may look up. Values only; nothing here changes anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

import polars as pl

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order, OrderEvent
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Position, Trade
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Carry
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.report import SeriesQuality
from evil2root.engine.drilled import DrillResult
from evil2root.engine.hot import CacheState

T = TypeVar("T")

PAGE_MAX = 200
"""Items a page of a list may have at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list, and the cursor of what follows; none at the end."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """Which decisions; newest first. Every field narrows."""

    symbol: str | None = None
    outcomes: tuple[Outcome, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """A decision as a line of a list."""

    id: str
    sequence: int
    at: datetime
    symbol: str
    interval: Interval
    strategy: str
    wants: str
    side: Side | None
    outcome: Outcome
    score: float | None
    """Fused score from -1 to +1; none without a view."""
    why: str
    why_not: str | None
    order_state: str | None
    """State of its first order; none when it ordered nothing."""
    pnl: Decimal | None
    """Result of the round trip it entered, once closed."""
    r: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What a decision led to."""

    orders: tuple[Order, ...]
    events: tuple[OrderEvent, ...]
    fills: tuple[Fill, ...]
    trade: Trade | None
    position: Position | None
    """The still open position it entered."""
    previous: str | None
    next: str | None
    """Ids of the neighbouring decisions of the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRow:
    """A symbol and the bars that are stored for it."""

    symbol: str
    interval: Interval
    bars: int
    first: datetime
    last: datetime
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """Who did what."""

    sequence: int
    at: datetime
    actor: str
    origin: str
    action: str
    object: str
    before: str | None
    after: str | None
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedLine:
    """An event that fitted nothing we knew."""

    at: datetime
    kind: str
    reason: str
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """The first invariant of the journal that does not hold."""

    table: str
    row: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """How the database is."""

    version: str
    schema: str
    size_bytes: int
    round_trip_ms: float


class Reads(Protocol):
    """Look-ups of one account. Cursors are opaque; a bad one raises `ValueError`.

    `until` on bars keeps what a replay has not shown yet out of sight.
    """

    async def carry(self) -> Carry | None: ...
    async def positions(self) -> tuple[Position, ...]: ...
    async def cash(self) -> Decimal: ...
    async def open_orders(self) -> tuple[Order, ...]: ...
    async def orders(self, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Order]: ...
    async def order(self, client_order_id: str) -> tuple[Order, tuple[OrderEvent, ...]] | None: ...
    async def fills(self, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Fill]: ...
    async def trades(self, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Trade]: ...
    async def all_trades(self, *, symbol: str | None) -> tuple[Trade, ...]:
        """Return every closed round trip, oldest first."""
        ...

    async def decisions(self, which: DecisionFilter, *, limit: int, cursor: str | None) -> Page[DecisionRow]: ...
    async def decision_counts(self, which: DecisionFilter) -> dict[Outcome, int]: ...
    async def decision(self, decision_id: str) -> Decision | None: ...
    async def latest_decision(self, symbol: str, *, at: datetime | None) -> Decision | None: ...
    async def fate(self, decision_id: str) -> Fate: ...
    async def equity(self, *, since: datetime | None, points_max: int) -> tuple[EquityPoint, ...]:
        """Return the equity curve, oldest first, thinned to at most `points_max` (first and last always kept)."""
        ...

    async def symbols(self, *, until: datetime | None) -> tuple[SymbolRow, ...]: ...
    async def quality(self, symbol: str, interval: Interval, *, until: datetime | None) -> SeriesQuality:
        """Return what is odd about a series up to `until`, and the passport of its last bar there."""
        ...

    async def bars(
        self, symbol: str, interval: Interval, *, start: datetime | None, until: datetime | None, limit: int
    ) -> pl.DataFrame:
        """Return the newest `limit` adjusted bars in [start, until), oldest first; `until` bounds `closed_at` too."""
        ...

    async def last_bars(
        self, symbols: Sequence[str], interval: Interval, *, until: datetime | None
    ) -> dict[str, Bar]: ...
    async def audit(self, *, limit: int, cursor: str | None) -> Page[AuditLine]: ...
    async def parked(self, *, limit: int) -> tuple[ParkedLine, ...]: ...
    async def drills(self, *, limit: int) -> tuple[DrillResult, ...]:
        """Return what the newest drills showed, newest first."""
        ...

    async def verify(self) -> Breach | None:
        """Recompute every balance and invariant from the journal; the first breach, or none."""
        ...

    async def health(self) -> DatabaseHealth: ...
    def cache(self) -> CacheState:
        """Return which cache windows of bars are kept in, and what it was good for."""
        ...
