"""Carries out what the kernel decided: written down first, then asked of the world, whose answers come back as events."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

import structlog

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order
from evil2root.domain.core.clock import Clock
from evil2root.domain.execution.broker import Answer, Broker, BrokerUnavailable
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import BarsClosed, Deposited, Event, FillArrived, OrderAnswered, SessionOpened
from evil2root.domain.kernel.journal import Journal, JournalUnavailable
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.state import State, empty
from evil2root.domain.kernel.step import step
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.engine.changes import ChangeLog
from evil2root.engine.event_clock import EventClock

log = structlog.get_logger()

T = TypeVar("T")

RETRY_FIRST_S, RETRY_MOST_S = 0.2, 5.0
"""Wait before the second try, doubled up to the most. Nothing is sent while the journal is away."""

TOPICS: dict[type[do.Action], str] = {
    do.KeepDecision: "decisions",
    do.KeepOrder: "orders",
    do.KeepFill: "orders",
    do.KeepPosition: "positions",
    do.KeepTrade: "trades",
    do.KeepEquity: "equity",
    do.KeepBreaker: "health",
    do.Park: "health",
}

Asked = do.Submit | do.Cancel | do.Amend


class Records(Protocol):
    """What the books know beyond the open orders. Raises `JournalUnavailable` as the journal does."""

    async def orders(self, client_order_ids: Sequence[str]) -> Mapping[str, Order]:
        """Return those of the orders that were ever made, by id."""
        ...

    async def fills(self, execution_ids: Sequence[str]) -> Mapping[str, Fill]:
        """Return those of the executions that were booked, by execution id."""
        ...


class Performer:
    """Owns the state; turns the crank and does what comes out. One caller at a time.

    Parameters
    ----------
    broker
        A venue that is played here: it is asked at once. None for a venue out there.
    records
        For a venue out there: what the books know of orders that are closed.
    wall
        For a venue out there: the machine's clock.
    present
        For a feed that tells of the present: the machine's clock, by which bars that are caught up on are old.
    """

    def __init__(  # noqa: PLR0913 - its parts
        self, *, policy: Policy, journal: Journal, broker: Broker | None, clock: Clock, changes: ChangeLog,
        records: Records | None = None, wall: Clock | None = None, present: Clock | None = None,
    ) -> None:  # fmt: skip
        self.policy = policy
        self.state: State = empty()
        self.trouble = ""
        """Why the journal or the broker can't be reached now; empty when they can."""
        self.send: Callable[[Asked], None] | None = None
        """Takes what is asked of a venue out there, when there are couriers."""
        self._journal = journal
        self._broker = broker
        self._clock = clock
        self._changes = changes
        self._records = records
        self._wall, self._present = wall, present

    async def turn(self, *events: Event) -> tuple[list[do.Validate], do.Reply | None]:
        """Step the kernel with events and with every answer the broker gives at once to what comes out.

        What all of `events` change is written down in one transaction, before anything is asked of the world. Returns
        what is to be challenged, and what is to be told to who asked.
        """
        inbox: deque[tuple[Event, ...]] = deque([events])
        challenges: list[do.Validate] = []
        reply: do.Reply | None = None
        while inbox:
            batch = await self._known(inbox.popleft())
            state, actions = self._step_all(batch)
            keeps = [a for a in actions if isinstance(a, do.Keep)]
            if keeps or state.carry != self.state.carry:
                await self._commit(keeps, state)
            self.state = state
            for action in actions:
                match action:
                    case do.Validate():
                        challenges.append(action)
                    case do.Reply():
                        reply = action
                    case do.Submit() | do.Cancel() | do.Amend():
                        inbox.extend((answer,) for answer in await self._ask(action))
                    case _:
                        pass
            await self._tell(keeps, _time(batch[-1]))
        return challenges, reply

    def _step_all(self, batch: Sequence[Event]) -> tuple[State, list[do.Action]]:
        state, actions = self.state, list[do.Action]()
        closed: dict[str, Order] = {}
        told_at = self._wall.now() if self._wall is not None else None
        present = self._present.now() if self._present is not None else None
        for event in batch:
            if isinstance(self._clock, EventClock) and (self._wall is None or isinstance(event, _OF_THE_FEED)):
                self._clock.advance(_time(event))
            now = event
            if isinstance(now, FillArrived) and now.fill.client_order_id in closed:
                now = replace(now, order=closed[now.fill.client_order_id])
            state, more = step(state, now, self.policy, told_at=told_at, present=present)
            closed |= {a.order.client_order_id: a.order for a in more if isinstance(a, do.KeepOrder)}
            actions += more
        return state, actions

    async def _known(self, batch: tuple[Event, ...]) -> tuple[Event, ...]:
        """Add to fills what the books know of them: asked here, where nothing else can change the books meanwhile."""
        told = [e.fill for e in batch if isinstance(e, FillArrived)]
        if not told or self._records is None:
            return batch
        records, executions = self._records, [f.execution_id for f in told]
        others = [f.client_order_id for f in told if f.client_order_id not in self.state.orders]
        booked = dict(await self.until_there(lambda: records.fills(executions)))
        orders = await self.until_there(lambda: records.orders(others)) if others else {}
        known: list[Event] = []
        for event in batch:
            if not isinstance(event, FillArrived):
                known.append(event)
                continue
            fill = event.fill
            known.append(replace(event, booked=booked.get(fill.execution_id), order=orders.get(fill.client_order_id)))
            booked.setdefault(fill.execution_id, fill)
        return tuple(known)

    async def _commit(self, keeps: list[do.Keep], state: State) -> None:
        """Write down, and try again until it holds: without a journal there is no trading."""
        await self.until_there(lambda: self._journal.commit(keeps, state.carry))

    async def until_there(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what may be done twice, again and again, until database and broker are there for it."""
        wait = RETRY_FIRST_S
        while True:
            try:
                done = await work()
            except (JournalUnavailable, BrokerUnavailable, BarsUnavailable) as problem:
                self.trouble = str(problem)
                event = "broker.unavailable" if isinstance(problem, BrokerUnavailable) else "journal.unavailable"
                log.warning(event, problem=str(problem), retry_in_s=wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_MOST_S)
            else:
                self.trouble = ""
                return done

    async def _ask(self, action: Asked) -> list[Event]:
        """Hand it to the couriers, or ask the venue that is played here until it answers.

        The paper venue de-duplicates: asking it again has no second effect.
        """
        if self._broker is None:
            assert self.send is not None, "a venue out there needs couriers before anything is sent"
            self.send(action)
            return []
        broker = self._broker

        async def once() -> list[Event]:
            match action:
                case do.Submit(approved=approved):
                    return [answered(await broker.submit(approved))]
                case do.Cancel(order=order):
                    return [answered(await broker.cancel(order))]
                case do.Amend(order=order):
                    await broker.amend(order)
                    return []

        return await self.until_there(once)

    async def _tell(self, keeps: list[do.Keep], at: datetime) -> None:
        for keep in keeps:
            _log(keep)
        topics = frozenset(TOPICS[type(k)] for k in keeps if type(k) in TOPICS)
        if topics:
            await self._changes.add(topics, at)


_OF_THE_FEED = (BarsClosed, SessionOpened, Deposited)
"""Events that carry the feed's time also where the venue's answers carry the machine's."""


def _time(event: Event) -> datetime:
    return event.fill.at if isinstance(event, FillArrived) else event.at


def answered(answer: Answer) -> OrderAnswered:
    """Turn a broker's answer into an event."""
    return OrderAnswered(
        client_order_id=answer.client_order_id, state=answer.state, why=answer.why, at=answer.at,
        broker_order_id=answer.broker_order_id,
    )  # fmt: skip


def _log(keep: do.Keep) -> None:
    match keep:
        case do.KeepFill(fill=f):
            log.info("order.filled", order=f.client_order_id, symbol=f.symbol, side=f.side, quantity=str(f.quantity),
                     price=str(f.price), at=f.at.isoformat())  # fmt: skip
        case do.KeepTrade(trade=t):
            log.info("trade.closed", symbol=t.symbol, pnl=str(t.pnl), reason=t.exit_reason, at=t.exit_time.isoformat())
        case do.KeepBreaker(breaker=b):
            log.warning("breaker.moved", state=b.state, reason=b.reason, by=b.by)
        case do.Park():
            log.error("event.parked", kind=keep.kind, reason=keep.reason)
        case _:
            pass
