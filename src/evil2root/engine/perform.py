"""Carries out what the kernel decided: written down first, then asked of the world, whose answers come back as events."""

import asyncio
from collections import deque
from datetime import datetime

import structlog

from evil2root.domain.core.clock import Clock
from evil2root.domain.execution.broker import Answer, Broker, BrokerUnavailable
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import Event, FillArrived, OrderAnswered
from evil2root.domain.kernel.journal import Journal, JournalUnavailable
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.state import State, empty
from evil2root.domain.kernel.step import step
from evil2root.engine.changes import ChangeLog
from evil2root.engine.event_clock import EventClock

log = structlog.get_logger()

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


class Performer:
    """Owns the state; turns the crank and does what comes out. One caller at a time."""

    def __init__(self, *, policy: Policy, journal: Journal, broker: Broker, clock: Clock, changes: ChangeLog) -> None:
        self.policy = policy
        self.state: State = empty()
        self.trouble = ""
        """Why the journal or the broker can't be reached now; empty when they can."""
        self._journal = journal
        self._broker = broker
        self._clock = clock
        self._changes = changes

    async def turn(self, event: Event) -> tuple[list[do.Validate], do.Reply | None]:
        """Step the kernel with `event` and with every answer the broker gives to what comes out.

        Returns what is to be challenged, and what is to be told to who asked.
        """
        inbox: deque[Event] = deque([event])
        challenges: list[do.Validate] = []
        reply: do.Reply | None = None
        while inbox:
            now = inbox.popleft()
            at = now.fill.at if isinstance(now, FillArrived) else now.at
            if isinstance(self._clock, EventClock):
                self._clock.advance(at)
            state, actions = step(self.state, now, self.policy)
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
                        inbox.extend(await self._ask(action))
                    case _:
                        pass
            await self._tell(keeps, at)
        return challenges, reply

    async def _commit(self, keeps: list[do.Keep], state: State) -> None:
        """Write down, and try again until it holds: without a journal there is no trading."""
        wait = RETRY_FIRST_S
        while True:
            try:
                await self._journal.commit(keeps, state.carry)
            except JournalUnavailable as problem:
                self.trouble = str(problem)
                log.warning("journal.unavailable", problem=str(problem), retry_in_s=wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_MOST_S)
            else:
                self.trouble = ""
                return

    async def _ask(self, action: do.Submit | do.Cancel | do.Amend) -> list[Event]:
        """Ask the broker until it answers. The paper venue de-duplicates: asking again has no second effect."""
        wait = RETRY_FIRST_S
        while True:
            try:
                match action:
                    case do.Submit(approved=approved):
                        return [answered(await self._broker.submit(approved))]
                    case do.Cancel(order=order):
                        return [answered(await self._broker.cancel(order))]
                    case do.Amend(order=order):
                        await self._broker.amend(order)
                        return []
            except BrokerUnavailable as problem:
                self.trouble = str(problem)
                log.warning("broker.unavailable", problem=str(problem), retry_in_s=wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_MOST_S)

    async def _tell(self, keeps: list[do.Keep], at: datetime) -> None:
        for keep in keeps:
            _log(keep)
        topics = frozenset(TOPICS[type(k)] for k in keeps if type(k) in TOPICS)
        if topics:
            await self._changes.add(topics, at)


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
