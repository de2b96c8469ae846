"""Binance's adapter: fees, lots, ids, limits of the venue, and its way of moving a stop."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from evil2root.adapters.brokers import binance as adapter
from evil2root.adapters.brokers import binance_trades, binance_wire
from evil2root.adapters.brokers.binance import BinanceBroker
from evil2root.adapters.brokers.binance_names import REVISION_MAX, our_name, their_name
from evil2root.adapters.brokers.binance_orders import Unfit, request
from evil2root.adapters.brokers.binance_records import Market
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.money import Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.risk.gate import approved_before
from tests.adapters.binance_world import SYMBOLS, a_sent_stop, a_server, connected, sent
from tests.contract.remote_broker import ids, walked
from tests.servers.binance import KEY, SECRET, BinanceServer
from tests.servers.binance_book import NAME, present

BTC = Market(
    market="BTCUSDT", base="BTC", quote="USDT", open=True, tick=Decimal("0.01"), lot=Decimal("0.00001"),
    least=Decimal("0.00001"), notional=Decimal(5), takes=frozenset({"MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"}),
)  # fmt: skip
SINCE = timedelta(minutes=5)


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


class TestNames:
    @given(st.uuids(), st.integers(0, REVISION_MAX))
    def test_lead_back_to_the_id_and_fit_what_the_venue_allows(self, made: UUID, revision: int) -> None:
        name = their_name(str(made), revision=revision)

        assert our_name(name) == (str(made), revision)
        assert NAME.fullmatch(name)

    @given(st.text(max_size=40))
    def test_of_others_are_not_taken_for_ours(self, text: str) -> None:
        found = our_name(text)

        assert found is None or their_name(found[0], revision=found[1]) == text

    def test_that_only_look_like_ours_are_not(self) -> None:
        name = their_name(sent().client_order_id)
        last = {"A": "B", "Q": "R", "g": "h", "w": "x"}[name[-1]]

        assert our_name(name[:-1] + last) is None, "the last digit has bits that no id has"
        assert our_name(f"{name}.0") is None
        assert our_name(f"{name}.01") is None


class TestFees:
    async def test_kept_in_coins_leave_the_units_and_the_cash_the_venue_has(self, server: BinanceServer) -> None:
        server.book.fees, server.book.prices = "received", {"BTCUSDT": Decimal("61234.56")}
        buy = replace(sent(), quantity=Quantity(Decimal("0.01234")))
        async with connected(server) as broker:
            await broker.submit(approved_before(buy))
            record = await broker.look_up(buy)
            await broker.submit(approved_before(replace(sent(Side.SELL, number=2), quantity=Quantity(Decimal("0.01")))))

            fills = [f for heard in await walked(broker, "", present() - SINCE) for f, _ in heard.fills]
            books = await broker.books()

        bought, sold = fills
        assert (bought.quantity, bought.price) == (Decimal("0.01232766"), Decimal("61234.56"))
        assert bought.fee == Decimal("0.00001234") * Decimal("61234.56")
        assert sold.fee == server.book.done[1].fee > 0
        assert books.cash - 100_000 == bought.cash + sold.cash
        assert books.positions == {"BTC-USDT": bought.quantity - sold.quantity}
        assert record is not None
        assert (record.state, record.filled) == (OrderState.FILLED, bought.quantity)

    async def test_in_a_third_asset_move_neither_cash_nor_units_and_are_told(
        self, server: BinanceServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server.book.fees = "bnb"
        async with connected(server) as broker:
            await broker.submit(approved_before(sent()))
            fills = [f for heard in await walked(broker, "", present() - SINCE) for f, _ in heard.fills]
            books = await broker.books()

        assert server.book.balances["BNB"] < 0, "the venue took some"
        assert (str(fills[0].fee), fills[0].quantity) == ("0", Decimal(10))
        assert (books.cash, dict(books.positions)) == (Decimal(99_000), {"BTC-USDT": Decimal(10)})
        assert "fill.fee_elsewhere" in capsys.readouterr().out

    async def test_are_asked_for_again_after_a_restart(self, server: BinanceServer) -> None:
        server.book.fees = "received"
        async with connected(server) as broker:
            await broker.submit(approved_before(sent()))
        async with connected(server) as restarted:
            listed = await restarted.orders(present() - SINCE)

        assert [(r.client_order_id, r.filled) for r in listed] == [(sent().client_order_id, Decimal("9.99"))]

    async def test_that_are_not_shown_yet_are_waited_for_and_not_for_ever(
        self, server: BinanceServer, broker: BinanceBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.book.fees = "received"
        await broker.submit(approved_before(sent()))
        server.book.done.clear()

        with pytest.raises(BrokerUnavailable, match="all trades"):
            await broker.look_up(sent())
        assert await broker.orders(present() - SINCE) == ()
        monkeypatch.setattr(binance_trades, "SHOWN_WITHIN_S", 0.0)
        record = await broker.look_up(sent())

        assert record is not None
        assert record.filled == 10


class TestRequests:
    def test_are_floored_to_the_lot(self) -> None:
        asked = request(replace(sent(), quantity=Quantity(Decimal("0.123456789"))), BTC)

        assert asked["quantity"] == "0.12345"
        assert asked["type"] == "MARKET"

    @pytest.mark.parametrize(("side", "stop"), [(Side.SELL, "90.13"), (Side.BUY, "90.12")])
    def test_never_loosen_a_stop(self, side: Side, stop: str) -> None:
        order = replace(a_sent_stop(1), side=side, price=Price(Decimal("90.123")))

        assert request(order, BTC)["stopPrice"] == stop

    def test_take_a_limit_with_room_where_there_are_no_plain_stops(self) -> None:
        asked = request(a_sent_stop(1), replace(BTC, takes=frozenset({"STOP_LOSS_LIMIT"})))

        assert (asked["type"], asked["stopPrice"], asked["price"]) == ("STOP_LOSS_LIMIT", "90", "85.50")

    @pytest.mark.parametrize(
        ("rules", "why"),
        [({"open": False}, "closed"), ({"least": Decimal(11)}, "smallest quantity"),
         ({"notional": Decimal(901)}, "smallest value"), ({"takes": frozenset({"MARKET"})}, "no stops")],
    )  # fmt: skip
    def test_are_not_made_where_the_market_forbids_them(self, rules: dict[str, object], why: str) -> None:
        with pytest.raises(Unfit, match=why):
            request(a_sent_stop(1), replace(BTC, **rules))  # type: ignore[arg-type] # one field each

    async def test_that_are_not_made_reach_nobody_and_are_canceled(
        self, server: BinanceServer, broker: BinanceBroker
    ) -> None:
        dust = replace(sent(), quantity=Quantity(Decimal("0.000001")))

        answer = await broker.submit(approved_before(dust))

        assert answer.state is OrderState.CANCELED
        assert "not sent" in answer.why
        assert server.book.posts == []

    async def test_to_a_market_that_is_not_there_are_not_sent(self, server: BinanceServer) -> None:
        del server.book.pairs["ETHUSDT"]
        async with connected(server) as broker:
            with pytest.raises(BrokerUnavailable, match="Invalid symbol"):
                await broker.submit(approved_before(sent()))

        assert server.book.posts == []


class TestIds:
    async def test_that_filled_would_be_taken_again_so_they_are_never_sent_again(
        self, server: BinanceServer, broker: BinanceBroker
    ) -> None:
        await broker.submit(approved_before(sent()))

        with pytest.raises(BrokerUnavailable, match="never sent again"):
            await broker.submit(approved_before(sent()))

        assert len(server.book.posts) == 1

    async def test_of_orders_made_by_hand_stay_as_they_are(self, server: BinanceServer, broker: BinanceBroker) -> None:
        server.book.place(
            {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "1", "newClientOrderId": "web_7"}
        )

        listed = await broker.orders(present() - SINCE)
        heard = await broker.executions("", since=present() - SINCE)

        assert [r.client_order_id for r in listed] == ["web_7"]
        assert [f.client_order_id for f, _ in heard.fills] == ["web_7"]


class TestStops:
    async def test_that_moved_often_are_one_order_after_a_restart(self, server: BinanceServer) -> None:
        stop = a_sent_stop(2)
        async with connected(server) as broker:
            await broker.submit(approved_before(sent()))
            await broker.submit(approved_before(stop))
            for revision in (1, 4, 9):
                await broker.amend(replace(stop, price=Price(Decimal(90 + revision)), revision=revision))
            await broker.orders(present() - SINCE)
            before = len(server.asked)
            await broker.orders(present() - SINCE)
            rounds = len(server.asked) - before
        async with connected(server) as restarted:
            record = await restarted.look_up(replace(stop, revision=9))
            # Only the newest is young enough to be listed; those before it are found all the same.
            for row in list(server.book.orders.values())[:-1]:
                row.created_at -= timedelta(hours=1)
            listed = await restarted.orders(present() - SINCE)

        assert record is not None
        assert (record.price, record.state, record.client_order_id) == (
            Decimal(99),
            OrderState.ACCEPTED,
            stop.client_order_id,
        )
        assert [r for r in listed if r.client_order_id == stop.client_order_id] == [record]
        assert rounds == 3, "open orders, and one list for each market"

    async def test_that_filled_in_part_keep_what_they_filled_when_they_move(
        self, server: BinanceServer, broker: BinanceBroker
    ) -> None:
        await broker.submit(approved_before(sent()))
        stop = a_sent_stop(2)
        await broker.submit(approved_before(stop))
        row = server.book.orders[max(server.book.orders)]
        server.book.execute(row, Decimal(4))
        moved = replace(
            stop, price=Price(Decimal(95)), revision=1, filled=Quantity(Decimal(4)), average_price=Price(Decimal(90))
        )

        await broker.amend(moved)
        record = await broker.look_up(moved)

        assert record is not None
        assert (record.filled, record.quantity, record.state) == (Decimal(4), Decimal(10), OrderState.PARTIAL)

    async def test_that_are_touched_while_they_are_moved_are_not_placed_twice(
        self, server: BinanceServer, broker: BinanceBroker
    ) -> None:
        await broker.submit(approved_before(sent()))
        stop = a_sent_stop(2)
        await broker.submit(approved_before(stop))
        server.planned.append("outrun")

        with pytest.raises(BrokerUnavailable, match="-2022"):
            await broker.amend(replace(stop, price=Price(Decimal(95)), revision=1))
        record = await broker.look_up(stop)

        assert record is not None
        assert (record.state, record.filled) == (OrderState.FILLED, Decimal(10))
        assert len(server.book.orders) == 2

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
    async def test_whose_change_got_no_answer_are_moved_once(
        self, server: BinanceServer, broker: BinanceBroker, fault: str
    ) -> None:
        await broker.submit(approved_before(sent()))
        stop = a_sent_stop(2)
        await broker.submit(approved_before(stop))
        moved = replace(stop, price=Price(Decimal(95)), revision=1)
        server.planned.extend(["none", fault])  # the question before it

        with pytest.raises(BrokerUnavailable):
            await broker.amend(moved)
        await broker.amend(moved)
        record = await broker.look_up(moved)

        assert record is not None
        assert (record.price, record.state) == (Decimal(95), OrderState.ACCEPTED)
        assert len([r for r in server.book.orders.values() if r.is_open]) == 1
        assert len(server.book.orders) == 3

    async def test_whose_replacement_is_not_shown_yet_are_not_called_canceled(
        self, server: BinanceServer, broker: BinanceBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await broker.submit(approved_before(sent()))
        stop = a_sent_stop(2)
        await broker.submit(approved_before(stop))
        moved = replace(stop, price=Price(Decimal(95)), revision=1)
        await broker.amend(moved)
        server.book.orders[max(server.book.orders)].visible_at = present() + timedelta(hours=1)

        with pytest.raises(BrokerUnavailable, match="does not show yet"):
            await broker.look_up(moved)
        listed = {r.client_order_id for r in await broker.orders(present() - SINCE)}
        monkeypatch.setattr(adapter, "REPLACED_WITHIN_S", 0.0)
        late = await broker.look_up(moved)

        assert stop.client_order_id not in listed
        assert late is not None
        assert late.state is OrderState.CANCELED

    async def test_whose_replacement_was_refused_are_gone_and_that_is_said(
        self, broker: BinanceBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapter, "REPLACED_WITHIN_S", 0.0)
        await broker.submit(approved_before(sent()))
        stop = a_sent_stop(2)
        await broker.submit(approved_before(stop))
        moved = replace(stop, quantity=Quantity(Decimal(11)), revision=1)

        with pytest.raises(BrokerUnavailable, match="partially failed"):
            await broker.amend(moved)
        record = await broker.look_up(moved)

        assert record is not None
        assert record.state is OrderState.CANCELED

    async def test_whose_change_is_finer_than_the_tick_stay(self, server: BinanceServer, broker: BinanceBroker) -> None:
        await broker.submit(approved_before(sent()))
        stop = a_sent_stop(2)
        await broker.submit(approved_before(stop))

        answer = await broker.amend(replace(stop, price=Price(Decimal("89.9999")), revision=1))

        assert answer.state is OrderState.ACCEPTED
        assert len(server.book.orders) == 2


class TestMarkets:
    async def test_are_told_as_one_line_of_events(
        self, server: BinanceServer, broker: BinanceBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(binance_trades, "PAGE", 4)
        start = server.book.moment = present()
        for number in range(1, 31):
            # Bursts within one millisecond, more than a page long, in both markets.
            server.book.moment = start + timedelta(milliseconds=number // 7)
            await broker.submit(approved_before(sent(number=number, quantity=1, symbol=SYMBOLS[number % 3 % 2])))

        pages = await walked(broker, "", present() - SINCE)
        times = [f.at for heard in pages for f, _ in heard.fills]

        assert sorted(ids(pages)) == sorted(f"{t.symbol}:{t.id}" for t in server.book.done)
        assert times == sorted(times)
        assert len(times) == 30

    def test_must_have_one_quote_currency(self) -> None:
        for symbols, why in (
            (("BTC-USDT", "ETH-BTC"), "one quote currency"),
            (("AAPL",), "like BTC-USDT"),
            ((), "Nothing"),
        ):
            with pytest.raises(ValueError, match=why):
                BinanceBroker("http://127.0.0.1:9", SecretStr(KEY), SecretStr(SECRET), account="a", symbols=symbols)


class TestClock:
    @pytest.mark.parametrize("skew_ms", [-3_600_000, 3_600_000])
    async def test_of_the_venue_is_the_one_that_counts(self, server: BinanceServer, skew_ms: int) -> None:
        server.skew_ms = skew_ms
        async with connected(server) as broker:
            assert (await broker.books()).cash == 100_000

    async def test_that_was_set_is_learned_again(self, server: BinanceServer, broker: BinanceBroker) -> None:
        await broker.books()
        server.skew_ms = 60_000

        assert (await broker.books()).cash == 100_000

    async def test_that_was_set_keeps_an_order_from_being_placed_and_proves_nothing(
        self, server: BinanceServer, broker: BinanceBroker
    ) -> None:
        await broker.submit(approved_before(sent()))
        server.skew_ms = 60_000

        with pytest.raises(BrokerUnavailable, match="-1021"):
            await broker.submit(approved_before(sent(number=2)))

        assert server.asked.count("POST /api/v3/order") == 2, "each once"
        assert await broker.look_up(sent(number=2)) is None
        assert len(server.book.orders) == 1
