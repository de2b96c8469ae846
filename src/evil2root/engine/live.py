"""The live engine: one inbox with one consumer, fed by supervised tasks. Paper, replay and live run this."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

import polars as pl
import structlog

from evil2root.domain.book.charges import Charge
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order
from evil2root.domain.core.clock import Clock
from evil2root.domain.decision.verdict import Validator
from evil2root.domain.execution.broker import Answer, Broker, BrokerUnavailable, SimulatedVenue
from evil2root.domain.execution.venue import Phase
from evil2root.domain.kernel.actions import Reply, Validate
from evil2root.domain.kernel.events import (
    BarsClosed,
    ChargeArrived,
    Deposited,
    Event,
    FillArrived,
    HaltAsked,
    ResumeAsked,
    SessionOpened,
    VerdictArrived,
)
from evil2root.domain.kernel.journal import Journal
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.calendars import Calendars, sessions_or_nowhere
from evil2root.domain.market.sources import BarFeed, BarGroup, BarMarks, BarStore
from evil2root.domain.risk.recent import Recent
from evil2root.engine.carrying import Carrier, Newest
from evil2root.engine.changes import ChangeLog
from evil2root.engine.conditions import conditions
from evil2root.engine.desk import Phase as EnginePhase
from evil2root.engine.differences import Divergence
from evil2root.engine.observe import Background
from evil2root.engine.outside import COMPARE_EVERY_S, Outside, Remote
from evil2root.engine.perform import Performer, answered
from evil2root.engine.recover import compare, recover
from evil2root.engine.series import Series

log = structlog.get_logger()

INBOX_MAX = 1_000
"""Events waiting for the kernel. A full inbox stops the feed; it drops nothing."""

Told = Event | tuple[Event, ...] | BarGroup

URGENT, ASKED, ANSWER, BARS = range(4)
"""Whoever is lower goes first: a halt beats everything behind it."""


@dataclass(order=True)
class _Item:
    rank: int
    sequence: int
    what: Told = field(compare=False)
    done: "asyncio.Future[Reply | None]" = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the engine needs of the world."""

    journal: Journal
    broker: Broker | None
    """A broker that is played here; none when there is a `remote` one."""
    venue: SimulatedVenue | None
    """The broker's own play of the bars, when it is a simulated one."""
    validator: Validator
    feed: BarFeed
    bars: BarStore
    clock: Clock
    remote: Remote | None = None
    calendars: Calendars | None = None
    """Without them decisions have no data passports."""
    present: Clock | None = None
    """The machine's clock, where the feed tells of the present."""
    marks: BarMarks | None = None
    """Who told the bars; without them passports do not say."""


class Engine:
    """Trades. `run` recovers, then works until the feed ends and beyond, until it is cancelled."""

    def __init__(self, *, policy: Policy, ports: Ports, opening: Deposited, changes: ChangeLog) -> None:
        self.policy = policy
        self.changes = changes
        self.phase = EnginePhase.STARTING
        self.says = "The engine has not started yet."
        self.shown = 0
        self.finished = False
        self.step_ms = 0.0
        self._ports = ports
        self._opening = opening
        self.halted_now = ""
        """Why no entry may leave from this moment on, whatever waits in the inbox; empty when nothing holds."""
        remote = ports.remote
        self._halts = 0
        """Halts that wait in the inbox: until they are worked through, nothing clears `halted_now`."""
        self._performer = Performer(
            policy=policy, journal=ports.journal, broker=ports.broker, clock=ports.clock, changes=changes,
            records=None if remote is None else remote.records, wall=None if remote is None else remote.wall,
            present=ports.present,
        )  # fmt: skip
        self._outside = None if remote is None else Outside(
            remote, self._performer, tell=self._told, objection=self._objection, bars=ports.bars
        )  # fmt: skip
        self._inbox: asyncio.PriorityQueue[_Item] = asyncio.PriorityQueue(INBOX_MAX)
        self._numbers = count()
        self._series = Series(ports.bars, symbols=policy.instruments, compared=policy.traded, interval=policy.interval)
        self._carrier = Carrier(policy.strategy)
        self._unanswered = 0
        self._feeding: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()
        self._settled = asyncio.Event()
        self._settled.set()
        self._agreed = asyncio.Event()
        """Set once our books and the broker's were the same: nothing is fed before."""
        self.compared = asyncio.Event()
        """Set once the books have been compared with the broker's, whatever came out."""
        self._consuming = False

    @property
    def performer(self) -> Performer:
        """The owner of the state."""
        return self._performer

    @property
    def waiting(self) -> int:
        """Events in the inbox."""
        return self._inbox.qsize()

    async def run(self) -> None:
        """Recover, then trade. Ends only by cancellation or by an error nobody expected."""
        self.phase, self.says = EnginePhase.RECOVERING, "Comparing the books with the broker."
        differences = await self._performer.until_there(self._recover)
        await self._performer.until_there(self._load_series)
        await self._conclude(differences)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._consuming = True
                tasks.create_task(self._consume(tasks), name="kernel")
                if self._outside is not None:
                    self._outside.start(tasks)
                    tasks.create_task(self._compare_again(), name="comparison")
                self._feeding = tasks.create_task(self._feed(), name="feed")
        finally:
            self._consuming = False
            if self._outside is not None:
                await self._outside.close()
            self.phase, self.says = EnginePhase.STOPPED, "The engine has stopped."

    async def drain(self) -> None:
        """Stop the feed and let what is being worked on finish; `run` may be cancelled afterwards."""
        if self._feeding is not None:
            self._feeding.cancel()
        if self._outside is not None:
            await self._outside.couriers.idle()
        await self._busy.acquire()

    async def adopt(self, made: Callable[[], Awaitable[Policy]]) -> None:
        """Decide by the policy that `made` gives from the next bars on; nothing is worked through meanwhile."""
        async with self._busy:
            self.policy = self._performer.policy = policy = await made()
            self._carrier.decide_by(policy.strategy)

    def last_bar(self, symbol: str) -> tuple[Bar | None, int]:
        """Return the last bar of a symbol and its place in the series, counted from 1; none and 0 without one."""
        return self._series.last_bar(symbol)

    async def _recover(self) -> tuple[Divergence, ...]:
        ports = self._ports
        if self._outside is not None:

            def say(text: str) -> None:
                self.says = text

            return await self._outside.recover(journal=ports.journal, opening=self._opening, say=say)
        assert ports.broker is not None, "there is a broker that is played here or one out there"
        return await recover(self._performer, journal=ports.journal, broker=ports.broker, opening=self._opening)

    async def compare(self) -> tuple[Divergence, ...] | None:
        """Compare our books with the broker's now; none when something is moving, so that nothing can be said.

        Trading waits while they differ, and goes on when they agree; a halt stays until a person ends it.
        """
        if self._outside is not None:
            found = await self._outside.compare()
        else:
            assert self._ports.broker is not None, "there is a broker that is played here or one out there"
            async with self._busy:
                found = compare(self._performer.state, await self._ports.broker.books())
        if found is not None:
            await self._conclude(found)
        return found

    async def _conclude(self, found: tuple[Divergence, ...]) -> None:
        """Trade on books that agree; halt on books that differ."""
        self.compared.set()
        if not found:
            if self.phase is not EnginePhase.READY:
                log.info("engine.ready", decisions=self._performer.state.carry.decisions)
            self.phase, self.says = EnginePhase.READY, ""
            self._agreed.set()
            return
        text = "; ".join(f"{d.what}: ours {d.ours}, the broker's {d.theirs}" for d in found)
        says = f"Our books and the broker's differ. {text}."
        halted = not self._performer.state.carry.breaker.lets_in
        if self.phase is EnginePhase.DIVERGED and says == self.says and halted:
            return
        self.phase, self.says = EnginePhase.DIVERGED, says
        log.error("recovery.diverged", differences=text)
        await self._told((HaltAsked(by="recovery", reason=says, at=self._ports.clock.now()),))

    async def _compare_again(self) -> None:
        """Compare now and then: books that part while trading are as wrong as those found at the start."""
        while True:
            await asyncio.sleep(COMPARE_EVERY_S)
            try:
                await self.compare()
            except BrokerUnavailable as problem:
                log.info("comparison.put_off", problem=str(problem))

    async def _told(self, events: Sequence[Event]) -> None:
        """Take what the venue told to the kernel, and wait until it is worked through."""
        if self._consuming:
            await self._put(ANSWER, tuple(events))
        else:
            await self._performer.turn(*events)

    def _objection(self, order: Order) -> str:
        """Say why an entry may not leave after all: asked at the last moment before it does."""
        carry = self._performer.state.carry
        if self.halted_now:
            return self.halted_now
        if not carry.breaker.lets_in:
            return f"entries are stopped ({carry.breaker.state}): {carry.breaker.reason}"
        if self._ports.remote is not None and self._ports.remote.halted():
            return "the HALT file is there"
        return carry.frozen.get(order.symbol, "")

    async def ask(self, event: Event, *, urgent: bool = False) -> Reply:
        """Put what a person asks into the inbox and wait for the answer."""
        reply = await self._put(URGENT if urgent else ASKED, event)
        return reply or Reply(done=False, says="Nothing came of it.")

    async def _put(self, rank: int, what: Told) -> Reply | None:
        done: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        halts = sum(isinstance(event, HaltAsked) for event in (what if isinstance(what, tuple) else (what,)))
        self._halts += halts
        try:
            await self._inbox.put(_Item(rank, next(self._numbers), what, done))
        except asyncio.CancelledError:
            self._halts -= halts
            raise
        return await done

    async def _feed(self) -> None:
        """Bring bars, one group after another: the next when all that came of the last one is settled."""
        await self._agreed.wait()
        after = self._performer.state.carry.closed_at or self._opening.at
        async with aclosing(self._ports.feed.groups(after)) as groups:  # type: ignore[type-var] # a generator
            async for group in groups:
                await self._put(BARS, group)
                await self._settled.wait()
        self.finished = True
        log.info("feed.finished", shown=self.shown)

    async def _consume(self, tasks: asyncio.TaskGroup) -> None:
        """Work through the inbox: the only place where the state changes."""
        while True:
            item = await self._inbox.get()
            async with self._busy:
                reply = await self._work(self._in_time(item), tasks)
            if not item.done.done():
                item.done.set_result(reply)

    def _in_time(self, item: _Item) -> Told:
        """Bring what was asked while bars were worked through up to the clock: nothing is asked before what is known."""
        what, now = item.what, self._ports.clock.now()
        if item.rank not in (URGENT, ASKED) or isinstance(what, tuple | BarGroup | FillArrived) or what.at >= now:
            return what
        return replace(what, at=now)

    async def _work(self, what: Told, tasks: asyncio.TaskGroup) -> Reply | None:
        if isinstance(what, BarGroup):
            loop = asyncio.get_running_loop()
            began = loop.time()
            await self._play(what, tasks)
            self.shown += len(what.bars)
            self.step_ms = (loop.time() - began) * 1_000
            return None
        reply = await self._turn(tasks, *(what if isinstance(what, tuple) else (what,)))
        if isinstance(what, VerdictArrived):
            self._unanswered -= 1
            if self._unanswered == 0:
                self._settled.set()
        return reply

    async def _turn(self, tasks: asyncio.TaskGroup, *events: Event) -> Reply | None:
        challenges, reply = await self._performer.turn(*events)
        self._halts -= sum(isinstance(event, HaltAsked) for event in events)
        if not self._halts and any(isinstance(event, HaltAsked | ResumeAsked) for event in events):
            self.halted_now = ""  # from now on the breaker says it
        for challenge in challenges:
            self._unanswered += 1
            self._settled.clear()
            tasks.create_task(self._challenge(challenge), name=f"verdict {challenge.proposal.decision_id}")
        return reply

    async def _challenge(self, action: Validate) -> None:
        verdict = await self._ports.validator.challenge(action.proposal, action.evidence)
        at = self._ports.clock.now()
        await self._put(ANSWER, VerdictArrived(decision_id=action.proposal.decision_id, verdict=verdict, at=at))

    async def _play(self, group: BarGroup, tasks: asyncio.TaskGroup) -> None:
        """Work through the bars that close together: exits and entries at the open, the inside, the close."""
        if group.renewed:
            await self._performer.until_there(lambda: self._load_series(group.renewed))
        bars = {bar.symbol: bar for bar in group.bars}
        await self._phase(Phase.EXITS, bars, group.closed_at, tasks)
        if self._performer.state.awaiting:
            opened = min(bar.opened_at for bar in group.bars)
            await self._turn(tasks, SessionOpened(at=opened, opens={s: b.open for s, b in bars.items()}))
        await self._phase(Phase.ENTRIES, bars, group.closed_at, tasks)
        await self._phase(Phase.INSIDE, bars, group.closed_at, tasks)
        backgrounds = await self._backgrounds(group.bars)
        newest = [
            Newest(bar=bar, bars=frame, background=backgrounds.get(bar.symbol))
            for bar, frame in zip(group.bars, self._series.add(group.bars), strict=True)
        ]
        evidence = await asyncio.to_thread(self._carrier.evidence, newest)
        recent = self._series.recent(group.closed_at)
        await self._turn(tasks, BarsClosed(at=group.closed_at, evidence=evidence, recent=recent))

    async def _backgrounds(self, bars: Sequence[Bar]) -> Mapping[str, Background]:
        """Gather what the bars' passports are made from, by symbol."""
        calendars, marks = self._ports.calendars, self._ports.marks
        if calendars is None:
            return {}
        told: Mapping[str, pl.DataFrame] = {}
        if marks is not None:
            opened = {bar.symbol: bar.opened_at for bar in bars}
            told = await self._performer.until_there(lambda: marks.newest(opened, self.policy.interval))
        instruments = self.policy.instruments
        return {
            bar.symbol: Background(
                sessions=sessions_or_nowhere(calendars, instruments[bar.symbol]), marks=told.get(bar.symbol)
            )
            for bar in bars
        }

    async def _phase(self, phase: Phase, bars: Mapping[str, Bar], at: datetime, tasks: asyncio.TaskGroup) -> None:
        venue = self._ports.venue
        if venue is None:
            return
        rates = self._performer.state.portfolio.rates
        seen = conditions(self._recent(), self._performer.state, self.policy)
        for event in await self._performer.until_there(lambda: venue.play(phase, bars, at, rates=rates, seen=seen)):
            told: Event
            match event:
                case Answer():
                    told = answered(event)
                case Charge():
                    told = ChargeArrived(charge=event, at=event.at)
                case Fill():
                    told = FillArrived(fill=event)
            await self._turn(tasks, told)

    def _recent(self) -> Recent | None:
        """What the market did up to the last close, also right after a start."""
        state = self._performer.state
        at = state.carry.closed_at
        return state.recent if state.recent is not None or at is None else self._series.recent(at)

    async def _load_series(self, symbols: Iterable[str] | None = None) -> None:
        """Load the bars up to where the account stands, of all symbols or some; the feed brings the rest."""
        until = self._performer.state.carry.closed_at or self._opening.at
        await self._series.load(until, symbols, forget=self._carrier.forget)
