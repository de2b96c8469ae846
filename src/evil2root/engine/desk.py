"""The desk: what a person may see and ask, whichever face (pages, API, command line) they use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from evil2root.domain.book.portfolio import Portfolio
from evil2root.domain.core.money import Price
from evil2root.domain.kernel.actions import Reply
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.state import Carry, State
from evil2root.engine.asking import Standing
from evil2root.engine.differences import Reconciling
from evil2root.engine.listening import Hearing
from evil2root.engine.reads import Reads
from evil2root.engine.weights_kept import Weighing


class Phase(StrEnum):
    """How far the engine is; `READY` is the only one that trades."""

    STARTING = "starting"
    RECOVERING = "recovering"
    READY = "ready"
    STANDBY = "standby"
    DIVERGED = "halted-divergence"
    DATABASE = "database"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """Where the market data is."""

    source: str
    """`replay`, `yfinance`, ..."""
    origin: str
    """Where recorded history comes from and its dates; empty for a live feed."""
    last_bar_at: datetime | None
    finished: bool
    """A replay that has shown its last bar."""
    speed: float | None
    shown: int
    total: int | None
    """Bars shown so far and in all; none for a live feed."""
    missing: tuple[tuple[str, str], ...] = ()
    """Symbols whose newest bar could not be had, and why: they are not traded until it is there."""
    due: datetime | None = None
    """The newest close the calendars say should have been told by now; none for a replay."""
    providers: tuple[Standing, ...] = ()
    """Who is asked for bars, in order; empty for a replay, which asks nobody."""
    streams: tuple[Hearing, ...] = ()
    """Of those who tell prices as they happen, what is heard; empty where none has such a stream."""

    @property
    def is_replay(self) -> bool:
        """Does it tell of the past, at a speed of its own?"""
        return self.source == "replay"

    @property
    def badge(self) -> str:
        """What every page that shows prices says of them; nothing for those of a market."""
        return {"replay": "REPLAY", "simulated": "SIMULATED"}.get(self.source, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Is the bot trading, and how is it?"""

    phase: Phase
    says: str
    """Why not ready; empty when ready."""
    mode: str
    broker: str
    strategy: str
    simulated: bool
    """True when prices are recorded or simulated: every page carries a badge."""
    now: datetime
    """The engine's time: the replay's when it replays, else the machine's."""
    started_at: datetime
    """By the machine's clock."""
    version: str
    carry: Carry
    portfolio: Portfolio
    feed: FeedState
    inbox: int
    """Events waiting."""
    step_ms: float
    """Milliseconds of the last group of bars, from its arrival to its commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of a decision that came out otherwise when recomputed."""

    field: str
    stored: object
    recomputed: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What recomputing a stored decision showed."""

    identical: bool
    differences: tuple[Difference, ...]


class Desk(Protocol):
    """Everything api and web need. Commands answer with a `Reply`; they are audited with `by` and `origin`."""

    @property
    def reads(self) -> Reads: ...
    @property
    def reconciling(self) -> Reconciling: ...
    @property
    def weighing(self) -> Weighing: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def state(self) -> State: ...
    def status(self) -> Status: ...
    async def threshold_of(self, digest: str) -> float | None:
        """Return the least size of a score that the rules of that digest act on; none where that is not known."""
        ...

    async def recompute(self, decision_id: str) -> Recomputed | None:
        """Recompute a stored decision from what was stored; none when there is no such decision."""
        ...

    async def halt(self, *, by: str, origin: str, reason: str, cancel: bool, flatten: bool) -> Reply: ...
    async def resume(self, *, by: str, origin: str, reason: str) -> Reply: ...
    async def close(self, symbol: str, *, by: str, origin: str, quantity: Decimal | None) -> Reply: ...
    async def cancel(self, client_order_id: str, *, by: str, origin: str) -> Reply: ...
    async def move_guards(
        self, symbol: str, *, by: str, origin: str, stop: Price | None, target: Price | None
    ) -> Reply: ...
    def settings(self) -> Mapping[str, object]:
        """Return the effective settings, secrets masked."""
        ...

    def changes(self) -> "Changes":
        """Return the stream of what changed, for live pages."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something a live page may want to show again."""

    sequence: int
    topics: frozenset[str]
    """Some of `equity risk positions orders decisions trades health`."""
    at: datetime


class Changes(Protocol):
    """A bounded log of changes; readers wait for what comes after the sequence they have seen."""

    @property
    def last(self) -> int: ...
    async def after(self, sequence: int, *, timeout_s: float) -> tuple[Change, ...] | None:
        """Return the changes after `sequence`, waiting up to `timeout_s`; empty on time-out; none when too far back."""
        ...
