"""What a round trip is said to have earned is what the cash says, long and short, however it was filled."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.positions import Position, Trade, entered, reduced
from evil2root.domain.core.money import ZERO, Money, Price, Quantity
from evil2root.domain.core.side import Side
from tests.builders import DAY_ONE

prices = st.integers(1, 10**6).map(lambda cents: Decimal(cents) / 100)
fees = st.integers(0, 10**4).map(lambda cents: Decimal(cents) / 100)
parts = st.lists(st.tuples(st.integers(1, 1_000), prices, fees), min_size=1, max_size=6)


def a_fill(side: Side, number: int, quantity: int, price: Decimal, fee: Decimal = ZERO) -> Fill:
    return Fill(
        venue="v", account="a", execution_id=str(number), client_order_id="o", symbol="S", side=side,
        quantity=Quantity(Decimal(quantity)), price=Price(price), fee=Money(fee), at=DAY_ONE + timedelta(number),
        slippage=Money(ZERO),
    )  # fmt: skip


def round_trip(entries: list[Fill], exits: list[Fill]) -> Trade:
    position: Position | None = None
    for fill in entries:
        position = entered(position, fill, decision_id="D-1")
    trade = None
    for fill in exits:
        assert position is not None
        position, trade = reduced(position, fill, reason="exit", decision_id="D-2")
    assert position is None
    assert trade is not None
    return trade


def test_a_short_of_ten_at_100_closed_at_90_earns_100_less_fees() -> None:
    trade = round_trip(
        [a_fill(Side.SELL, 1, 10, Decimal(100), Decimal(1))], [a_fill(Side.BUY, 2, 10, Decimal(90), Decimal("0.9"))]
    )

    assert trade.pnl == Decimal("98.1")
    assert trade.side is Side.SELL


@given(side=st.sampled_from(Side), bought=parts, sold=st.lists(st.tuples(prices, fees), min_size=1, max_size=6))
def test_a_round_trip_earns_what_the_cash_gained(
    side: Side, bought: list[tuple[int, Decimal, Decimal]], sold: list[tuple[Decimal, Decimal]]
) -> None:
    entries = [a_fill(side, n, *part) for n, part in enumerate(bought)]
    units = sum(quantity for quantity, _, _ in bought)
    sold = sold[:units]
    sizes = [units // len(sold)] * (len(sold) - 1)
    sizes.append(units - sum(sizes))
    exits = [
        a_fill(side.opposite, 100 + n, size, price, fee)
        for n, (size, (price, fee)) in enumerate(zip(sizes, sold, strict=True))
    ]

    trade = round_trip(entries, exits)

    gained = sum((fill.cash for fill in [*entries, *exits]), ZERO)
    # The average price of several entries may have no last digit.
    assert abs(trade.pnl - gained) <= Decimal("1e-15") * (1 + units)
    assert trade.fees == sum((fill.fee for fill in [*entries, *exits]), ZERO)
