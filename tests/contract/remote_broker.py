"""What every venue out there must hold to, whoever it is: the port's docstrings as tests.

A class that inherits `RemoteBrokerContract` gives the fixture `rig`: a broker, and a hand on the venue behind it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

import pytest

from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.core.ids import client_order_id
from evil2root.domain.core.money import Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.execution.remote import Heard, RemoteBroker, Repeat
from evil2root.domain.risk.gate import approved_before
from tests.builders import DAY_ONE, a_stop, an_order

FAULTS = ("drop_before", "drop_after", "late", "refuse_but_place")
BOUND_S = 20.0
"""No call may take longer, whatever the venue does."""
PAGES_MAX = 100
TEN = Decimal(10)


class Rig(Protocol):
    """A broker and the venue behind it."""

    broker: RemoteBroker

    def plan(self, fault: str) -> None:
        """Let the next request that places an order go wrong so."""

    def away(self) -> None:
        """Let the next question fail as often as the broker may ask it."""

    async def appears(self) -> None:
        """Wait until what was taken late can be seen."""

    def price(self, symbol: str, price: Decimal) -> None: ...
    def part(self, quantity: Decimal | None) -> None:
        """Fill market orders only so far; none: all."""

    def execute(self, order: Order, quantity: Decimal) -> None: ...
    def reject(self, order: Order) -> None: ...
    def foreign(self, symbol: str) -> None:
        """Somebody else places an order and has another one filled."""

    def garble(self) -> None:
        """Add an execution nobody can read."""

    def repeat(self) -> None:
        """Tell executions twice."""

    def stir(self) -> None:
        """Let something happen that a stream tells."""

    def cut_stream(self) -> None: ...
    def placed(self) -> list[str]:
        """Ids of all orders the venue has taken from us, in order."""

    def executed(self) -> list[str]:
        """Ids of all executions, oldest first."""

    def books(self) -> tuple[Decimal, dict[str, Decimal]]: ...
    def since(self) -> datetime:
        """A moment before anything happened."""


def sent(side: Side = Side.BUY, quantity: int = 10, *, number: int = 1, **changes: Any) -> Order:
    """A market order with an id of its own for each `number`."""
    symbol = changes.get("symbol", "AAPL")
    name = client_order_id(account="real", strategy="t", symbol=symbol, bar=DAY_ONE, leg="entry", attempt=number)
    return an_order(side, quantity, **{"client_order_id": name, "account": "real", **changes})


def a_sent_stop(number: int, price: str = "90", quantity: int = 10) -> Order:
    """A protective stop below a long position."""
    return replace(
        a_stop(Side.SELL, quantity, price), client_order_id=sent(number=number).client_order_id, account="real"
    )


async def walked(broker: RemoteBroker, cursor: str, since: datetime) -> list[Heard]:
    """Read all pages from a cursor on, as the engine does."""
    pages: list[Heard] = []
    for _ in range(PAGES_MAX):
        heard = await broker.executions(cursor, since=since)
        pages.append(heard)
        if not heard.more or heard.after == cursor:
            return pages
        cursor = heard.after
    msg = "the pages never end"
    raise AssertionError(msg)


def ids(pages: list[Heard]) -> list[str]:
    """Name the executions that were told, each at its first telling."""
    return list(dict.fromkeys(fill.execution_id for heard in pages for fill, _ in heard.fills))


async def ended(hints: AsyncIterator[None]) -> None:
    """Take hints until there are no more."""
    async for _ in hints:
        pass


class RemoteBrokerContract:
    """The suite; `rig` comes from whoever inherits it."""

    symbol, other = "AAPL", "MSFT"
    """What is traded, and what somebody else trades too."""

    def sent(self, side: Side = Side.BUY, quantity: int = 10, *, number: int = 1, **changes: Any) -> Order:
        return sent(side, quantity, number=number, **{"symbol": self.symbol, **changes})

    def stop(self, number: int, price: str = "90", quantity: int = 10) -> Order:
        return replace(
            a_sent_stop(number, price, quantity), symbol=self.symbol,
            client_order_id=self.sent(number=number).client_order_id,
        )  # fmt: skip

    @pytest.fixture(autouse=True)
    def _market(self, rig: Rig) -> None:
        rig.price(self.symbol, Decimal("33.333"))

    async def test_an_order_is_taken_once_and_found_by_its_id(self, rig: Rig) -> None:
        order = self.sent()

        answer = await rig.broker.submit(approved_before(order))
        record = await rig.broker.look_up(order)

        assert answer.state is OrderState.ACCEPTED
        assert record is not None
        assert (record.client_order_id, record.symbol, record.side) == (order.client_order_id, self.symbol, Side.BUY)
        assert (record.state, record.filled, record.quantity) == (OrderState.FILLED, TEN, TEN)
        assert answer.broker_order_id == record.broker_order_id
        assert rig.placed() == [order.client_order_id]

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_after_every_fault_the_venues_record_tells_what_became_of_the_order(
        self, rig: Rig, fault: str
    ) -> None:
        order = self.sent()
        rig.plan(fault)

        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(rig.broker.submit(approved_before(order)), BOUND_S)
        at_once = await rig.broker.look_up(order)
        await rig.appears()
        later = await rig.broker.look_up(order)

        assert (at_once is None) == (fault in ("drop_before", "late"))
        assert (later is None) == (fault == "drop_before")
        assert later is None or later.client_order_id == order.client_order_id
        assert rig.placed() == ([] if fault == "drop_before" else [order.client_order_id])

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_sending_again_after_a_fault_doubles_nothing(self, rig: Rig, fault: str) -> None:
        order = self.sent()
        rig.plan(fault)
        with pytest.raises(BrokerUnavailable):
            await rig.broker.submit(approved_before(order))

        try:
            answer = await rig.broker.submit(approved_before(order))
        except BrokerUnavailable:
            answer = None

        repeats = rig.broker.traits.repeat is Repeat.SAFE
        # Whoever may not be asked twice may also refuse to ask: what was dropped then stays away.
        assert rig.placed() == [order.client_order_id] or (fault == "drop_before" and not repeats and not rig.placed())
        assert answer is None or answer.state is OrderState.ACCEPTED
        if fault != "drop_before":
            assert (answer is not None) == repeats

    async def test_an_order_is_rejected_only_when_the_record_says_so(self, rig: Rig) -> None:
        await rig.broker.submit(approved_before(self.sent()))
        stop = self.stop(2)
        await rig.broker.submit(approved_before(stop))

        rig.reject(stop)
        record = await rig.broker.look_up(stop)

        assert record is not None
        assert record.state is OrderState.REJECTED

    @pytest.mark.parametrize("question", ["look_up", "orders", "executions", "books", "cancel", "amend"])
    async def test_silence_is_no_answer_and_ends_in_time(self, rig: Rig, question: str) -> None:
        order, broker = self.sent(), rig.broker
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "look_up": lambda: broker.look_up(order),
            "orders": lambda: broker.orders(rig.since()),
            "executions": lambda: broker.executions("", since=rig.since()),
            "books": broker.books,
            "cancel": lambda: broker.cancel(order),
            "amend": lambda: broker.amend(order),
        }
        rig.away()

        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(calls[question](), BOUND_S)

    async def test_what_was_never_placed_cannot_be_canceled_or_amended(self, rig: Rig) -> None:
        with pytest.raises(BrokerUnavailable):
            await rig.broker.cancel(self.sent())
        with pytest.raises(BrokerUnavailable):
            await rig.broker.amend(replace(self.stop(2), revision=1))

        assert rig.placed() == []

    async def test_executions_are_told_once_each_over_pages_oldest_first(self, rig: Rig) -> None:
        for number in range(1, 9):
            await rig.broker.submit(approved_before(self.sent(number=number, quantity=number)))

        pages = await walked(rig.broker, "", rig.since())

        assert len(pages) > 1
        assert ids(pages) == rig.executed()
        told = {fill.execution_id: fill for heard in pages for fill, _ in heard.fills}
        assert [told[i].quantity for i in rig.executed()] == list(range(1, 9))
        assert [told[i].client_order_id for i in rig.executed()] == rig.placed()
        assert {(f.venue, f.account) for f in told.values()} == {(rig.broker.traits.venue, "real")}

    async def test_whoever_stops_anywhere_is_told_the_rest(self, rig: Rig) -> None:
        for number in range(1, 9):
            await rig.broker.submit(approved_before(self.sent(number=number, quantity=1)))
        cursors = {
            fill.execution_id: after
            for heard in await walked(rig.broker, "", rig.since())
            for fill, after in heard.fills
        }

        for place, execution_id in enumerate(rig.executed()):
            rest = ids(await walked(rig.broker, cursors[execution_id], rig.since()))
            assert set(rig.executed()[place + 1 :]) <= set(rest)

    async def test_executions_told_twice_keep_their_ids(self, rig: Rig) -> None:
        for number in range(1, 6):
            await rig.broker.submit(approved_before(self.sent(number=number, quantity=number)))
        rig.repeat()

        pages = await walked(rig.broker, "", rig.since())
        told = [fill for heard in pages for fill, _ in heard.fills]

        assert len(told) > len(rig.executed())
        assert len(set(map(repr, told))) == len(rig.executed())
        assert {f.execution_id for f in told} == set(rig.executed())

    async def test_an_execution_nobody_can_read_is_set_aside_and_hides_none(self, rig: Rig) -> None:
        await rig.broker.submit(approved_before(self.sent()))
        rig.garble()

        pages = await walked(rig.broker, "", rig.since())

        assert ids(pages) == rig.executed()
        garbled = [text for heard in pages for text in heard.garbled]
        assert len(garbled) == 1
        assert garbled[0].isprintable()

    async def test_partial_fills_add_up(self, rig: Rig) -> None:
        rig.part(Decimal(4))
        order = self.sent()

        await rig.broker.submit(approved_before(order))
        partly = await rig.broker.look_up(order)
        rig.execute(order, Decimal(6))
        whole = await rig.broker.look_up(order)

        assert partly is not None
        assert whole is not None
        assert (partly.state, partly.filled) == (OrderState.PARTIAL, Decimal(4))
        assert (whole.state, whole.filled) == (OrderState.FILLED, TEN)
        assert len(ids(await walked(rig.broker, "", rig.since()))) == 2

    async def test_an_amendment_asked_for_again_has_no_second_effect(self, rig: Rig) -> None:
        await rig.broker.submit(approved_before(self.sent()))
        stop = self.stop(2)
        await rig.broker.submit(approved_before(stop))
        moved = replace(stop, price=Price(Decimal(95)), quantity=Quantity(Decimal(8)), revision=2)

        answers = [await rig.broker.amend(moved) for _ in range(3)]
        records = await rig.broker.orders(rig.since())
        record = await rig.broker.look_up(moved)

        assert {a.state for a in answers} == {OrderState.ACCEPTED}
        assert len({a.broker_order_id for a in answers}) == 1
        assert record is not None
        assert (record.client_order_id, record.price, record.quantity) == (
            stop.client_order_id,
            Decimal(95),
            Decimal(8),
        )
        assert [r for r in records if r.client_order_id == stop.client_order_id] == [record]

    async def test_a_filled_amended_order_is_told_under_our_id(self, rig: Rig) -> None:
        await rig.broker.submit(approved_before(self.sent()))
        stop = self.stop(2)
        await rig.broker.submit(approved_before(stop))
        for revision in (1, 2, 3):
            stop = replace(stop, price=Price(Decimal(90 + revision)), revision=revision)
            await rig.broker.amend(stop)

        rig.execute(stop, Decimal(10))
        record = await rig.broker.look_up(stop)
        pages = await walked(rig.broker, "", rig.since())

        assert record is not None
        assert (record.state, record.filled, record.price) == (OrderState.FILLED, TEN, Decimal(93))
        assert [f.client_order_id for heard in pages for f, _ in heard.fills][-1] == stop.client_order_id

    async def test_a_cancel_is_over_when_the_record_says_so_and_may_be_asked_again(self, rig: Rig) -> None:
        await rig.broker.submit(approved_before(self.sent()))
        stop = self.stop(2)
        await rig.broker.submit(approved_before(stop))

        answers = [await rig.broker.cancel(stop) for _ in range(2)]
        record = await rig.broker.look_up(stop)

        assert {a.state for a in answers} == {OrderState.CANCEL_SENT}
        assert record is not None
        assert record.state is OrderState.CANCELED

    async def test_the_books_are_those_of_the_executions_to_the_last_digit(self, rig: Rig) -> None:
        cash, _ = rig.books()
        trades = [(Side.BUY, 7, "0.0001"), (Side.SELL, 3, "33.333"), (Side.SELL, 4, "1.01"), (Side.SELL, 5, "7.77")]
        if not rig.broker.traits.shorts:
            trades = [(Side.BUY, 7, "0.0001"), (Side.BUY, 9, "7.77"), (Side.SELL, 3, "33.333"), (Side.SELL, 4, "1.01")]
        for number, (side, quantity, price) in enumerate(trades, start=1):
            rig.price(self.symbol, Decimal(price))
            await rig.broker.submit(approved_before(self.sent(side, quantity, number=number)))

        books = await rig.broker.books()
        fills = {f.execution_id: f for h in await walked(rig.broker, "", rig.since()) for f, _ in h.fills}

        assert (books.cash, dict(books.positions)) == rig.books()
        assert books.cash - cash == sum(f.cash for f in fills.values())
        assert books.positions == {self.symbol: sum(f.side.sign * f.quantity for f in fills.values())}
        assert not books.orders

    async def test_what_somebody_else_does_is_seen_and_not_taken_for_ours(self, rig: Rig) -> None:
        ours = self.sent()
        await rig.broker.submit(approved_before(ours))
        rig.foreign(self.other)

        records = await rig.broker.orders(rig.since())
        pages = await walked(rig.broker, "", rig.since())

        others = [r for r in records if r.client_order_id != ours.client_order_id]
        assert {r.symbol for r in others} == {self.other}
        names = {f.symbol: f.client_order_id for heard in pages for f, _ in heard.fills}
        assert names[self.symbol] == ours.client_order_id
        assert names[self.other] != ours.client_order_id

    async def test_the_list_has_what_is_open_however_old_and_what_is_new(self, rig: Rig) -> None:
        await rig.broker.submit(approved_before(self.sent()))
        stop = self.stop(2)
        await rig.broker.submit(approved_before(stop))

        every = {r.client_order_id for r in await rig.broker.orders(rig.since())}
        still = {r.client_order_id for r in await rig.broker.orders(rig.since() + timedelta(days=2000))}

        assert every == {self.sent().client_order_id, stop.client_order_id}
        assert still == {stop.client_order_id}

    async def test_hints_end_with_the_stream(self, rig: Rig) -> None:
        hints = rig.broker.hints()
        first = asyncio.ensure_future(anext(hints))
        while not first.done():
            rig.stir()
            await asyncio.sleep(0.02)
        rig.cut_stream()

        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(ended(hints), BOUND_S)

    async def test_closing_twice_is_harmless(self, rig: Rig) -> None:
        await rig.broker.close()
        await rig.broker.close()
