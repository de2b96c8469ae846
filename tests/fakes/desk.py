"""A desk in memory whose contents come from the real kernel, run over a seeded market that never existed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import polars as pl

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Leg, Order, OrderEvent, OrderState
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Position, Trade
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money, Price
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.factors import Challenge
from evil2root.domain.execution.costs import Costs
from evil2root.domain.execution.exits import Exits
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import CancelAsked, CloseAsked, Event, HaltAsked, ResumeAsked, StopMoveAsked
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Carry, State
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.frame import BARS_SCHEMA
from evil2root.domain.market.history import History
from evil2root.domain.market.quality import Issue
from evil2root.domain.market.report import SeriesQuality, series_quality
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.methods import RiskAtStop
from evil2root.engine import replay
from evil2root.engine.aligned import Aligned
from evil2root.engine.changes import ChangeLog
from evil2root.engine.desk import Difference, FeedState, Phase, Recomputed, Status
from evil2root.engine.drilled import DrillResult
from evil2root.engine.hot import CacheState
from evil2root.engine.observe import bars_of, evidence_series
from evil2root.engine.reads import (
    AuditLine,
    Breach,
    DatabaseHealth,
    DecisionFilter,
    DecisionRow,
    Fate,
    Page,
    ParkedLine,
    SymbolRow,
)
from tests.fakes.market import NASTY, PanelStrategy, market
from tests.fakes.reconciling import FakeReconciling
from tests.fakes.weighing import FakeWeighing

T = TypeVar("T")
__all__ = ["NASTY", "SYMBOLS", "FakeDesk", "FakeReads", "a_desk", "a_policy", "decision_of", "filled_entries"]

SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT", "EURUSD=X")


def a_policy(symbols: Sequence[str] = SYMBOLS) -> Policy:
    return Policy(
        account="demo", currency="USD", interval=Interval.D1,
        instruments={s: replace(instrument_for(s), name=NASTY if s == "IBM" else instrument_for(s).name)
                     for s in symbols},
        strategy=PanelStrategy(), sizing=RiskAtStop(), size_at_open=False, challenge=Challenge(threshold=0.6),
        answer_within=timedelta(minutes=5), exits=Exits(), limits=Limits(), costs=Costs(),
        digest="5d41402abc4b2a76b9719d911017c592",
    )  # fmt: skip


class Recorder(replay._Book):
    """The backtest's own book, which also keeps each decision and each order's history."""

    def __init__(self, policy: Policy, *, cash: Money, at: datetime) -> None:
        self.decisions: dict[str, Decision] = {}
        self.history: dict[str, list[OrderEvent]] = {}
        self.replies: list[do.Reply] = []
        super().__init__(policy, cash=cash, at=at)

    def _keep(self, action: do.Action) -> None:
        super()._keep(action)
        match action:
            case do.KeepDecision(decision=decision):
                self.decisions[decision.id] = decision
            case do.KeepOrder(order=order):
                events = self.history.setdefault(order.client_order_id, [])
                if not events or events[-1].state is not order.state:
                    events.append(
                        OrderEvent(client_order_id=order.client_order_id, sequence=len(events) + 1, state=order.state,
                                   reason=order.why_state or order.reason, at=order.updated_at)
                    )  # fmt: skip
            case do.Reply():
                self.replies.append(action)
            case _:
                pass


@dataclass(slots=True, kw_only=True)
class FakeReads:
    """The read side over what the recorder kept."""

    book: Recorder
    frames: Mapping[str, pl.DataFrame]
    broken: frozenset[str] = frozenset()
    """Names of look-ups that fail."""
    extra_rows: tuple[DecisionRow, ...] = ()
    audit_lines: tuple[AuditLine, ...] = ()
    parked_lines: tuple[ParkedLine, ...] = ()
    drill_results: tuple[DrillResult, ...] = ()
    breach: Breach | None = None
    found_issues: tuple[Issue, ...] = ()

    def _check(self, name: str) -> None:
        if name in self.broken:
            msg = f"{name} is broken for this test"
            raise RuntimeError(msg)

    async def quality(self, symbol: str, interval: Interval, *, until: datetime | None) -> SeriesQuality:
        self._check("quality")
        frame = self.frames.get(symbol, pl.DataFrame(schema=BARS_SCHEMA))
        if until is not None:
            frame = frame.filter(pl.col("closed_at") <= until)
        stored = frame.select(list(BARS_SCHEMA)).with_columns(factor=pl.lit(1.0))
        history = History(symbol=symbol, interval=interval, stored=stored, origin="seeded")
        sessions = ExchangeCalendars().sessions(instrument_for(symbol))
        return series_quality(history, sessions=sessions, found=self.found_issues)

    async def carry(self) -> Carry | None:
        return self.book.run.state.carry

    async def positions(self) -> tuple[Position, ...]:
        return tuple(self.book.run.state.portfolio.positions.values())

    async def cash(self) -> Decimal:
        return self.book.run.state.portfolio.cash

    async def open_orders(self) -> tuple[Order, ...]:
        return tuple(self.book.run.state.orders.values())

    async def orders(self, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Order]:
        rows = [o for o in reversed(list(self.book.run.orders.values())) if symbol in (None, o.symbol)]
        return _page(rows, limit, cursor)

    async def order(self, client_order_id: str) -> tuple[Order, tuple[OrderEvent, ...]] | None:
        found = self.book.run.orders.get(client_order_id)
        return None if found is None else (found, tuple(self.book.history[client_order_id]))

    async def fills(self, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Fill]:
        return _page([x for x in reversed(self.book.run.fills) if symbol in (None, x.symbol)], limit, cursor)

    async def trades(self, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Trade]:
        self._check("trades")
        return _page([t for t in reversed(self.book.run.trades) if symbol in (None, t.symbol)], limit, cursor)

    async def all_trades(self, *, symbol: str | None) -> tuple[Trade, ...]:
        self._check("all_trades")
        return tuple(t for t in self.book.run.trades if symbol in (None, t.symbol))

    def _row(self, d: Decision) -> DecisionRow:
        order = self.book.run.orders.get(d.order_ids[0]) if d.order_ids else None
        trade = next((t for t in self.book.run.trades if t.entry_decision_id == d.id), None)
        return DecisionRow(
            id=d.id, sequence=d.sequence, at=d.at, symbol=d.symbol, interval=d.interval, strategy=d.strategy,
            wants=d.wants, side=d.side, outcome=d.outcome, score=None if d.view is None else d.view.score, why=d.why,
            why_not=d.why_not, order_state=None if order is None else order.state.value,
            pnl=None if trade is None else trade.pnl, r=None if trade is None else trade.r,
        )  # fmt: skip

    def _chosen(self, which: DecisionFilter) -> list[DecisionRow]:
        rows = [self._row(d) for d in self.book.decisions.values()] + list(self.extra_rows)
        return [
            r
            for r in sorted(rows, key=lambda r: -r.sequence)
            if which.symbol in (None, r.symbol)
            and (not which.outcomes or r.outcome in which.outcomes)
            and (which.since is None or r.at >= which.since)
            and (which.until is None or r.at < which.until)
        ]

    async def decisions(self, which: DecisionFilter, *, limit: int, cursor: str | None) -> Page[DecisionRow]:
        self._check("decisions")
        return _page(self._chosen(which), limit, cursor)

    async def decision_counts(self, which: DecisionFilter) -> dict[Outcome, int]:
        self._check("decisions")
        counts: dict[Outcome, int] = {}
        for row in self._chosen(which):
            counts[row.outcome] = counts.get(row.outcome, 0) + 1
        return counts

    async def decision(self, decision_id: str) -> Decision | None:
        return self.book.decisions.get(decision_id)

    async def latest_decision(self, symbol: str, *, at: datetime | None) -> Decision | None:
        found = [d for d in self.book.decisions.values() if d.symbol == symbol and (at is None or d.at <= at)]
        return found[-1] if found else None

    async def fate(self, decision_id: str) -> Fate:
        orders = tuple(o for o in self.book.run.orders.values() if o.decision_id == decision_id)
        ids = {o.client_order_id for o in orders}
        number = int(decision_id.removeprefix("D-"))
        held = self.book.run.state.portfolio.positions.values()
        return Fate(
            orders=orders, events=tuple(e for i in ids for e in self.book.history[i]),
            fills=tuple(x for x in self.book.run.fills if x.client_order_id in ids),
            trade=next((t for t in self.book.run.trades if t.entry_decision_id == decision_id), None),
            position=next((p for p in held if p.decision_id == decision_id), None),
            previous=f"D-{number - 1}" if number > 1 else None,
            next=f"D-{number + 1}" if f"D-{number + 1}" in self.book.decisions else None,
        )  # fmt: skip

    async def equity(self, *, since: datetime | None, points_max: int) -> tuple[EquityPoint, ...]:
        self._check("equity")
        points = [p for p in self.book.run.points if since is None or p.at >= since]
        if len(points) > points_max:
            points = [*points[:: len(points) // (points_max - 1) + 1], points[-1]]
        return tuple(points)

    async def symbols(self, *, until: datetime | None) -> tuple[SymbolRow, ...]:
        self._check("symbols")
        return tuple(
            SymbolRow(symbol=s, interval=Interval.D1, bars=seen.height, first=seen["opened_at"][0],
                      last=seen["opened_at"][-1], source="synthetic")
            for s, frame in self.frames.items()
            if (seen := _until(frame, until)).height
        )  # fmt: skip

    async def bars(
        self, symbol: str, interval: Interval, *, start: datetime | None, until: datetime | None, limit: int
    ) -> pl.DataFrame:
        self._check("bars")
        frame = self.frames.get(symbol, next(iter(self.frames.values())).clear())
        frame = _until(frame if interval is Interval.D1 else frame.clear(), until)
        return (frame if start is None else frame.filter(pl.col("opened_at") >= start)).tail(limit)

    async def last_bars(self, symbols: Sequence[str], interval: Interval, *, until: datetime | None) -> dict[str, Bar]:
        self._check("last_bars")
        found = {s: _until(self.frames[s], until).tail(1) for s in symbols if s in self.frames}
        return {s: bars_of(f, symbol=s, interval=interval)[0] for s, f in found.items() if f.height}

    async def audit(self, *, limit: int, cursor: str | None) -> Page[AuditLine]:
        return _page(list(self.audit_lines), limit, cursor)

    async def parked(self, *, limit: int) -> tuple[ParkedLine, ...]:
        return self.parked_lines[:limit]

    async def drills(self, *, limit: int) -> tuple[DrillResult, ...]:
        self._check("drills")
        return self.drill_results[:limit]

    async def verify(self) -> Breach | None:
        return self.breach

    def cache(self) -> CacheState:
        return CacheState(kind="in-process", says="a fake", hits=2, misses=1)

    async def health(self) -> DatabaseHealth:
        self._check("health")
        return DatabaseHealth(version="PostgreSQL 18.6", schema="evil2root", size_bytes=41_200_000, round_trip_ms=0.41)


def _until(frame: pl.DataFrame, until: datetime | None) -> pl.DataFrame:
    return frame if until is None else frame.filter(pl.col("closed_at") <= until)


def _page(rows: list[T], limit: int, cursor: str | None) -> Page[T]:
    try:
        first = int(cursor or 0)
    except ValueError:
        msg = f"{cursor!r} is no cursor."
        raise ValueError(msg) from None
    more = first + limit < len(rows)
    return Page(items=tuple(rows[first : first + limit]), next=str(first + limit) if more else None)


@dataclass(slots=True, kw_only=True)
class FakeDesk:
    """A desk over a run that stands still; commands turn the real kernel once."""

    policy: Policy
    book: Recorder
    reads: FakeReads
    status_changes: dict[str, object] = field(default_factory=dict)
    """Fields of the status to show instead of the ordinary ones."""
    differences: tuple[Difference, ...] = ()
    log: ChangeLog = field(default_factory=ChangeLog)
    reconciling: FakeReconciling = field(default_factory=FakeReconciling)
    weighing: FakeWeighing = field(default_factory=FakeWeighing)
    asked: list[Event] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    """From where each of them was asked."""

    @property
    def state(self) -> State:
        return self.book.run.state

    def status(self) -> Status:
        carry = self.state.carry
        now = carry.closed_at or datetime(2005, 1, 3, 14, 30, tzinfo=UTC)
        total = sum(f.height for f in self.reads.frames.values())
        status = Status(
            phase=Phase.READY, says="", mode="paper", broker="paper", strategy=self.policy.strategy.name,
            simulated=True, now=now, started_at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC), version="0.1.0", carry=carry,
            portfolio=self.state.portfolio, inbox=0, step_ms=3.4,
            feed=FeedState(source="replay" if self.status_changes.get("simulated", True) else "folder", origin="a seeded walk", last_bar_at=carry.closed_at, finished=False,
                           speed=1.0, shown=self.book.run.bars, total=total),
        )  # fmt: skip
        return replace(status, **self.status_changes)  # type: ignore[arg-type]

    def _ask(self, event: Event, origin: str) -> do.Reply:
        self.asked.append(event)
        self.origins.append(origin)
        self.book.turn(event)
        return self.book.replies[-1]

    async def halt(self, *, by: str, origin: str, reason: str, cancel: bool, flatten: bool) -> do.Reply:
        now = self.status().now
        return self._ask(HaltAsked(by=by, reason=reason, at=now, cancel=cancel, flatten=flatten), origin)

    async def resume(self, *, by: str, origin: str, reason: str) -> do.Reply:
        return self._ask(ResumeAsked(by=by, reason=reason, at=self.status().now), origin)

    async def close(self, symbol: str, *, by: str, origin: str, quantity: Decimal | None) -> do.Reply:
        return self._ask(CloseAsked(symbol=symbol, by=by, at=self.status().now, attempt=1, quantity=quantity), origin)

    async def cancel(self, client_order_id: str, *, by: str, origin: str) -> do.Reply:
        return self._ask(CancelAsked(client_order_id=client_order_id, by=by, at=self.status().now), origin)

    async def move_guards(
        self, symbol: str, *, by: str, origin: str, stop: Price | None, target: Price | None
    ) -> do.Reply:
        return self._ask(StopMoveAsked(symbol=symbol, by=by, at=self.status().now, stop=stop, target=target), origin)

    async def threshold_of(self, digest: str) -> float | None:
        return self.policy.threshold if digest == self.policy.digest else None

    async def recompute(self, decision_id: str) -> Recomputed | None:
        await asyncio.sleep(0)
        if decision_id not in self.book.decisions:
            return None
        return Recomputed(identical=not self.differences, differences=self.differences)

    def settings(self) -> Mapping[str, object]:
        return {"mode": "paper", "risk": {"per_symbol_frac": "0.20"}, "secret_key": "***", "note": NASTY}

    def changes(self) -> ChangeLog:
        return self.log


def a_desk(*, bars: int = 230, symbols: Sequence[str] = SYMBOLS, **status: object) -> FakeDesk:
    """A desk after `bars` bars of each symbol; none: an account that has only just begun."""
    policy = a_policy(symbols)
    starts = {"EURUSD=X": 1.31}
    frames = {
        s: market(seed, bars=max(bars, 1) + 20, start=starts.get(s, 40.0 + 35 * seed))
        for seed, s in enumerate(symbols, start=1)
    }
    first = frames[symbols[0]]["opened_at"][0]
    book = Recorder(policy, cash=Money(Decimal(100_000)), at=first)
    series = [
        evidence_series(policy.strategy, frames[s].head(bars), symbol=s, interval=policy.interval) for s in symbols
    ]
    aligned = Aligned(frames, symbols=tuple(symbols), interval=policy.interval)
    for group in replay.groups(series):
        book.play(group, aligned.recent(group[0].bar.closed_at))
    lines = (
        AuditLine(sequence=2, at=first, actor=NASTY, origin="web 127.0.0.1", action="halt", object="account:demo",
                  before="ACTIVE", after="HALTED", hash="ab" * 32),
        AuditLine(sequence=1, at=first, actor="system", origin="start", action="user.added", object="user:admin",
                  before=None, after="admin", hash="cd" * 32),
    )  # fmt: skip
    reads = FakeReads(book=book, frames=frames, audit_lines=lines)
    return FakeDesk(policy=policy, book=book, reads=reads, status_changes=status)


def decision_of(desk: FakeDesk, *outcomes: Outcome) -> Decision:
    """The newest decision that ended so."""
    return next(d for d in reversed(desk.book.decisions.values()) if d.outcome in outcomes)


def filled_entries(desk: FakeDesk) -> list[Order]:
    """Entry orders that filled, oldest first."""
    return [o for o in desk.book.run.orders.values() if o.leg is Leg.ENTRY and o.state is OrderState.FILLED]
