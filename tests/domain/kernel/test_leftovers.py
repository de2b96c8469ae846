"""What an exit leaves and nobody can sell is the owner's again, and nothing else is."""

from dataclasses import replace
from decimal import Decimal

import pytest

from evil2root.domain.book.ledger import balances
from evil2root.domain.book.orders import Leg, OrderState
from evil2root.domain.book.positions import Position
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.actions import Cancel, KeepEntries, KeepTrade
from evil2root.domain.kernel.leftovers import give_back_leftovers
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.state import Turn, empty
from tests.builders import DAY_ONE, a_stop, an_order
from tests.fakes.remote import FakeVenue, VenueBooks

POLICY = replace(
    make_policy(
        "metronome", {}, account="real", currency="USD", interval=Interval.D1, instruments={"AAPL": instrument_for("AAPL")}
    ),
    venue=FakeVenue(VenueBooks()).traits,
)  # fmt: skip
OVER = an_order(Side.SELL, 10, leg=Leg.EXIT, reduce_only=True, state=OrderState.CANCELED, reason="signal")


def a_turn(held: str = "0.009", *, mark: str | None = "100") -> Turn:
    """After an exit: `held` units of AAPL are left of ten bought at 90, and a stop still lies at the venue."""
    position = Position(
        symbol="AAPL", quantity=Decimal(held), average_price=Price(Decimal(90)), opened_at=DAY_ONE, decision_id="D-1",
        entry_quantity=Quantity(Decimal(10)),
    )  # fmt: skip
    state = empty()
    marks = {} if mark is None else {"AAPL": Price(Decimal(mark))}
    stop = replace(a_stop(Side.SELL, 10, "80"), state=OrderState.ACCEPTED)
    portfolio = replace(state.portfolio, positions={"AAPL": position}, marks=marks)
    return Turn(replace(state, portfolio=portfolio, orders={stop.client_order_id: stop}), POLICY, DAY_ONE)


def test_they_leave_the_books_at_the_last_price_and_are_let_be() -> None:
    turn = a_turn()

    give_back_leftovers(turn, OVER, at=DAY_ONE)

    entries = [e for a in turn.actions if isinstance(a, KeepEntries) for e in a.entries]
    sums = balances(entries)
    assert not turn.state.portfolio.positions
    assert turn.state.carry.ignored == {"AAPL": Decimal("0.009")}
    assert turn.state.carry.capital == Decimal("-0.9")
    assert (sums["position:AAPL", "AAPL"], sums["capital", "USD"]) == (Decimal("-0.009"), Decimal("0.9"))
    assert {e.ref for e in entries} == {f"adjust:leftover:{OVER.client_order_id}"}
    assert [a.trade.exit_reason for a in turn.actions if isinstance(a, KeepTrade)] == ["signal"]
    assert len([a for a in turn.actions if isinstance(a, Cancel)]) == 1


def test_they_add_up() -> None:
    turn = a_turn()
    turn.carry(ignored={"AAPL": Decimal("0.004")})

    give_back_leftovers(turn, OVER, at=DAY_ONE)

    assert turn.state.carry.ignored == {"AAPL": Decimal("0.013")}


@pytest.mark.parametrize(
    ("turn", "order"),
    [
        (a_turn("0.01"), OVER), (a_turn(mark=None), OVER), (a_turn(), replace(OVER, state=OrderState.PARTIAL)),
        (a_turn(), replace(OVER, reduce_only=False, leg=Leg.ENTRY)), (a_turn(), replace(OVER, symbol="IBM")),
    ],
    ids=["worth an order", "of no known price", "still being sold", "after an entry", "of another symbol"],
)  # fmt: skip
def test_what_may_yet_be_sold_stays(turn: Turn, order: object) -> None:
    before = turn.state

    give_back_leftovers(turn, order, at=DAY_ONE)  # type: ignore[arg-type] # from the table

    assert turn.state == before
    assert not turn.actions


def test_the_simulated_venue_leaves_none() -> None:
    turn = a_turn()
    turn.policy = replace(POLICY, venue=None)

    give_back_leftovers(turn, OVER, at=DAY_ONE)

    assert not turn.actions
