"""What a person closes ends as asked: nothing left over, no id twice, no position left without its stop."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Leg, Order, OrderState
from evil2root.domain.book.positions import Position
from evil2root.domain.book.protection import Protect
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import ZERO, Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.actions import KeepBreaker, Reply
from evil2root.domain.kernel.events import (
    CancelAsked,
    CloseAsked,
    Event,
    FillArrived,
    HaltAsked,
    OrderAnswered,
    ResumeAsked,
    StopMoveAsked,
)
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.state import State, empty
from evil2root.domain.kernel.step import step
from tests.builders import DAY_ONE, a_stop, an_order
from tests.fakes.remote import FakeVenue, VenueBooks

AT = DAY_ONE + timedelta(days=1)


def rules(symbol: str = "AAPL", *, reserves: bool = False) -> Policy:
    made = make_policy(
        "metronome", {}, account="real", currency="USD", interval=Interval.D1, instruments={symbol: instrument_for(symbol)}
    )  # fmt: skip
    return replace(made, venue=FakeVenue(VenueBooks(), reserves=reserves).traits)


def holding(symbol: str = "AAPL", *more: Order) -> State:
    """Ten units, with their stop at the venue."""
    position = Position(
        symbol=symbol, quantity=Decimal(10), average_price=Price(Decimal(90)), opened_at=DAY_ONE, decision_id="D-1",
        entry_quantity=Quantity(Decimal(10)), stop=Price(Decimal(80)),
    )  # fmt: skip
    state, stop = empty(), a_stop(Side.SELL, 10, "80", state=OrderState.ACCEPTED, symbol=symbol)
    marks = {symbol: Price(Decimal(100))}
    return replace(
        state, portfolio=replace(state.portfolio, positions={symbol: position}, marks=marks),
        orders={o.client_order_id: o for o in (stop, *more)},
    )  # fmt: skip


def told(state: State, policy: Policy, *events: Event) -> State:
    for event in events:
        state, _ = step(state, event, policy)
    return state


def answer(order: Order, state: OrderState) -> OrderAnswered:
    return OrderAnswered(client_order_id=order.client_order_id, state=state, why="", at=AT)


def the(state: State, leg: Leg) -> Order:
    return next(o for o in state.orders.values() if o.leg is leg)


def closing(quantity: str | None = None) -> CloseAsked:
    asked = None if quantity is None else Decimal(quantity)
    return CloseAsked(symbol="AAPL", by="ann", at=AT, attempt=1, quantity=asked)


def flattened() -> HaltAsked:
    return HaltAsked(by="ann", reason="odd prices", at=AT, flatten=True)


@pytest.mark.parametrize("end", [OrderState.REJECTED, OrderState.CANCELED, OrderState.EXPIRED])
def test_an_exit_that_dies_gives_the_position_its_stop_back_at_once(end: OrderState) -> None:
    policy = rules(reserves=True)
    state = told(holding(), policy, closing())
    state = told(state, policy, answer(the(state, Leg.STOP), OrderState.CANCELED))

    state = told(state, policy, answer(the(state, Leg.MANUAL), end))

    again = the(state, Leg.STOP)
    assert (again.state, again.price, again.quantity) == (OrderState.SENDING, Decimal(80), Decimal(10))
    assert again.client_order_id != "stop-80"


def test_an_exit_that_is_called_off_before_the_stop_made_way_leaves_a_stop() -> None:
    policy = rules(reserves=True)
    state = told(holding(), policy, closing())
    waiting, stop = the(state, Leg.MANUAL), the(state, Leg.STOP)
    assert (waiting.state, stop.state) == (OrderState.PENDING, OrderState.CANCEL_SENT)
    state = told(state, policy, CancelAsked(client_order_id=waiting.client_order_id, by="ann", at=AT))

    state = told(state, policy, answer(stop, OrderState.CANCELED))

    assert [(o.leg, o.state) for o in state.orders.values()] == [(Leg.STOP, OrderState.SENDING)]


def test_what_is_closed_again_at_the_same_moment_is_another_order() -> None:
    policy = replace(rules(), venue=None)
    state = told(holding(), policy, closing())
    first = the(state, Leg.MANUAL)
    state = told(
        state, policy, answer(first, OrderState.ACCEPTED),
        CancelAsked(client_order_id=first.client_order_id, by="ann", at=AT), answer(first, OrderState.CANCELED),
    )  # fmt: skip

    state = told(state, policy, closing())

    assert the(state, Leg.MANUAL).client_order_id != first.client_order_id


@pytest.mark.parametrize("quantity", ["NaN", "Infinity", "1e999999", "-1", "0"])
def test_a_quantity_that_is_none_is_refused(quantity: str) -> None:
    asked = replace(closing(quantity), symbol="BTC-USD")

    _, actions = step(holding("BTC-USD"), asked, rules("BTC-USD"))

    assert [a.done for a in actions if isinstance(a, Reply)] == [False]


def test_flattening_closes_also_what_an_exit_of_a_part_leaves() -> None:
    state = told(holding(), rules(), closing("1"), flattened())

    assert sum(o.quantity for o in state.orders.values() if o.leg is Leg.MANUAL) == 10


def test_flattening_closes_what_an_entry_on_its_way_still_buys() -> None:
    policy, entry = rules(), an_order(Side.BUY, 5)
    fill = Fill(
        venue="fake", account="real", execution_id="X-1", client_order_id=entry.client_order_id, symbol="AAPL",
        side=Side.BUY, quantity=Quantity(Decimal(5)), price=Price(Decimal(100)), fee=Money(ZERO), at=AT,
        slippage=Money(ZERO),
    )  # fmt: skip
    bare = replace(holding("AAPL", entry), portfolio=replace(empty().portfolio, marks={"AAPL": Price(Decimal(100))}))
    more = HaltAsked(by="file", reason="HALT", at=AT)

    state = told(bare, policy, flattened(), more, FillArrived(fill=fill, cursor="1"))

    sold = the(state, Leg.MANUAL)
    assert (sold.side, sold.quantity, sold.reduce_only) == (Side.SELL, Decimal(5), True)


def test_a_drill_ends_no_halt_but_its_own() -> None:
    policy = rules()
    own = replace(flattened(), by="drill")
    resumed = ResumeAsked(by="drill", reason="over", at=AT, halt_of="drill")

    state, actions = step(told(holding(), policy, own, flattened()), resumed, policy)

    assert not state.carry.breaker.lets_in
    assert [a.done for a in actions if isinstance(a, Reply)] == [False]
    assert told(holding(), policy, own, resumed).carry.breaker.lets_in


def test_resuming_what_is_not_halted_begins_no_new_peak() -> None:
    state = holding()
    fallen = replace(
        state, carry=replace(state.carry, risk=replace(state.carry.risk, peak=Money(Decimal(1000)), losses=3))
    )

    after, actions = step(fallen, ResumeAsked(by="ann", reason="why not", at=AT), rules())

    assert after.carry.risk == fallen.carry.risk
    assert not any(isinstance(a, KeepBreaker) for a in actions)


@pytest.mark.parametrize("moved", ["130", None])
def test_the_rest_of_an_entry_leaves_a_target_where_a_person_put_it(moved: str | None) -> None:
    protect = Protect(stop=Decimal(10), target=Decimal(20), relative=False)
    entry = an_order(Side.BUY, 10, state=OrderState.ACCEPTED, protect=protect)
    state = replace(empty(), orders={entry.client_order_id: entry}, portfolio=replace(
        empty().portfolio, cash=Money(Decimal(10_000)), marks={"AAPL": Price(Decimal(100))}))  # fmt: skip
    state = told(state, rules(), part(entry, "E-1", "100"))
    if moved is not None:
        state = told(state, rules(), StopMoveAsked(symbol="AAPL", by="ann", at=AT, target=Price(Decimal(moved))))

    state = told(state, rules(), part(entry, "E-2", "102"))

    position = state.portfolio.positions["AAPL"]
    assert position.quantity == Decimal(10)
    assert position.target == Decimal(moved or "121")


def part(entry: Order, name: str, price: str) -> FillArrived:
    return FillArrived(
        fill=Fill(
            venue="fake", account="real", execution_id=name, client_order_id=entry.client_order_id, symbol="AAPL",
            side=Side.BUY, quantity=Quantity(Decimal(5)), price=Price(Decimal(price)), fee=Money(ZERO), at=AT,
            slippage=Money(ZERO),
        )
    )  # fmt: skip
