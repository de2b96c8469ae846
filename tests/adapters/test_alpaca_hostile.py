"""What Alpaca, or somebody between, may answer: nothing of it crashes, misleads or shows a secret."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from evil2root.adapters.brokers import bounded
from evil2root.adapters.brokers.alpaca import AlpacaBroker
from evil2root.adapters.brokers.alpaca_orders import levels, request
from evil2root.adapters.brokers.alpaca_records import cash_of, execution, holding, order_record
from evil2root.adapters.brokers.bounded import parsed
from evil2root.adapters.brokers.reading import Unreadable
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.money import Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.risk.gate import approved_before
from tests.builders import a_stop
from tests.contract.remote_broker import a_sent_stop, sent
from tests.servers.alpaca import KEY, SECRET, AlpacaServer
from tests.servers.alpaca_book import present
from tests.servers.serving import served

NO_ANSWERS = [
    (404, ""), (404, "<html>not found</html>"), (404, '{"message": "not found"}'), (404, '{"code": 40410001}'),
    (404, "[40410000]"), (200, '{"code": 40410000}'), (400, '{"code": 40410000, "message": "order not found"}'),
    (200, ""), (200, "null"), (200, "[]"), (200, '{"id": '), (200, "[" * 100_000), (200, '{"id": 7, "status": "new"}'),
    (302, ""), (204, ""), (200, "\ufeff{}"), (200, '{"a":' * 990 + "1" + "}" * 990),
]  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.text(max_size=30) | st.decimals(places=None) | st.sampled_from(["1", "-1", "NaN", "1e99"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["id", "qty", "price", "side", "symbol", "status", "cash", "created_at", "order_id",
                         "transaction_time", "filled_qty", "client_order_id", "asset_class"]), inner, max_size=13),
    max_leaves=30,
)  # fmt: skip


@pytest.fixture
def server() -> AlpacaServer:
    return AlpacaServer()


@pytest.fixture
async def broker(server: AlpacaServer) -> AsyncIterator[AlpacaBroker]:
    async with served(server) as address:
        made = AlpacaBroker(address, SecretStr(KEY), SecretStr(SECRET), account="real", clock=SystemClock())
        yield made
        await made.close()


@pytest.mark.parametrize("number", range(len(NO_ANSWERS)))
async def test_only_the_venues_own_words_are_a_not_found(
    broker: AlpacaBroker, server: AlpacaServer, number: int
) -> None:
    server.raw.extend([NO_ANSWERS[number]] * bounded.TRIES)

    with pytest.raises(BrokerUnavailable):
        await broker.look_up(sent())


async def test_an_answer_about_another_order_is_no_answer(broker: AlpacaBroker, server: AlpacaServer) -> None:
    await broker.submit(approved_before(sent(number=2)))
    other = next(iter(server.book.orders))
    server.raw.append((200, parsed_back(server, other)))

    with pytest.raises(BrokerUnavailable, match="another one"):
        await broker.look_up(sent())


def parsed_back(server: AlpacaServer, name: str) -> str:

    return json.dumps(server.book.orders[name].shown())


async def test_keys_that_are_repeated_to_us_are_not_shown(broker: AlpacaBroker, server: AlpacaServer) -> None:
    server.raw.append((403, f'{{"message": "no such key {KEY} with {SECRET}"}}'))

    with pytest.raises(BrokerUnavailable) as told:
        await broker.books()

    assert KEY not in str(told.value)
    assert SECRET not in str(told.value)


async def test_an_endless_answer_is_given_up(
    broker: AlpacaBroker, server: AlpacaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "BODY_MAX", 10_000)
    server.raw.extend([(200, "[" + "1," * 10_000 + "1]")] * bounded.TRIES)

    with pytest.raises(BrokerUnavailable, match="longer than"):
        await broker.orders(present())


@pytest.mark.parametrize("evil", ["NaN", "1e99999999999999999999", "-Infinity", "[" * 300 + "]" * 300, '"\\ud800"'])
async def test_one_evil_number_spoils_one_execution(broker: AlpacaBroker, server: AlpacaServer, evil: str) -> None:

    await broker.submit(approved_before(sent()))
    good = json.dumps(server.book.done[0].shown())
    bad = good.replace('"10"', evil)
    server.raw.append((200, f"[{bad}, {good}]"))

    heard = await broker.executions("", since=present() - timedelta(minutes=5))

    assert len(heard.fills) == len(heard.garbled) == 1
    assert heard.garbled[0].isprintable()


async def test_an_execution_from_the_future_does_not_take_the_cursor_along(
    broker: AlpacaBroker, server: AlpacaServer
) -> None:
    await broker.submit(approved_before(sent()))
    good = server.book.done[0].shown()
    late = json.dumps({**good, "id": "20990101000000000::x", "transaction_time": "2099-01-01T00:00:00Z"})
    server.raw.append((200, f"[{json.dumps(good)}, {late}]"))

    heard = await broker.executions("", since=present() - timedelta(minutes=5))

    assert [after[:4] for _, after in heard.fills] == [str(present().year)] * 2


async def test_a_stop_that_was_moved_often_costs_few_questions(broker: AlpacaBroker, server: AlpacaServer) -> None:
    await broker.submit(approved_before(sent()))
    stop = a_sent_stop(2)
    await broker.submit(approved_before(stop))
    row = next(r for r in server.book.orders.values() if r.client_order_id == stop.client_order_id)
    for revision in range(1, 201):
        name = f"{stop.client_order_id}-r{revision}"
        row = server.book.replace(row, {"stop_price": str(90 + revision), "client_order_id": name})
    before = len(server.asked)

    record = await broker.look_up(replace(stop, revision=200))

    assert record is not None
    assert (record.price, record.state, record.quantity) == (Decimal(290), OrderState.ACCEPTED, Decimal(10))
    assert len(server.asked) - before < 10


async def test_a_replacement_that_came_too_late_does_not_hide_the_fill(
    broker: AlpacaBroker, server: AlpacaServer
) -> None:
    await broker.submit(approved_before(sent()))
    stop = a_sent_stop(2)
    await broker.submit(approved_before(stop))
    server.planned.append("outrun")

    with pytest.raises(BrokerUnavailable, match="rejected"):
        await broker.amend(replace(stop, price=Price(Decimal(95)), revision=1))
    record = await broker.look_up(stop)
    listed = {r.client_order_id: r for r in await broker.orders(present() - timedelta(minutes=5))}

    assert record is not None
    assert (record.state, record.filled) == (OrderState.FILLED, Decimal(10))
    assert listed[stop.client_order_id].state is OrderState.FILLED


async def test_a_successor_that_is_not_shown_is_no_answer(broker: AlpacaBroker, server: AlpacaServer) -> None:
    await broker.submit(approved_before(sent()))
    stop = a_sent_stop(2)
    await broker.submit(approved_before(stop))
    moved = replace(stop, price=Price(Decimal(95)), revision=1)
    await broker.amend(moved)
    server.book.orders[list(server.book.orders)[-1]].visible_at = present() + timedelta(hours=1)

    with pytest.raises(BrokerUnavailable, match="does not show by what"):
        await broker.look_up(stop)
    with pytest.raises(BrokerUnavailable, match="does not show by what"):
        await broker.cancel(stop)


async def test_an_older_amendment_changes_nothing(broker: AlpacaBroker, server: AlpacaServer) -> None:
    await broker.submit(approved_before(sent()))
    stop = a_sent_stop(2)
    await broker.submit(approved_before(stop))
    await broker.amend(replace(stop, price=Price(Decimal(95)), revision=2))

    await broker.amend(replace(stop, price=Price(Decimal(92)), revision=1))
    record = await broker.look_up(stop)

    assert record is not None
    assert record.price == 95
    assert sum(r.replaces is not None for r in server.book.orders.values()) == 1


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "late", "refuse_but_place"])
async def test_what_changes_something_is_sent_once_whatever_is_answered(
    broker: AlpacaBroker, server: AlpacaServer, fault: str
) -> None:
    server.planned.append(fault)

    with pytest.raises(BrokerUnavailable):
        await broker.submit(approved_before(sent()))

    assert server.asked.count("POST /v2/orders") == 1


async def test_orders_of_one_moment_are_all_listed(broker: AlpacaBroker, server: AlpacaServer) -> None:
    await broker.submit(approved_before(sent()))
    made = next(iter(server.book.orders.values())).created_at

    assert len(await broker.orders(made)) == 1


@pytest.mark.parametrize(
    ("price", "side", "limit"),
    [("60000", Side.SELL, "57000"), ("1", Side.SELL, "0.950"), ("0.00001234", Side.SELL, "0.00001172300"),
     ("0.08", Side.BUY, "0.08400")],
)  # fmt: skip
def test_the_limit_of_a_coins_stop_has_room_however_cheap_the_coin(price: str, side: Side, limit: str) -> None:
    stop = replace(a_stop(side, 10, price), symbol="BTC-USD")

    found = levels(stop)

    assert Decimal(found["stop_price"]) == Decimal(price)
    assert Decimal(found["limit_price"]) == pytest.approx(Decimal(limit), rel=Decimal("0.001"))
    assert (Decimal(found["limit_price"]) - Decimal(price)) * side.sign > 0
    assert request(stop)["type"] == "stop_limit"
    assert request(stop)["symbol"] == "BTC/USD"


def test_fractions_of_shares_are_good_for_the_day() -> None:
    half = Quantity(Decimal("0.5"))

    assert request(replace(a_stop(Side.SELL, 1, "90"), quantity=half))["time_in_force"] == "day"
    assert request(a_stop(Side.SELL, 1, "90"))["time_in_force"] == "gtc"
    assert request(sent())["time_in_force"] == "day"
    assert request(replace(sent(symbol="BTC-USD"), quantity=half))["time_in_force"] == "gtc"


@given(anything)
def test_no_record_is_read_wrongly_whatever_it_holds(raw: object) -> None:
    for read in (order_record, execution, holding, cash_of):
        with suppress(Unreadable):
            read(raw)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    parsed(text)
