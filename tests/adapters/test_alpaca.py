"""Alpaca's adapter against a server that speaks its protocol, faults and lies included."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from evil2root.adapters.brokers import bounded
from evil2root.adapters.brokers.alpaca import AlpacaBroker
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.core.ids import client_order_id
from evil2root.domain.core.money import Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.execution.remote import Repeat
from evil2root.domain.risk.gate import approved_before
from tests.builders import DAY_ONE, a_stop, an_order
from tests.servers import alpaca
from tests.servers.alpaca import KEY, SECRET, AlpacaServer
from tests.servers.alpaca_book import present
from tests.servers.serving import served

SINCE = timedelta(minutes=5)


@pytest.fixture
def server() -> AlpacaServer:
    return AlpacaServer()


@pytest.fixture
async def broker(server: AlpacaServer) -> AsyncIterator[AlpacaBroker]:
    async with served(server) as address:
        made = AlpacaBroker(address, SecretStr(KEY), SecretStr(SECRET), account="real", clock=SystemClock())
        yield made
        await made.close()


def sent(side: Side = Side.BUY, quantity: int = 10, *, attempt: int = 1, **changes: Any) -> Order:
    name = client_order_id(account="real", strategy="t", symbol="AAPL", bar=DAY_ONE, leg="entry", attempt=attempt)
    return an_order(side, quantity, **{"client_order_id": name, "account": "real", **changes})


async def test_places_an_order_and_finds_it_by_its_id(broker: AlpacaBroker, server: AlpacaServer) -> None:
    order = sent()

    answer = await broker.submit(approved_before(order))
    record = await broker.look_up(order)

    assert broker.traits.repeat is Repeat.LOOK_UP
    assert answer.state is OrderState.ACCEPTED
    assert record is not None
    assert (record.client_order_id, record.state, record.filled) == (
        order.client_order_id, OrderState.FILLED, Decimal(10),
    )  # fmt: skip
    assert server.book.posts == [order.client_order_id]


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "refuse_but_place", "late"])
async def test_a_fault_is_no_answer_and_nothing_is_sent_twice(
    broker: AlpacaBroker, server: AlpacaServer, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alpaca, "LATE_S", 0.2)
    server.planned.append(fault)
    order = sent()

    with pytest.raises(BrokerUnavailable):
        await broker.submit(approved_before(order))
    at_once = await broker.look_up(order)
    await asyncio.sleep(0.25)
    later = await broker.look_up(order)

    assert server.book.posts == [order.client_order_id]
    assert (at_once is None) == (fault in ("drop_before", "late"))
    assert (later is None) == (fault == "drop_before")


@pytest.mark.parametrize("fault", ["error", "html", "truncated", "busy", "cut"])
async def test_a_failed_question_is_never_a_not_found(broker: AlpacaBroker, server: AlpacaServer, fault: str) -> None:
    server.planned.extend([fault] * bounded.TRIES)

    with pytest.raises(BrokerUnavailable):
        await broker.look_up(sent())


async def test_a_question_is_asked_again_after_a_fault(broker: AlpacaBroker, server: AlpacaServer) -> None:
    server.planned.extend(["busy", "cut"])

    assert await broker.look_up(sent()) is None


async def test_a_refusal_proves_nothing_even_when_the_venue_says_it_clearly(broker: AlpacaBroker) -> None:
    order = sent()
    await broker.submit(approved_before(order))

    with pytest.raises(BrokerUnavailable, match="must be unique"):
        await broker.submit(approved_before(order))


async def test_an_amendment_replaces_the_order_once_and_keeps_its_name(
    broker: AlpacaBroker, server: AlpacaServer
) -> None:
    await broker.submit(approved_before(sent()))
    stop = replace(
        a_stop(Side.SELL, 10, "90"), client_order_id=sent(attempt=2).client_order_id, account="real", revision=0
    )
    await broker.submit(approved_before(stop))
    moved = replace(stop, price=Price(Decimal(95)), quantity=Quantity(Decimal(8)), revision=2)

    for _ in range(3):
        answer = await broker.amend(moved)
        assert answer.state is OrderState.ACCEPTED
    record = await broker.look_up(stop)
    listed = {r.client_order_id: r for r in await broker.orders(present() - SINCE)}

    assert record is not None
    assert (record.client_order_id, record.price, record.quantity) == (stop.client_order_id, Decimal(95), Decimal(8))
    assert listed[stop.client_order_id].price == 95
    assert sum(r.replaces is not None for r in server.book.orders.values()) == 1


async def test_a_cancel_is_an_answer_only_when_the_record_says_so(broker: AlpacaBroker, server: AlpacaServer) -> None:
    await broker.submit(approved_before(sent()))
    stop = replace(
        a_stop(Side.SELL, 10, "90"),
        client_order_id=sent(attempt=2).client_order_id,
        account="real",
    )
    await broker.submit(approved_before(stop))
    server.planned.extend(["none", "drop_after"])

    with pytest.raises(BrokerUnavailable):
        await broker.cancel(stop)
    again = await broker.cancel(stop)
    record = await broker.look_up(stop)

    assert again.state is OrderState.CANCEL_SENT
    assert record is not None
    assert record.state is OrderState.CANCELED


async def test_every_execution_is_told_over_pages_and_again_after_an_overlap(
    broker: AlpacaBroker, server: AlpacaServer
) -> None:
    for attempt in range(1, 231):
        await broker.submit(approved_before(sent(attempt=attempt, quantity=1)))
    cursor, told = "", []
    while True:
        heard = await broker.executions(cursor, since=present() - SINCE)
        told += [f.execution_id for f, _ in heard.fills]
        cursor = heard.after if heard.more else heard.fills[-1][1]
        if not heard.more:
            break
    await broker.submit(approved_before(sent(attempt=231, quantity=1)))
    after = await broker.executions(cursor, since=present() - SINCE)

    assert told == [d.id for d in server.book.done[:230]]
    assert server.book.done[-1].id in {f.execution_id for f, _ in after.fills} or after.more
    assert {f.client_order_id for f, _ in heard.fills} <= {sent(attempt=n).client_order_id for n in range(1, 231)}


async def test_what_nobody_can_read_is_set_aside_and_the_rest_is_told(
    broker: AlpacaBroker, server: AlpacaServer
) -> None:
    await broker.submit(approved_before(sent()))
    good = server.book.done[0].shown()
    server.hostile_activities = [
        {**good, "id": "a", "qty": "NaN"}, {**good, "id": "b", "price": "-1"}, {**good, "id": "c", "qty": "1e999999999"},
        {**good, "id": "d", "transaction_time": "yesterday"}, {**good, "id": "\x00"}, 7, None, [[[[]]]], "x" * 10_000,
        {**good, "id": "e", "side": "sideways"},
    ]  # fmt: skip

    heard = await broker.executions("", since=present() - SINCE)

    assert [f.execution_id for f, _ in heard.fills] == [server.book.done[0].id]
    assert len(heard.garbled) == len(server.hostile_activities)


async def test_the_books_are_exact_and_signed(broker: AlpacaBroker, server: AlpacaServer) -> None:
    server.book.prices = {"AAPL": Decimal("33.33")}
    await broker.submit(approved_before(sent(Side.SELL, 3)))

    books = await broker.books()

    assert books.cash == Decimal("100099.99")
    assert books.positions == {"AAPL": Decimal(-3)}


async def test_the_stream_hints_and_its_end_is_said(server: AlpacaServer) -> None:
    async with served(server) as address:
        broker = AlpacaBroker(address, SecretStr(KEY), SecretStr(SECRET), account="real", clock=SystemClock())
        hints = broker.hints()
        first = asyncio.ensure_future(anext(hints))
        while not server.listeners:  # noqa: ASYNC110 - the server tells it only so
            await asyncio.sleep(0.01)
        server.tell()
        async with asyncio.timeout(3):
            await first
    with pytest.raises(BrokerUnavailable):
        await anext(hints)
    await broker.close()


async def test_wrong_keys_are_said_without_being_shown(server: AlpacaServer) -> None:
    async with served(server) as address:
        broker = AlpacaBroker(
            address, SecretStr("wrong-key"), SecretStr("wrong-secret"), account="real", clock=SystemClock()
        )

        with pytest.raises(BrokerUnavailable, match="forbidden") as told:
            await broker.books()
        await broker.close()

    assert "wrong-key" not in str(told.value)


async def test_nobody_there_is_said_in_time() -> None:
    broker = AlpacaBroker("http://127.0.0.1:9", SecretStr(KEY), SecretStr(SECRET), account="real", clock=SystemClock())

    with pytest.raises(BrokerUnavailable):
        async with asyncio.timeout(5):
            await broker.books()
    await broker.close()
