"""The ports of the engine in memory: a journal, the paper venue's memory, a feed of given bars."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from evil2root.adapters.brokers.paper import PaperBroker
from evil2root.adapters.rules_validator import RulesValidator
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.ledger import CASH, Entry, balances
from evil2root.domain.book.orders import Order
from evil2root.domain.book.portfolio import EquityPoint, Portfolio
from evil2root.domain.book.positions import Position, Trade
from evil2root.domain.core.money import ZERO, Money
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.execution.venue import Phase, VenueAccount
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import Deposited
from evil2root.domain.kernel.journal import JournalUnavailable
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Carry, State
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.sources import BarGroup
from evil2root.engine.changes import ChangeLog
from evil2root.engine.event_clock import EventClock
from evil2root.engine.live import Engine, Ports
from evil2root.engine.observe import bars_of
from evil2root.engine.outside import Remote
from tests.fakes.remote import FakeVenue


class Killed(BaseException):
    """The process ended here, as far as the test is concerned."""


@dataclass
class Fuse:
    """Ends the process at the n-th durable write, before it takes effect or after."""

    writes: int | None = None
    after: bool = False
    on_awaiting: bool = False
    """Ends it once a proposal is written down that waits for its verdict."""
    seen: int = 0

    def burn(self, *, done: bool) -> None:
        if not done:
            self.seen += 1
        if self.writes == self.seen and done == self.after:
            raise Killed


@dataclass
class Books:
    """What survives a crash: our journal and the venue's own memory."""

    carry: Carry | None = None
    decisions: dict[str, Decision] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    fills: dict[str, Fill] = field(default_factory=dict)
    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    points: list[EquityPoint] = field(default_factory=list)
    parked: list[do.Park] = field(default_factory=list)
    venue: tuple[VenueAccount, datetime | None, Phase | None] | None = None
    venue_fills: dict[str, Fill] = field(default_factory=dict)


class MemoryJournal:
    def __init__(self, books: Books, fuse: Fuse | None = None, *, away: int = 0) -> None:
        self.books = books
        self.fuse = fuse or Fuse()
        self.away = away
        """Commits that fail before the journal is back."""

    async def commit(self, keeps: Sequence[do.Keep], carry: Carry) -> None:
        if self.away:
            self.away -= 1
            msg = "the journal is away"
            raise JournalUnavailable(msg)
        self.fuse.burn(done=False)
        for keep in keeps:
            self._keep(keep)
        self.books.carry = carry
        kept = [k.decision.outcome for k in keeps if isinstance(k, do.KeepDecision)]
        if self.fuse.on_awaiting and Outcome.AWAITING_VERDICT in kept:
            raise Killed
        self.fuse.burn(done=True)

    def _keep(self, keep: do.Keep) -> None:  # noqa: C901 - one arm a kind
        books = self.books
        match keep:
            case do.KeepDecision(decision=decision):
                books.decisions[decision.id] = decision
            case do.KeepOrder(order=order):
                books.orders[order.client_order_id] = order
            case do.KeepFill(fill=fill):
                assert fill.execution_id not in books.fills, "booked twice"
                books.fills[fill.execution_id] = fill
            case do.KeepEntries(entries=entries):
                for entry in entries:
                    assert (entry.transaction_id, entry.line) not in books.entries, "booked twice"
                    books.entries[entry.transaction_id, entry.line] = entry
            case do.KeepPosition(symbol=symbol, position=position):
                books.positions.pop(symbol, None)
                if position is not None:
                    books.positions[symbol] = position
            case do.KeepTrade(trade=trade):
                books.trades.append(trade)
            case do.KeepEquity(point=point):
                books.points.append(point)
            case do.Park(kind=kind, key=key):
                if not key or (kind, key) not in {(p.kind, p.key) for p in books.parked}:
                    books.parked.append(keep)
            case do.KeepBreaker():
                pass

    async def load(self) -> State | None:
        books = self.books
        if books.carry is None:
            return None
        cash = balances(books.entries.values()).get((CASH, "USD"), ZERO)
        waiting = (Outcome.AWAITING_VERDICT, Outcome.AWAITING_OPEN)
        return State(
            portfolio=Portfolio(
                cash=Money(cash), positions=dict(books.positions), marks=books.carry.marks, rates=books.carry.rates
            ),
            carry=books.carry,
            orders={k: o for k, o in books.orders.items() if o.is_open},
            awaiting={k: d for k, d in books.decisions.items() if d.outcome in waiting},
        )

    async def recorded_execution_ids(self) -> Sequence[str]:
        return list(self.books.fills)


class MemoryRecords:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def orders(self, client_order_ids: Sequence[str]) -> Mapping[str, Order]:
        return {k: self.books.orders[k] for k in client_order_ids if k in self.books.orders}

    async def fills(self, execution_ids: Sequence[str]) -> Mapping[str, Fill]:
        return {k: self.books.fills[k] for k in execution_ids if k in self.books.fills}


class MemoryVenueStore:
    def __init__(self, books: Books, fuse: Fuse | None = None) -> None:
        self.books = books
        self.fuse = fuse or Fuse()

    async def load(self, account: str) -> tuple[VenueAccount, datetime | None, Phase | None] | None:  # noqa: ARG002
        return self.books.venue

    async def save(
        self, account: VenueAccount, *, played_at: datetime | None, phase: Phase | None, fills: Sequence[Fill]
    ) -> None:
        self.fuse.burn(done=False)
        self.books.venue = account, played_at, phase
        for fill in fills:
            assert fill.execution_id not in self.books.venue_fills, "the venue executed twice"
            self.books.venue_fills[fill.execution_id] = fill
        self.fuse.burn(done=True)

    async def fills_since(self, account: str, known: Sequence[str]) -> tuple[Fill, ...]:  # noqa: ARG002
        return tuple(f for k, f in self.books.venue_fills.items() if k not in set(known))


class ListFeed:
    """Tells the bars of given frames, and keeps what came before its start as history."""

    def __init__(self, frames: Mapping[str, pl.DataFrame], *, pace_s: float = 0.0) -> None:
        self.frames = frames
        self.pace_s = pace_s

    async def groups(self, after: datetime | None) -> AsyncIterator[BarGroup]:
        by_close: dict[datetime, list[object]] = {}
        for symbol, frame in self.frames.items():
            for bar in bars_of(frame, symbol=symbol, interval=Interval.D1):
                by_close.setdefault(bar.closed_at, []).append(bar)
        for closed_at in sorted(by_close):
            if after is None or closed_at > after:
                if self.pace_s:
                    await asyncio.sleep(self.pace_s)
                yield BarGroup(closed_at=closed_at, bars=tuple(by_close[closed_at]))  # type: ignore[arg-type]

    async def series(self, symbol: str, interval: Interval, *, until: datetime | None) -> pl.DataFrame:  # noqa: ARG002
        frame = self.frames[symbol]
        return frame if until is None else frame.filter(pl.col("closed_at") <= until)


async def an_engine(  # noqa: PLR0913 - what a test may want otherwise
    policy: Policy, frames: Mapping[str, pl.DataFrame], books: Books, *, start: datetime, cash: Money,
    fuse: Fuse | None = None, away: int = 0, calendars: Calendars | None = None, feed: ListFeed | None = None,
) -> Engine:  # fmt: skip
    """An engine over memory, as `main` wires it over PostgreSQL."""
    clock = EventClock(start)
    broker = PaperBroker(MemoryVenueStore(books, fuse), policy.terms, clock, account=policy.account, cash=cash)
    await broker.open()
    feed = feed or ListFeed(frames)
    ports = Ports(
        journal=MemoryJournal(books, fuse, away=away), broker=broker, venue=broker,
        validator=RulesValidator(policy.challenge), feed=feed, bars=feed, clock=clock, calendars=calendars,
    )  # fmt: skip
    opening = Deposited(amount=cash, at=start, ref="deposit:1")
    return Engine(policy=policy, ports=ports, opening=opening, changes=ChangeLog())


def an_engine_outside(  # noqa: PLR0913 - what a test may want otherwise
    policy: Policy, frames: Mapping[str, pl.DataFrame], books: Books, venue: FakeVenue, *, start: datetime,
    fuse: Fuse | None = None, pace_s: float = 0.004, quarantine_s: float = 0.06, halted: Callable[[], bool] = bool,
    leads: Callable[[], bool] = lambda: True,
) -> Engine:  # fmt: skip
    """An engine that trades at a venue out there, over memory."""
    feed = ListFeed(frames, pace_s=pace_s)
    remote = Remote(
        broker=venue, records=MemoryRecords(books), wall=venue.clock, quarantine_s=quarantine_s, leads=leads,
        halted=halted,
    )  # fmt: skip
    ports = Ports(
        journal=MemoryJournal(books, fuse), broker=None, venue=None, validator=RulesValidator(policy.challenge),
        feed=feed, bars=feed, clock=EventClock(start), remote=remote,
    )  # fmt: skip
    opening = Deposited(amount=Money(ZERO), at=start, ref="deposit:1")
    return Engine(policy=replace(policy, venue=venue.traits), ports=ports, opening=opening, changes=ChangeLog())


def without_times(order: Order) -> Order:
    """An order without the moments that depend on when the broker answered."""
    return replace(
        order, created_at=order.bar_at, updated_at=order.bar_at, sent_at=None, broker_order_id=None, why_state=""
    )
