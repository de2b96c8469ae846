"""Is the bot trading, and how is it?"""

from decimal import Decimal
from typing import Any, Self

from evil2root.api.values import Exact, Moment, Out
from evil2root.domain.market.streams import Happening
from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.desk import FeedState, Phase, Status
from evil2root.engine.drilled import DrillResult
from evil2root.engine.reads import DatabaseHealth, ParkedLine


class BreakerOut(Out):
    """The switch above all decisions."""

    state: BreakerState
    reason: str
    by: str
    at: Moment | None


class MissingOut(Out):
    """A symbol whose newest bar could not be had: it is not traded until it is there."""

    symbol: str
    why: str


class ProviderOut(Out):
    """Who is asked for bars, and how that goes."""

    name: str
    requests_a_minute: int
    requests_left: int
    left_alone_until: Moment | None
    """It failed too often, or asked to be left alone; null when it may be asked."""
    answered_at: Moment | None
    says: str
    """Why its last question failed; empty when it did not."""


class TickOut(Out):
    """Something that happened to a symbol, as a stream told it."""

    symbol: str
    what: Happening
    at: Moment
    """By the exchange; of a bar its opening."""
    price: float


class StreamOut(Out):
    """A stream of prices: it only says when to ask sooner, nothing it tells is traded on."""

    name: str
    is_listened_to: bool
    says: str
    """Why it is not, or why its last opening ended; empty while all is well."""
    symbols: int
    """Of how many symbols it told something since the start."""
    last: TickOut | None
    """The newest it told; null while it told nothing."""


class FeedOut(Out):
    """Where the market data is."""

    source: str
    origin: str
    last_bar_at: Moment | None
    age_s: float | None
    """Seconds from the last bar's close to the engine's present."""
    finished: bool
    speed: float | None
    shown: int
    total: int | None
    badge: str
    """`REPLAY` or `SIMULATED` where prices are none of today's market, else empty."""
    missing: list[MissingOut]
    providers: list[ProviderOut]
    """In the order they are asked; empty for a replay."""
    streams: list[StreamOut]
    """Empty where no source has one: then nothing is listened to."""

    @classmethod
    def of(cls, feed: FeedState, status: Status) -> Self:
        """Make it from the feed's state, with its age at the engine's time."""
        age = None if feed.last_bar_at is None else (status.now - feed.last_bar_at).total_seconds()
        return cls(
            source=feed.source, origin=feed.origin, last_bar_at=feed.last_bar_at, age_s=age, finished=feed.finished,
            speed=feed.speed, shown=feed.shown, total=feed.total, badge=feed.badge,
            missing=[MissingOut(symbol=symbol, why=why) for symbol, why in feed.missing],
            providers=[ProviderOut.model_validate(one) for one in feed.providers],
            streams=[StreamOut.model_validate(one) for one in feed.streams],
        )  # fmt: skip


class StatusOut(Out):
    """How the bot is. Amounts are in the account's currency."""

    phase: Phase
    says: str
    mode: str
    broker: str
    strategy: str
    simulated: bool
    """Prices are recorded or simulated."""
    leader: bool
    """This process may trade for the account."""
    halted: bool
    """A person has to resume before positions are opened again."""
    breaker: BreakerOut
    feed: FeedOut
    equity: Exact
    day_pnl: Exact
    """Equity less that of the close before the present day."""
    day_pnl_frac: float | None
    positions: int
    decisions: int
    inbox: int
    step_ms: float
    now: Moment
    started_at: Moment
    version: str

    @classmethod
    def of(cls, status: Status) -> Self:
        """Make it from the desk's status."""
        carry, equity = status.carry, status.portfolio.equity
        before = carry.day_equity
        pnl = equity - before if carry.day is not None else Decimal(0)
        return cls(
            phase=status.phase, says=status.says, mode=status.mode, broker=status.broker, strategy=status.strategy,
            simulated=status.simulated, leader=status.phase in {Phase.READY, Phase.DIVERGED},
            halted=carry.breaker.state is BreakerState.HALTED or status.phase is Phase.DIVERGED,
            breaker=BreakerOut.model_validate(carry.breaker), feed=FeedOut.of(status.feed, status),
            equity=equity, day_pnl=pnl, day_pnl_frac=float(pnl / before) if before > 0 else None,
            positions=len(status.portfolio.positions), decisions=carry.decisions, inbox=status.inbox,
            step_ms=status.step_ms, now=status.now, started_at=status.started_at, version=status.version,
        )  # fmt: skip


class ReadyOut(Out):
    """May it trade?"""

    status: str
    reason: str


class DatabaseOut(Out):
    """How the database is."""

    version: str
    schema_revision: str
    size_bytes: int
    round_trip_ms: float

    @classmethod
    def of(cls, health: DatabaseHealth) -> Self:
        """Make it from the health that was read."""
        return cls(
            version=health.version, schema_revision=health.schema, size_bytes=health.size_bytes,
            round_trip_ms=health.round_trip_ms,
        )  # fmt: skip


class CacheOut(Out):
    """Which cache pages and this API read bars through, and what it was good for since the start."""

    kind: str
    """`in-process`, `redis` or `none`."""
    says: str
    is_away: bool
    hits: int
    misses: int
    refused: int
    """Answers that were not what was kept."""
    failures: int


class ParkedOut(Out):
    """An event that fitted nothing known; a person looks at it."""

    at: Moment
    kind: str
    reason: str
    payload: str

    @classmethod
    def of(cls, line: ParkedLine) -> Self:
        """Make it from the line that was read."""
        return cls.model_validate(line)


class DrillOut(Out):
    """What a rehearsal of the halt showed."""

    began_at: Moment
    positions: int
    orders: int
    flat_after_s: float | None
    """Seconds until nothing was held and no order was open; null when that was given up."""
    says: str

    @classmethod
    def of(cls, result: DrillResult) -> Self:
        """Make it from what was kept."""
        return cls.model_validate(result)


class SystemOut(Out):
    """What the bot runs on."""

    version: str
    python: str
    phase: Phase
    started_at: Moment
    memory_bytes: int
    """Resident memory of this process."""
    inbox: int
    step_ms: float
    feed: FeedOut
    database: DatabaseOut
    cache: CacheOut
    parked: list[ParkedOut]
    """The newest first, 50 at most."""
    drills: list[DrillOut]
    """The newest first, 20 at most."""


class SettingsOut(Out):
    """The effective settings; secrets are masked."""

    settings: dict[str, Any]
