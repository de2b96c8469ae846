"""Couriers bring what was committed to a venue out there: one a symbol, in the order it was decided."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Container
from datetime import datetime

import structlog

from evil2root.domain.book.orders import Leg, Order, OrderState
from evil2root.domain.core.clock import Clock
from evil2root.domain.execution.broker import Answer, BrokerUnavailable
from evil2root.domain.execution.remote import OrderEntry
from evil2root.domain.kernel import actions as do

log = structlog.get_logger()

Asked = do.Submit | do.Cancel | do.Amend


class Couriers:
    """Carries orders, cancels and amendments to the venue, and its answers back.

    What one symbol is asked for goes one after another, so that a stop is never amended before it was sent; symbols
    do not wait for each other. Nothing is sent twice here: what got no answer is told as UNKNOWN and looked up later.

    Parameters
    ----------
    tell
        Takes an answer to the kernel.
    objection
        Says why an order may not be sent after all, or nothing: asked at the last moment before the socket.
    leads
        Does this process still lead?
    """

    def __init__(
        self,
        venue: OrderEntry,
        *,
        tell: Callable[[Answer], Awaitable[None]],
        objection: Callable[[Order], str],
        leads: Callable[[], bool],
        wall: Clock,
    ) -> None:
        self._venue = venue
        self._tell = tell
        self._objection = objection
        self._leads = leads
        self._wall = wall
        self._queues: defaultdict[str, asyncio.Queue[Asked]] = defaultdict(asyncio.Queue)
        self._carrying: dict[str, Order] = {}
        self._amended: dict[str, int] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._open = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.sent: int = 0
        """Requests that reached for the venue."""

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Work from now on, in `tasks`."""
        self._tasks = tasks
        for symbol in self._queues:
            tasks.create_task(self._serve(symbol), name=f"courier {symbol}")

    def take(self, asked: Asked) -> None:
        """Take something to be carried. It has been committed."""
        symbol = _order(asked).symbol
        known = symbol in self._queues
        self._queues[symbol].put_nowait(asked)
        self._open += 1
        self._quiet.clear()
        if not known and self._tasks is not None:
            self._tasks.create_task(self._serve(symbol), name=f"courier {symbol}")

    def busy_with(self, symbol: str) -> bool:
        """Is something for the symbol being carried, or waiting to be?"""
        return symbol in self._carrying or (symbol in self._queues and not self._queues[symbol].empty())

    def owes_amendment(self, order: Order) -> bool:
        """Has the venue not yet acknowledged the order's present price and quantity?"""
        return order.revision > self._amended.get(order.client_order_id, 0)

    def forget_all_but(self, open_orders: Container[str]) -> None:
        """Forget what was acknowledged of orders that are over."""
        self._amended = {name: revision for name, revision in self._amended.items() if name in open_orders}

    async def idle(self) -> None:
        """Wait until nothing is being carried."""
        await self._quiet.wait()

    async def _serve(self, symbol: str) -> None:
        queue = self._queues[symbol]
        while True:
            asked = await queue.get()
            self._carrying[symbol] = _order(asked)
            try:
                await self._carry(asked)
            finally:
                del self._carrying[symbol]
                self._open -= 1
                if not self._open:
                    self._quiet.set()

    async def _carry(self, asked: Asked) -> None:
        order = _order(asked)
        try:
            match asked:
                case do.Submit():
                    await self._submit(asked)
                case do.Cancel() if self._leads():
                    self.sent += 1
                    await self._tell(await self._venue.cancel(order))
                case do.Amend() if self._leads():
                    self.sent += 1
                    answer = await self._venue.amend(order)
                    if answer.state is OrderState.ACCEPTED:
                        self._amended[order.client_order_id] = order.revision
                case _:
                    pass
        except BrokerUnavailable as problem:
            # It is asked again by whoever watches the venue, for as long as it matters.
            log.warning("venue.unanswered", asked=type(asked).__name__, order=order.client_order_id,
                        problem=str(problem))  # fmt: skip

    async def _submit(self, asked: do.Submit) -> None:
        order = asked.approved.order
        objection = self._objection(order) if order.leg is Leg.ENTRY else ""
        if objection:
            log.warning("order.held_back", order=order.client_order_id, symbol=order.symbol, why=objection)
            if order.state is OrderState.SENDING:  # one of unknown outcome may be there already
                await self._tell(self._answer(order, OrderState.CANCELED, objection))
            return
        if not self._leads():
            await self._tell(
                self._answer(order, OrderState.UNKNOWN, "this process did not lead when it was to be sent")
            )
            return
        try:
            self.sent += 1
            answer = await self._venue.submit(asked.approved)
        except BrokerUnavailable as problem:
            log.warning("order.unknown", order=order.client_order_id, symbol=order.symbol, problem=str(problem))
            answer = self._answer(order, OrderState.UNKNOWN, str(problem))
        await self._tell(answer)

    def _answer(self, order: Order, state: OrderState, why: str) -> Answer:
        now: datetime = self._wall.now()
        return Answer(client_order_id=order.client_order_id, state=state, broker_order_id=None, why=why, at=now)


def _order(asked: Asked) -> Order:
    return asked.approved.order if isinstance(asked, do.Submit) else asked.order
