"""What happens to orders on a bar, rule by rule."""

from decimal import Decimal

import pytest

from evil2root.domain.book.charges import Charge
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import OrderKind
from evil2root.domain.core.money import Price
from evil2root.domain.core.side import Side
from evil2root.domain.execution.costs import Costs
from evil2root.domain.execution.venue import Dropped, Phase, Terms, VenueAccount, play
from evil2root.domain.market.bars import Bar
from tests.builders import FREE, a_bar, a_stop, a_target, an_account, an_order, terms


def whole_bar(
    account: VenueAccount, *bars: Bar, rules: Terms | None = None
) -> tuple[VenueAccount, list[Fill | Dropped | Charge]]:
    happened: list[Fill | Dropped | Charge] = []
    for phase in Phase:
        account, events = play(account, phase, {bar.symbol: bar for bar in bars}, rules or terms())
        happened += events
    return account, happened


def prices(happened: list[Fill | Dropped | Charge]) -> list[float]:
    return [float(event.price) for event in happened if isinstance(event, Fill)]


class TestGuardsOfALong:
    """A long at 100 with its stop at 95 and its target at 110."""

    def held(self) -> VenueAccount:
        return an_account(a_stop(Side.SELL, 10, "95"), a_target(Side.SELL, 10, "110"), AAPL=10)

    @pytest.mark.parametrize(
        ("bar", "price"),
        [
            (a_bar(90, 92, 88, 91), 90),  # a gap below the stop fills at the open
            (a_bar(112, 115, 111, 114), 112),  # a gap above the target too
            (a_bar(100, 111, 94, 100), 95),  # both inside the bar: the stop is taken
            (a_bar(100, 105, 95, 101), 95),  # touched is enough
            (a_bar(100, 110, 99, 101), 110),
        ],
    )
    def test_fill_where_the_rules_say(self, bar: Bar, price: float) -> None:
        after, happened = whole_bar(self.held(), bar)

        assert prices(happened) == [price]
        assert after.held("AAPL") == 0

    def test_stay_when_nothing_is_touched(self) -> None:
        after, happened = whole_bar(self.held(), a_bar(100, 109.99, 95.01, 100))

        assert happened == []
        assert after == self.held()

    def test_let_the_stop_go_first_in_a_reference_run_even_when_the_open_is_beyond_the_target(self) -> None:
        _, happened = whole_bar(self.held(), a_bar(112, 115, 94, 100), rules=terms(target_gap_first=False))

        assert prices(happened) == [95]


class TestGuardsOfAShort:
    """A short at 100 with its stop at 105 and its target at 90."""

    @pytest.mark.parametrize(
        ("bar", "price"),
        [
            (a_bar(108, 109, 104, 106), 108),
            (a_bar(88, 89, 85, 86), 88),
            (a_bar(100, 106, 89, 100), 105),
            (a_bar(100, 104, 90, 95), 90),
        ],
    )
    def test_fill_mirrored(self, bar: Bar, price: float) -> None:
        account = an_account(a_stop(Side.BUY, 10, "105"), a_target(Side.BUY, 10, "90"), AAPL=-10)

        after, happened = whole_bar(account, bar)

        assert prices(happened) == [price]
        assert after.held("AAPL") == 0


class TestTheOpen:
    def test_fills_an_exit_before_the_stop_inside_the_bar(self) -> None:
        leaving = an_order(Side.SELL, 10, client_order_id="exit", reduce_only=True)
        account = an_account(a_stop(Side.SELL, 10, "95"), leaving, AAPL=10)

        _, happened = whole_bar(account, a_bar(100, 101, 90, 92))

        assert prices(happened) == [100]

    def test_lets_an_entry_use_the_money_an_exit_freed_at_the_same_open(self) -> None:
        leaving = an_order(Side.SELL, 10, client_order_id="exit", reduce_only=True)
        entering = an_order(Side.BUY, 5, client_order_id="entry", symbol="MSFT")
        account = an_account(entering, leaving, cash="0", AAPL=10)

        after, happened = whole_bar(account, a_bar(100, 101, 99, 100), a_bar(200, 201, 199, 200, symbol="MSFT"))

        assert prices(happened) == [100, 200]
        assert after.cash == 0

    def test_does_not_lend_an_entry_the_money_a_stop_frees_inside_the_bar(self) -> None:
        entering = an_order(Side.BUY, 5, client_order_id="entry", symbol="MSFT")
        account = an_account(a_stop(Side.SELL, 10, "95"), entering, cash="0", AAPL=10)

        _, happened = whole_bar(account, a_bar(100, 101, 94, 95), a_bar(200, 201, 199, 200, symbol="MSFT"))

        assert prices(happened) == [95]
        assert [event.client_order_id for event in happened if isinstance(event, Dropped)] == ["entry"]

    def test_takes_entries_in_the_order_they_were_decided(self) -> None:
        first = an_order(Side.BUY, 9, client_order_id="first")
        second = an_order(Side.BUY, 9, client_order_id="second", symbol="MSFT")
        account = an_account(first, second, cash="1000")

        after, _ = whole_bar(account, a_bar(100, 101, 99, 100), a_bar(100, 101, 99, 100, symbol="MSFT"))

        assert after.held("AAPL") == 9
        assert after.held("MSFT") == 1
        assert after.cash == 0


class TestLimits:
    @pytest.mark.parametrize(("low", "filled"), [(99.0, []), (98.99, [99.0])])
    def test_need_a_tick_through(self, low: float, filled: list[float]) -> None:
        order = an_order(Side.BUY, 1, kind=OrderKind.LIMIT, price=Price(Decimal(99)))

        _, happened = whole_bar(an_account(order), a_bar(100, 101, low, 100))

        assert prices(happened) == filled

    @pytest.mark.parametrize(("bar", "price"), [(a_bar(100, 103, 99, 101), 102), (a_bar(104, 105, 103, 104), 104)])
    def test_of_a_stop_entry_fill_at_the_worse_of_open_and_trigger(self, bar: Bar, price: float) -> None:
        order = an_order(Side.BUY, 1, kind=OrderKind.STOP_ENTRY, price=Price(Decimal(102)))

        _, happened = whole_bar(an_account(order), bar)

        assert prices(happened) == [price]


class TestCosts:
    DEAR = Costs(fee_frac=Decimal("0.001"), slippage_bps=Decimal(10), volume_share_frac=None)

    def test_slip_against_whoever_takes_and_round_to_the_tick_against_them(self) -> None:
        bought = whole_bar(an_account(an_order(Side.BUY, 1)), a_bar(99.97, 101, 99, 100), rules=terms(costs=self.DEAR))[
            1
        ]
        sold = whole_bar(an_account(an_order(Side.SELL, 1)), a_bar(99.97, 101, 99, 100), rules=terms(costs=self.DEAR))[
            1
        ]

        assert prices(bought) == [100.07]  # 99.97 x 1.001 = 100.06997
        assert prices(sold) == [99.87]  # 99.97 x 0.999 = 99.87003

    def test_spare_a_target_the_slippage_but_not_the_fee(self) -> None:
        account = an_account(a_target(Side.SELL, 10, "110"), AAPL=10)

        after, happened = whole_bar(account, a_bar(100, 111, 99, 110), rules=terms(costs=self.DEAR))

        assert prices(happened) == [110]
        assert after.cash == 100_000 + 1_100 - Decimal("1.1")

    def test_take_no_more_than_a_share_of_the_volume_and_leave_the_rest_open(self) -> None:
        capped = terms(costs=Costs(fee_frac=Decimal(0), slippage_bps=Decimal(0), volume_share_frac=Decimal("0.1")))
        account = an_account(an_order(Side.BUY, 30))

        first, _ = whole_bar(account, a_bar(100, 101, 99, 100, volume=200), rules=capped)
        nothing, _ = whole_bar(first, a_bar(100, 101, 99, 100, day=1, volume=0), rules=capped)
        second, _ = whole_bar(nothing, a_bar(100, 101, 99, 100, day=2, volume=200), rules=capped)

        assert [int(a.held("AAPL")) for a in (first, nothing, second)] == [20, 20, 30]
        assert not second.working

    def test_let_a_stop_that_could_not_fill_whole_go_on_at_the_market(self) -> None:
        capped = terms(costs=Costs(fee_frac=Decimal(0), slippage_bps=Decimal(0), volume_share_frac=Decimal("0.1")))
        account = an_account(a_stop(Side.SELL, 30, "95"), AAPL=30)

        first, _ = whole_bar(account, a_bar(100, 101, 94, 96, volume=200), rules=capped)
        _, happened = whole_bar(first, a_bar(99, 101, 98, 100, day=1, volume=1000), rules=capped)

        assert first.held("AAPL") == 10
        assert prices(happened) == [99]


def test_a_short_of_10_at_100_closed_at_90_raises_cash_by_100_less_fees() -> None:
    rules = terms(costs=Costs(fee_frac=Decimal("0.001"), slippage_bps=Decimal(0), volume_share_frac=None))
    sold, _ = whole_bar(an_account(an_order(Side.SELL, 10)), a_bar(100, 101, 99, 100), rules=rules)
    closing = an_order(Side.BUY, 10, client_order_id="exit", reduce_only=True)
    covered, _ = whole_bar(
        VenueAccount(account="paper", cash=sold.cash, positions=sold.positions, working={"exit": closing}),
        a_bar(90, 91, 89, 90, day=1), rules=rules,
    )  # fmt: skip

    assert covered.cash - 100_000 == 100 - Decimal("1.0") - Decimal("0.9")
    assert covered.positions == {}


def test_the_same_order_sent_twice_fills_once() -> None:
    account = an_account(an_order(Side.BUY, 10), an_order(Side.BUY, 10))

    after, _ = whole_bar(account, a_bar(100, 101, 99, 100), rules=terms(costs=FREE))

    assert after.held("AAPL") == 10
