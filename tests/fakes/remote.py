"""A venue out there, in memory: it keeps its own books, and can be told to lie, to lose and to be late."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import FINAL, Leg, Order, OrderKind, OrderState
from evil2root.domain.core.money import ZERO, Money, Price, Quantity, floor_to
from evil2root.domain.core.side import Side
from evil2root.domain.execution.broker import Answer, Books, BrokerUnavailable
from evil2root.domain.execution.remote import Heard, Repeat, Traits, VenueOrder
from evil2root.domain.risk.gate import Approved

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Fault(StrEnum):
    """What may go wrong with one request to place an order."""

    DROP_BEFORE = "drop_before"
    """The connection is cut, nothing was placed."""
    DROP_AFTER = "drop_after"
    """It was placed, then the connection is cut."""
    LATE = "late"
    """The connection is cut; the order appears some looks later."""
    REFUSE_BUT_PLACE = "refuse_but_place"
    """An error is answered, and the order is there."""


@dataclass
class Ticking:
    """A clock that goes on by itself, a millisecond a look."""

    at: datetime = LONG_AGO

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


@dataclass
class Kept:
    """What the venue remembers of one order."""

    order: Order
    record: VenueOrder
    revision: int = 0
    appears_in: int = 0
    """Looks until it can be seen."""


@dataclass
class VenueBooks:
    """What survives whatever happens to us."""

    cash: Decimal = Decimal(100_000)
    positions: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, Kept] = field(default_factory=dict)
    strangers: list[VenueOrder] = field(default_factory=list)
    executions: list[Fill] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    """Every id that was placed, in order: an id twice is an order doubled."""


class FakeVenue:
    """Fills market orders at once at `prices`, keeps stops until they are touched by `trade`."""

    def __init__(
        self, books: VenueBooks, *, repeat: Repeat = Repeat.LOOK_UP, clock: Ticking | None = None,
        reserves: bool = False, page: int = 3,
    ) -> None:  # fmt: skip
        self.kept = books
        self.traits = Traits(
            venue="fake", repeat=repeat, guards=frozenset({OrderKind.STOP}), shorts=True, reserves=reserves, cent=ZERO
        )
        self.clock = clock or Ticking()
        self.prices: dict[str, Decimal] = {}
        self.faults: deque[Fault | None] = deque()
        """For the next submits, one each; none left: no fault."""
        self.away = 0
        """So many requests find nobody."""
        self.garbled: list[str] = []
        self.told_again: list[Fill] = []
        """Executions that are told on every page beside the true ones."""
        self.fills_at_once = True
        self.part: Decimal | None = None
        """Fill only so much at first."""
        self.keeps = ZERO
        """So much of a purchase it keeps as its fee: these units never move."""
        self.lot = ZERO
        """Sales are floored to this; zero: taken as they come."""
        self.page = page
        self.stream_is_cut = False
        self.submits: list[str] = []
        self.not_founds = 0
        """How often it said that it has no such order."""

    def _reach(self) -> None:
        if self.away:
            self.away -= 1
            msg = "nobody answered"
            raise BrokerUnavailable(msg)

    async def submit(self, approved: Approved) -> Answer:
        await asyncio.sleep(0)
        self._reach()
        order = approved.order
        self.submits.append(order.client_order_id)
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.DROP_BEFORE:
            msg = "the connection was cut"
            raise BrokerUnavailable(msg)
        known = self.kept.orders.get(order.client_order_id)
        if known is None:
            known = self._place(order, appears_in=4 if fault is Fault.LATE else 0)
        elif self.traits.repeat is not Repeat.SAFE:
            msg = "422 client_order_id must be unique"
            raise BrokerUnavailable(msg)
        if fault is not None:
            msg = "400 bad request" if fault is Fault.REFUSE_BUT_PLACE else "the connection was cut"
            raise BrokerUnavailable(msg)
        state = known.record.state
        return replace(known.record, state=OrderState.ACCEPTED if state is OrderState.FILLED else state).answer

    def _place(self, order: Order, *, appears_in: int) -> Kept:
        now = self.clock.now()
        taken: Decimal = order.quantity - (self.keeps if order.side is Side.BUY else ZERO)
        if self.lot and order.side is Side.SELL:
            taken = floor_to(taken, step=self.lot)
        record = VenueOrder(
            client_order_id=order.client_order_id, broker_order_id=f"V-{len(self.kept.placed) + 1}",
            symbol=order.symbol, side=order.side, kind=order.kind.value, quantity=taken, price=order.price,
            filled=ZERO, state=OrderState.ACCEPTED, why="", created_at=now, updated_at=now,
        )  # fmt: skip
        kept = Kept(order=order, record=record, revision=order.revision, appears_in=appears_in)
        self.kept.orders[order.client_order_id] = kept
        self.kept.placed.append(order.client_order_id)
        if order.kind is OrderKind.MARKET and self.fills_at_once:
            self.execute(order.client_order_id, self.part or taken)
        return kept

    def execute(self, client_order_id: str, quantity: Decimal, price: Decimal | None = None) -> Fill:
        """Fill some of an order."""
        kept = self.kept.orders[client_order_id]
        order = kept.order
        at = price or order.price or self.prices[order.symbol]
        fill = Fill(
            venue="fake", account=order.account, execution_id=f"X-{len(self.kept.executions) + 1}",
            client_order_id=client_order_id, symbol=order.symbol, side=order.side, quantity=Quantity(quantity),
            price=Price(at), fee=Money(ZERO), at=self.clock.now(), slippage=Money(ZERO),
        )  # fmt: skip
        self._book(fill)
        filled = kept.record.filled + quantity
        over = filled >= (kept.record.quantity or ZERO)
        state = OrderState.FILLED if over else OrderState.PARTIAL
        kept.record = replace(kept.record, filled=filled, state=state, updated_at=self.clock.now())
        return fill

    async def cancel(self, order: Order) -> Answer:
        await asyncio.sleep(0)
        self._reach()
        kept = self.kept.orders.get(order.client_order_id)
        if kept is None:
            msg = "404 no such order"
            raise BrokerUnavailable(msg)
        if kept.record.state not in FINAL:
            kept.record = replace(kept.record, state=OrderState.CANCELED, updated_at=self.clock.now())
        return replace(kept.record, state=OrderState.CANCEL_SENT).answer

    async def amend(self, order: Order) -> Answer:
        await asyncio.sleep(0)
        self._reach()
        kept = self.kept.orders.get(order.client_order_id)
        if kept is None or kept.record.state in FINAL:
            msg = "422 the order can't be changed"
            raise BrokerUnavailable(msg)
        if order.revision > kept.revision:
            kept.order, kept.revision = replace(kept.order, price=order.price, quantity=order.quantity), order.revision
            kept.record = replace(kept.record, price=order.price, quantity=order.quantity)
        return replace(kept.record, state=OrderState.ACCEPTED).answer

    def _seen(self, kept: Kept) -> bool:
        if kept.appears_in:
            kept.appears_in -= 1
            return False
        return True

    async def look_up(self, order: Order) -> VenueOrder | None:
        await asyncio.sleep(0)
        self._reach()
        kept = self.kept.orders.get(order.client_order_id)
        if kept is not None and self._seen(kept):
            return kept.record
        self.not_founds += 1
        return None

    async def orders(self, since: datetime) -> tuple[VenueOrder, ...]:
        await asyncio.sleep(0)
        self._reach()
        mine = [k.record for k in self.kept.orders.values() if not k.appears_in]
        every = [*mine, *self.kept.strangers]
        return tuple(r for r in every if r.state not in FINAL or r.created_at >= since)

    async def executions(self, cursor: str, *, since: datetime) -> Heard:
        await asyncio.sleep(0)
        self._reach()
        start = int(cursor) if cursor else 0
        after = [(n, f) for n, f in enumerate(self.kept.executions, start=1) if n > start and (cursor or f.at >= since)]
        page = after[: self.page]
        fills = [(f, str(n)) for n, f in page]
        fills += [(f, fills[-1][1] if fills else cursor) for f in self.told_again]
        return Heard(
            fills=tuple(fills),
            garbled=tuple(self.garbled),
            more=len(after) > len(page),
            after=str(page[-1][0]) if page else cursor,
        )

    async def books(self) -> Books:
        await asyncio.sleep(0)
        self._reach()
        return Books(cash=self.kept.cash, positions=dict(self.kept.positions), orders=())

    def stranger(self, symbol: str, *, state: OrderState = OrderState.ACCEPTED) -> VenueOrder:
        """Somebody else places an order."""
        now = self.clock.now()
        record = VenueOrder(
            client_order_id="", broker_order_id=f"S-{len(self.kept.strangers) + 1}", symbol=symbol, side=Side.BUY,
            kind="limit", quantity=Decimal(5), price=Decimal(10), filled=ZERO, state=state, why="", created_at=now,
            updated_at=now,
        )  # fmt: skip
        self.kept.strangers.append(record)
        return record

    def foreign_fill(self, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> Fill:
        """Somebody else trades on the account; the venue does not tell by which of its names."""
        at = self.clock.now()
        fill = Fill(
            venue="fake", account="real", execution_id=f"X-{len(self.kept.executions) + 1}", client_order_id="",
            symbol=symbol, side=side, quantity=Quantity(quantity), price=Price(price), fee=Money(ZERO), at=at,
            slippage=Money(ZERO),
        )  # fmt: skip
        self._book(fill)
        return fill

    def reject(self, client_order_id: str) -> None:
        """Take an order out, as a venue does that found it wrong after all."""
        kept = self.kept.orders[client_order_id]
        kept.record = replace(kept.record, state=OrderState.REJECTED, why="rejected", updated_at=self.clock.now())

    def _book(self, fill: Fill) -> None:
        self.kept.executions.append(fill)
        self.kept.cash += fill.cash
        held = self.kept.positions.get(fill.symbol, ZERO) + fill.side.sign * fill.quantity
        self.kept.positions = {k: v for k, v in {**self.kept.positions, fill.symbol: held}.items() if v}

    def stops(self, symbol: str) -> list[Kept]:
        """Working stops of a symbol."""
        return [
            k for k in self.kept.orders.values()
            if k.order.leg is Leg.STOP and k.order.symbol == symbol and k.record.state not in FINAL
        ]  # fmt: skip

    async def hints(self) -> AsyncIterator[None]:
        while not self.stream_is_cut:
            await asyncio.sleep(0.01)
            yield
        msg = "the stream ended"
        raise BrokerUnavailable(msg)

    async def close(self) -> None:
        pass
