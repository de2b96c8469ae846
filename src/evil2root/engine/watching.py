"""Watching a venue out there: what it executed, what became of our orders, whether its books are ours.

Asking finds everything; a stream only says when to ask sooner. Nothing here changes the books: it tells the kernel.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from evil2root.domain.book.external import External
from evil2root.domain.book.orders import FINAL, Order, OrderState
from evil2root.domain.core.clock import Clock
from evil2root.domain.execution.broker import Answer, BrokerUnavailable
from evil2root.domain.execution.remote import RemoteBroker, Repeat, VenueOrder
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import Event, ExternalSeen, FillArrived, NotFound, OddArrived
from evil2root.domain.kernel.journal import JournalUnavailable
from evil2root.domain.kernel.state import State
from evil2root.domain.risk.gate import approved_before
from evil2root.engine.couriers import Couriers
from evil2root.engine.perform import Records, answered

log = structlog.get_logger()

ASK_EVERY_S = 2.0
ASK_GAP_S = 0.5
"""Least time between two rounds, however many hints come: venues count requests."""
WAIT_MOST_S = 10.0
"""Longest wait after a round that failed."""
APART_S = 10.0
"""Least time between the two not-founds that an order must get before it may be called not placed."""
OVERLAP = timedelta(seconds=60)
"""How far back before the oldest open order the venue's records are asked for: clocks differ."""
AGAIN_S = 3.0
"""After this long a cancel or an amendment that shows no effect is asked for again."""
EXTERNAL_MAX = 1_000
"""Orders of others that are kept in mind."""
PAGES_MAX = 10_000
"""Pages of executions in one round: a venue that never ends must not keep us from asking about orders."""
HEARD_MAX = 20_000

OVER = FINAL - {OrderState.FILLED}


@dataclass(slots=True)
class _Doubt:
    """What is known of an order of unknown outcome, in seconds of the machine's steady clock."""

    since: float
    first_not_found: float | None = None
    asked_at: float = float("-inf")
    not_founds: int = 0


class Watch:
    """Asks the venue, again and again, and tells the kernel what is new."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        venue: RemoteBroker,
        records: Records,
        *,
        state: Callable[[], State],
        tell: Callable[[Sequence[Event]], Awaitable[None]],
        couriers: Couriers,
        wall: Clock,
        quarantine_s: float,
    ) -> None:
        self._venue = venue
        self._records = records
        self._state = state
        self._tell = tell
        self._couriers = couriers
        self._wall = wall
        self._quarantine_s = quarantine_s
        self._doubts: dict[str, _Doubt] = {}
        self._asked_again: dict[str, float] = {}
        self._heard: set[str] = set()
        self._hint = asyncio.Event()
        self.trouble = ""
        """Why the venue can't be asked now; empty when it can."""

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="venue stream")
            wait = ASK_EVERY_S
            while True:
                try:
                    await self.look()
                    self.trouble, wait = "", ASK_EVERY_S
                except (BrokerUnavailable, JournalUnavailable) as problem:
                    self.trouble, wait = str(problem), min(2 * wait, WAIT_MOST_S)
                    log.warning("venue.unavailable", problem=str(problem), retry_in_s=wait)
                await asyncio.sleep(min(ASK_GAP_S, wait))
                self._hint.clear()
                try:
                    async with asyncio.timeout(max(0.0, wait - ASK_GAP_S)):
                        await self._hint.wait()
                except TimeoutError:
                    pass

    def hint(self) -> None:
        """Ask soon."""
        self._hint.set()

    async def _listen(self) -> None:
        wait = 1.0
        while True:
            try:
                async for _ in self._venue.hints():
                    self._hint.set()
                    wait = 1.0
            except BrokerUnavailable as problem:
                log.info("venue.stream_lost", problem=str(problem), retry_in_s=wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, 30.0)

    async def look(self) -> None:
        """Ask once for everything: executions first, so that no order is closed before its fills are booked."""
        await self.executions()
        await self.orders(await self._venue.orders(self._wall.now() - OVERLAP))
        await self._resolve()
        self._ask_again()

    def since(self) -> datetime:
        """Return from when on the venue may have done something that the books do not know."""
        state, now = self._state(), self._wall.now()
        sent = [o.sent_at for o in state.orders.values() if o.sent_at is not None]
        if state.carry.sent_at is not None:
            sent.append(state.carry.sent_at)
        return min([*sent, now]) - OVERLAP

    async def executions(self) -> None:
        """Tell every execution after the cursor."""
        cursor = self._state().carry.cursor
        for _ in range(PAGES_MAX):
            heard = await self._venue.executions(cursor, since=self.since())
            now = self._wall.now()
            told: list[Event] = [
                OddArrived(kind="garbled", reason="the execution can't be read", payload=text, key=text[:200], at=now)
                for text in heard.garbled
                if self._is_new(text)
            ]
            told += [
                FillArrived(fill=fill, cursor=after)
                for fill, after in heard.fills
                if self._is_new(repr(fill)) or after != cursor
            ]
            if told:
                await self._tell(told)
            if not heard.more or heard.after == cursor:
                return
            cursor = heard.after

    async def orders(self, seen: Sequence[VenueOrder]) -> None:
        """Tell what the venue's records say of our orders, and which open ones are not ours."""
        told: list[Event] = []
        strangers: list[VenueOrder] = []
        ours = self._state().orders
        for record in seen:
            order = ours.get(record.client_order_id)
            if order is None:
                strangers.append(record)
            else:
                told += [answered(a) for a in self._news(order, record)]
        told += await self._missing({r.client_order_id for r in seen})
        told += await self._external(strangers)
        if told:
            await self._tell(told)

    def _news(self, order: Order, record: VenueOrder) -> list[Answer]:
        """What a record says that the books do not know. Fills are never inferred from it."""
        self._doubts.pop(order.client_order_id, None)
        if order.state is OrderState.SENDING:
            return []  # its courier brings the answer
        if record.state in OVER:
            return [record.answer] if record.filled <= order.filled else []
        if record.state is OrderState.FILLED and 0 < record.filled <= order.filled < order.quantity:
            return [ended_short(record)]
        if order.state is OrderState.UNKNOWN:
            return [placed(record)]
        return []

    async def _missing(self, listed: set[str]) -> list[Event]:
        """Look up what the venue's list left out, though it should be open there."""
        told: list[Event] = []
        for order in list(self._state().orders.values()):
            known_there = order.state in (OrderState.ACCEPTED, OrderState.PARTIAL, OrderState.CANCEL_SENT)
            if not known_there or order.client_order_id in listed or self._couriers.busy_with(order.symbol):
                continue
            record = await self._venue.look_up(order)
            if record is not None:
                told += [answered(a) for a in self._news(order, record)]
                continue
            why = "the venue has no record of it any more"
            told.append(answered(self._say(order, OrderState.UNKNOWN, why)))
        return told

    async def _external(self, strangers: Sequence[VenueOrder]) -> list[Event]:
        """Tell ours that are closed here and open there from those of somebody else."""
        named = [r.client_order_id for r in strangers if r.client_order_id]
        known = await self._records.orders(named) if named else {}
        told: list[Event] = []
        others: list[External] = []
        for record in strangers:
            if record.state in FINAL:
                continue
            order = known.get(record.client_order_id)
            if order is None:
                others.append(external(record))
            elif order.state in OVER and order.client_order_id not in self._state().orders:
                told.append(self._late(order, record))
        others = sorted(others, key=lambda one: one.broker_order_id)[:EXTERNAL_MAX]  # of too many always the same ones
        if {o.broker_order_id: o for o in others} != self._state().carry.external:
            told.append(ExternalSeen(orders=tuple(others), at=self._wall.now()))
        return told

    def _late(self, order: Order, record: VenueOrder) -> Event:
        """Take back an order that came to life after it was given up."""
        if self._due(order.client_order_id):
            self._couriers.take(do.Cancel(order=order))
        reason = f"the order is {order.state} here and {record.state} at the venue; it is being canceled there"
        return OddArrived(
            kind="late order", reason=reason, payload=repr(record), key=order.client_order_id, at=self._wall.now(),
            symbol=order.symbol,
        )  # fmt: skip

    async def _resolve(self) -> None:
        """End the doubt about orders of unknown outcome, one way or the other."""
        doubtful = [o for o in self._state().orders.values() if o.state is OrderState.UNKNOWN]
        self._doubts = {o.client_order_id: self._doubts.get(o.client_order_id) or self._doubt(o) for o in doubtful}
        for order in doubtful:
            if self._venue.traits.repeat is Repeat.BLIND or self._couriers.busy_with(order.symbol):
                continue
            if self._venue.traits.repeat is Repeat.SAFE:
                if self._due(order.client_order_id):
                    log.warning("order.sent_again", order=order.client_order_id, symbol=order.symbol)
                    self._couriers.take(do.Submit(approved=approved_before(order)))
                continue
            await self._look_for(order, self._doubts[order.client_order_id])

    async def _look_for(self, order: Order, doubt: _Doubt) -> None:
        now = _steady()
        first = doubt.first_not_found
        waits = first is not None and now - first < APART_S and doubt.not_founds > 0
        if waits and now - doubt.asked_at < ASK_EVERY_S:
            return
        doubt.asked_at = now
        record = await self._venue.look_up(order)
        if record is not None:
            news = self._news(order, record)
            if news:
                await self._tell([answered(a) for a in news])
            return
        doubt.not_founds += 1
        if first is None:
            doubt.first_not_found = now
            log.warning("order.not_found", order=order.client_order_id, symbol=order.symbol)
            await self._tell([NotFound(client_order_id=order.client_order_id, at=self._wall.now())])
            return
        if now - first >= APART_S and now - doubt.since >= self._quarantine_s:
            why = f"the venue said twice, {now - first:.0f} s apart, that it has no such order"
            log.warning("order.not_placed", order=order.client_order_id, symbol=order.symbol)
            await self._tell([answered(self._say(order, OrderState.NOT_PLACED, why))])

    def _doubt(self, order: Order) -> _Doubt:
        """Begin to doubt, or go on where the last start was: one that is killed every few seconds must get there too."""
        first = None if order.not_found_at is None else self._ago(order.not_found_at)
        return _Doubt(since=self._ago(order.updated_at), first_not_found=first, not_founds=int(first is not None))

    def _ago(self, moment: datetime) -> float:
        """Say by the steady clock when something was; never later than now, however the machine's clock was set."""
        return _steady() - max(0.0, (self._wall.now() - moment).total_seconds())

    def _ask_again(self) -> None:
        """Repeat cancels and amendments that show no effect: both are harmless when they come twice."""
        orders = self._state().orders
        self._couriers.forget_all_but(orders)
        self._asked_again = {k: v for k, v in self._asked_again.items() if k in orders}
        for order in orders.values():
            if self._couriers.busy_with(order.symbol):
                continue
            if order.state is OrderState.CANCEL_SENT and self._due(order.client_order_id):
                self._couriers.take(do.Cancel(order=order))
            elif order.is_guard and order.is_wanted and self._couriers.owes_amendment(order):
                placed_there = order.state in (OrderState.ACCEPTED, OrderState.PARTIAL)
                if placed_there and self._due(order.client_order_id):
                    self._couriers.take(do.Amend(order=order))

    def _is_new(self, text: str) -> bool:
        """Was this not told before by this process? Only spares work: the books know best."""
        if text in self._heard:
            return False
        if len(self._heard) >= HEARD_MAX:
            self._heard.clear()
        self._heard.add(text)
        return True

    def _due(self, what: str) -> bool:
        """Has enough time passed since this was last asked for?"""
        now = _steady()
        if now - self._asked_again.get(what, float("-inf")) < AGAIN_S:
            return False
        self._asked_again[what] = now
        return True

    def _say(self, order: Order, state: OrderState, why: str) -> Answer:
        return Answer(
            client_order_id=order.client_order_id, state=state, broker_order_id=None, why=why, at=self._wall.now()
        )


def placed(record: VenueOrder) -> Answer:
    """Say that an order is at the venue; what it filled is told by its executions alone."""
    return Answer(
        client_order_id=record.client_order_id, state=OrderState.ACCEPTED, broker_order_id=record.broker_order_id,
        why=record.why, at=record.updated_at,
    )  # fmt: skip


def ended_short(record: VenueOrder) -> Answer:
    """Say that nothing more comes: the venue took a smaller quantity (its lot), or kept units as its fee."""
    return Answer(
        client_order_id=record.client_order_id, state=OrderState.CANCELED, broker_order_id=record.broker_order_id,
        why=f"all that the venue took of it is filled: {record.filled} units moved", at=record.updated_at,
    )  # fmt: skip


def external(record: VenueOrder) -> External:
    """Describe an order that is not ours."""
    left = None if record.quantity is None else record.quantity - record.filled
    return External(
        broker_order_id=record.broker_order_id, client_order_id=record.client_order_id, symbol=record.symbol,
        side=record.side, kind=record.kind, left=left, price=record.price, created_at=record.created_at,
    )  # fmt: skip


def _steady() -> float:
    return asyncio.get_running_loop().time()
