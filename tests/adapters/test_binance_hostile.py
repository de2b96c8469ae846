"""What Binance, or somebody between, may answer: nothing of it crashes, misleads or shows a secret."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.adapters.brokers import binance_wire, bounded
from evil2root.adapters.brokers.binance import BinanceBroker
from evil2root.adapters.brokers.binance_records import balances, market, order_record, trade
from evil2root.adapters.brokers.bounded import Reply, parsed
from evil2root.adapters.brokers.reading import Unreadable
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.money import Price
from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.risk.gate import approved_before
from tests.adapters.binance_world import a_sent_stop, a_server, connected, sent
from tests.servers.binance import KEY, SECRET, BinanceServer
from tests.servers.binance_book import present

SINCE = timedelta(minutes=5)
NO_ANSWERS = [
    (404, ""), (404, "<html>not found</html>"), (404, '{"code": -2013, "msg": "Order does not exist."}'),
    (200, '{"code": -2013, "msg": "Order does not exist."}'), (400, '{"code": -2011, "msg": "Unknown order sent."}'),
    (400, '{"code": "-20130"}'), (400, "[-2013]"), (400, '{"msg": "Order does not exist."}'), (400, '{"code": -1121}'),
    (403, '{"code": -2013}'), (503, '{"code": -2013}'), (200, ""), (200, "null"), (200, "[]"), (200, '{"orderId": '),
    (200, "[" * 100_000), (200, '{"orderId": "7", "status": "NEW"}'), (302, ""), (204, ""), (200, "\ufeff{}"),
]  # fmt: skip
NAMES = [
    "symbol", "orderId", "clientOrderId", "price", "origQty", "executedQty", "status", "type", "side", "stopPrice", "time",
    "updateTime", "transactTime", "id", "qty", "commission", "commissionAsset", "isBuyer", "balances", "asset", "free",
    "locked", "filters", "orderTypes", "filterType", "tickSize", "stepSize", "minQty", "minNotional", "baseAsset", "quoteAsset",
]  # fmt: skip
GOOD_WORDS = [
    "1",
    "-1",
    "NaN",
    "1e99",
    "NEW",
    "FILLED",
    "BUY",
    "LOT_SIZE",
    "PRICE_FILTER",
    "BTCUSDT",
    True,
    Decimal(1_764_000_000_000),
]
anything = st.recursive(
    st.none() | st.booleans() | st.text(max_size=30) | st.decimals(places=None) | st.sampled_from(GOOD_WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=16),
    max_leaves=40,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance_wire, "PACED", False)


@pytest.fixture
def server() -> BinanceServer:
    return a_server()


@pytest.fixture
async def broker(server: BinanceServer) -> AsyncIterator[BinanceBroker]:
    async with connected(server) as made:
        yield made


async def test_only_the_venues_own_code_in_its_own_answer_is_a_not_found(
    broker: BinanceBroker, server: BinanceServer
) -> None:
    for status, body in NO_ANSWERS:
        told = Reply(status=status, document=parsed(body), words=body)
        server.raw.extend([(status, body)] * (bounded.TRIES if told.is_broken else 1))

        with pytest.raises(BrokerUnavailable):
            await broker.look_up(sent())
        assert not server.raw, (status, body)

    assert await broker.look_up(sent()) is None


@pytest.mark.parametrize("fault", ["cut", "error", "busy", "banned", "html", "truncated"])
async def test_a_failed_question_is_never_a_not_found_and_is_asked_again(
    broker: BinanceBroker, server: BinanceServer, fault: str
) -> None:
    server.planned.extend([fault] * bounded.TRIES)

    with pytest.raises(BrokerUnavailable):
        await broker.look_up(sent())
    server.planned.clear()

    assert await broker.look_up(sent()) is None


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "late", "refuse_but_place", "unknown_but_place"])
async def test_what_places_an_order_is_sent_once_whatever_is_answered(
    broker: BinanceBroker, server: BinanceServer, fault: str
) -> None:
    server.planned.append(fault)

    with pytest.raises(BrokerUnavailable):
        await broker.submit(approved_before(sent()))

    assert server.asked.count("POST /api/v3/order") == 1


async def test_a_ban_is_kept_to_without_another_request(broker: BinanceBroker, server: BinanceServer) -> None:
    await broker.books()
    before = len(server.asked)
    wire = broker._wire
    wire._quiet_until = 1e12

    for call in (broker.books(), broker.submit(approved_before(sent())), broker.look_up(sent())):
        with pytest.raises(BrokerUnavailable, match="left alone"):
            await call

    assert len(server.asked) == before


async def test_an_answer_about_another_order_is_no_answer(broker: BinanceBroker, server: BinanceServer) -> None:
    await broker.submit(approved_before(sent(number=2)))
    other = json.dumps(next(iter(server.book.orders.values())).shown())
    server.raw.append((200, other))

    with pytest.raises(BrokerUnavailable, match="another one"):
        await broker.look_up(sent())


async def test_keys_that_are_repeated_to_us_are_not_shown(broker: BinanceBroker, server: BinanceServer) -> None:
    await broker.books()
    server.raw.append((403, f'{{"code": -2015, "msg": "no such key {KEY} with {SECRET}"}}'))

    with pytest.raises(BrokerUnavailable) as told:
        await broker.books()

    assert KEY not in str(told.value)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(("key", "secret", "code"), [("wrong", SECRET, "-2015"), (KEY, "wrong", "-1022")])
async def test_wrong_keys_are_said(server: BinanceServer, key: str, secret: str, code: str) -> None:
    async with connected(server, key, secret) as broker:
        with pytest.raises(BrokerUnavailable, match=code):
            await broker.books()
        with pytest.raises(BrokerUnavailable, match="keys"):
            await anext(broker.hints())


async def test_an_endless_answer_is_given_up(
    broker: BinanceBroker, server: BinanceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await broker.books()
    monkeypatch.setattr(bounded, "BODY_MAX", 10_000)
    server.raw.extend([(200, "[" + "1," * 10_000 + "1]")] * bounded.TRIES)

    with pytest.raises(BrokerUnavailable, match="longer than"):
        await broker.orders(present())


async def test_what_nobody_can_read_is_set_aside_and_the_rest_is_told(
    broker: BinanceBroker, server: BinanceServer
) -> None:
    await broker.submit(approved_before(sent()))
    good = server.book.done[0].shown()
    server.hostile_trades = [
        {**good, "id": 1, "qty": "NaN"}, {**good, "id": 2, "price": "-1"}, {**good, "id": 3, "qty": "1e999999999"},
        {**good, "id": 4, "time": "yesterday"}, {**good, "id": "\x00"}, 7, None, [[[[]]]], "x" * 10_000, {**good, "id": 1.5},
        {**good, "id": 5, "isBuyer": "yes"}, {**good, "id": 6, "symbol": "ETHUSDT"}, {**good, "id": 7, "time": 9e30},
        {**good, "id": 10, "time": good["time"] + 3_600_000},
        {**good, "id": 8, "commission": "-1"}, {**good, "id": 9, "commission": "99", "commissionAsset": "BTC"},
    ]  # fmt: skip

    heard = await broker.executions("", since=present() - SINCE)

    assert [f.execution_id for f, _ in heard.fills] == [f"BTCUSDT:{server.book.done[0].id}"]
    assert len(heard.garbled) == len(server.hostile_trades)
    assert all(text.isprintable() for text in heard.garbled)


async def test_one_order_nobody_can_read_hides_no_other(broker: BinanceBroker, server: BinanceServer) -> None:
    await broker.submit(approved_before(sent()))
    good = next(iter(server.book.orders.values())).shown()
    bad = [{**good, "status": "DREAMING"}, {**good, "executedQty": "NaN"}, 7]
    server.raw.extend([(200, "[]"), (200, json.dumps([*bad, good])), (200, "[]")])

    listed = await broker.orders(present() - SINCE)

    assert [r.client_order_id for r in listed] == [sent().client_order_id]


@pytest.mark.parametrize(
    "body", ["{}", '{"newOrderResponse": 7}', "[]", '{"newOrderResponse": {"status": "NEW"}}', "\x00"]
)
async def test_a_change_is_done_when_the_new_order_is_shown(
    broker: BinanceBroker, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    await broker.submit(approved_before(sent()))
    stop = a_sent_stop(2)
    await broker.submit(approved_before(stop))
    once = broker._wire._http.once

    async def answered_so(method: str, url: str, **parts: object) -> bounded.Reply:
        reply = await once(method, url, **parts)
        is_change = "cancelReplace" in url
        return replace(reply, document=bounded.parsed(body)) if is_change else reply

    monkeypatch.setattr(broker._wire._http, "once", answered_so)
    moved = replace(stop, price=Price(Decimal(95)), revision=1)

    with pytest.raises(BrokerUnavailable):
        await broker.amend(moved)
    record = await broker.look_up(moved)

    assert record is not None
    assert (record.state, record.price) == (OrderState.ACCEPTED, Decimal(95))


@pytest.mark.parametrize("answer", ["{}", '{"symbols": 7}', '{"symbols": [{}]}', '{"symbols": []}', "null"])
async def test_without_rules_that_can_be_read_nothing_is_sent(
    broker: BinanceBroker, server: BinanceServer, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    once = broker._wire._http.once

    async def answered_so(method: str, url: str, **parts: object) -> bounded.Reply:
        reply = await once(method, url, **parts)
        return replace(reply, document=bounded.parsed(answer)) if "exchangeInfo" in url else reply

    monkeypatch.setattr(broker._wire._http, "once", answered_so)

    with pytest.raises(BrokerUnavailable):
        await broker.submit(approved_before(sent()))

    assert server.book.posts == []


@pytest.mark.parametrize("cursor", ["", "abc", "!", "99999999999999999999", "-1", "1e9", "\u0661\u0662", "17640\x00"])
async def test_a_cursor_that_is_none_begins_at_the_beginning(
    broker: BinanceBroker, server: BinanceServer, cursor: str
) -> None:
    await broker.submit(approved_before(sent()))

    heard = await broker.executions(cursor, since=present() - SINCE)

    assert len(heard.fills) == len(server.book.done) == 1


@given(anything)
def test_no_record_is_read_wrongly_whatever_it_holds(raw: object) -> None:
    for read in (order_record, trade, balances, market):
        with suppress(Unreadable):
            read(raw)
