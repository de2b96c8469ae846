"""A fill changes everything at once: the order, the ledger, the position and its guards."""

from dataclasses import replace
from decimal import Decimal

from evil2root.domain.book import ledger
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import IllegalMove, Leg, Order
from evil2root.domain.book.positions import Position, entered, reduced
from evil2root.domain.book.protection import Protect
from evil2root.domain.core.money import ZERO, Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.kernel.actions import KeepEntries, KeepFill, KeepOrder, KeepPosition, KeepTrade
from evil2root.domain.kernel.desk import close_rest
from evil2root.domain.kernel.events import ChargeArrived, FillArrived
from evil2root.domain.kernel.freezing import freeze, set_aside
from evil2root.domain.kernel.guarding import guard_position, note_bare, put_position, resize
from evil2root.domain.kernel.leaving import cancel, is_leaving, release
from evil2root.domain.kernel.state import Turn
from evil2root.domain.numerics import levels


def fill_arrived(turn: Turn, event: FillArrived) -> None:
    """Book a fill of an order of ours, once; anything else is set aside, never guessed at."""
    fill = event.fill
    if event.cursor is not None:
        turn.carry(cursor=event.cursor)
    if event.booked is not None:
        if not _says_the_same(event.booked, fill):
            _refuse(turn, fill, f"{fill.execution_id} was booked with other numbers: {event.booked!r}", fill.symbol)
        return
    order = turn.state.orders.get(fill.client_order_id) or event.order
    if order is None:
        _refuse(turn, fill, "no order of ours has this id", fill.symbol)
        return
    if (fill.symbol, fill.side) != (order.symbol, order.side):
        is_, was = f"a {fill.side} of {fill.symbol}", f"a {order.side} of {order.symbol}"
        _refuse(turn, fill, f"it is {is_}, the order {was}", order.symbol)
        return
    try:
        filled = order.after_fill(quantity=fill.quantity, price=fill.price, at=fill.at)
    except (IllegalMove, ValueError) as refused:
        _refuse(turn, fill, str(refused), order.symbol)
        return
    if not order.is_open:
        set_aside(
            turn, "late fill", reason=f"the order was {order.state} already; the fill is booked", payload=repr(fill),
            key=_key(fill), symbol=order.symbol,
        )  # fmt: skip
    _book(turn, filled, fill)


def charge_arrived(turn: Turn, event: ChargeArrived) -> None:
    """Book the borrow of a short once: out of cash, and into what the position has cost."""
    charge, carry, portfolio = event.charge, turn.state.carry, turn.state.portfolio
    if carry.charged.get(charge.symbol) == charge.ref:
        return
    turn.carry(charged={**carry.charged, charge.symbol: charge.ref})
    turn.state = replace(turn.state, portfolio=replace(portfolio, cash=Money(portfolio.cash - charge.amount)))
    turn.do(KeepEntries(entries=ledger.of_charge(charge, currency=turn.policy.currency)))
    position = portfolio.positions.get(charge.symbol)
    if position is not None:
        put_position(turn, replace(position, borrow=Money(position.borrow + charge.amount)))


def _says_the_same(booked: Fill, told: Fill) -> bool:
    """Is it the same execution? The fee and the moment may be told more exactly later; they stay as booked."""
    return (booked.symbol, booked.side, booked.quantity, booked.price) == (
        told.symbol, told.side, told.quantity, told.price,
    )  # fmt: skip


def _key(fill: Fill) -> str:
    return f"{fill.venue}:{fill.account}:{fill.execution_id}"


def _refuse(turn: Turn, fill: Fill, reason: str, symbol: str) -> None:
    set_aside(turn, "fill", reason=reason, payload=repr(fill), key=_key(fill), symbol=symbol)


def _book(turn: Turn, order: Order, fill: Fill) -> None:
    turn.put_order(order)
    turn.do(
        KeepFill(fill=fill),
        KeepEntries(
            entries=ledger.of_fill(fill, currency=turn.policy.currency, instrument=turn.policy.instruments[fill.symbol])
        ),
        KeepOrder(order=order),
    )
    portfolio = turn.state.portfolio
    turn.state = replace(turn.state, portfolio=replace(portfolio, cash=Money(portfolio.cash + fill.cash)))
    position = turn.state.portfolio.positions.get(fill.symbol)
    closing = ZERO if position is None or position.side is fill.side else min(fill.quantity, position.size)
    if closing < fill.quantity if order.reduce_only else closing:
        held = ZERO if position is None else position.quantity
        freeze(turn, fill.symbol, f"fill: {fill.side} {fill.quantity} met a position of {held}, which was not meant")
    if closing and position is not None:
        _reduce(turn, order, _part(fill, closing, fee=fill.fee), position)
    if closing < fill.quantity:
        rest = _part(fill, fill.quantity - closing, fee=Money(ZERO) if closing else fill.fee)
        _enlarge(turn, order, rest, None if closing else position)
    if order.cancel_wanted and order.is_open:
        cancel(turn, order, why="canceled before it was accepted")
    held_now = turn.state.portfolio.positions.get(fill.symbol)
    if order.leg is Leg.ENTRY and held_now is not None and turn.state.carry.breaker.flatten:
        close_rest(turn, held_now)
    release(turn, fill.symbol)


def _part(fill: Fill, quantity: Decimal, *, fee: Money) -> Fill:
    return fill if quantity == fill.quantity else replace(fill, quantity=Quantity(quantity), fee=fee)


def _put(turn: Turn, symbol: str, position: Position | None) -> None:
    portfolio = turn.state.portfolio
    positions = {s: p for s, p in portfolio.positions.items() if s != symbol}
    if position is not None:
        positions[symbol] = position
    turn.state = replace(turn.state, portfolio=replace(portfolio, positions=positions))
    turn.do(KeepPosition(symbol=symbol, position=position))


def _reduce(turn: Turn, order: Order, fill: Fill, position: Position) -> None:
    left, trade = reduced(
        position, fill, reason=order.reason, decision_id=None if order.is_guard else order.decision_id
    )
    _put(turn, fill.symbol, left)
    if trade is not None:
        turn.do(KeepTrade(trade=trade))
    for other in turn.state.of_symbol(fill.symbol):
        if other.client_order_id == order.client_order_id:
            continue
        if left is None:
            cancel(turn, other, why="the position is closed")
        elif other.is_guard and other.is_wanted:
            resize(turn, other, left, other.price)
    if left is not None and turn.policy.venue is not None and not is_leaving(turn, fill.symbol):
        # An exit that was to leave a part had its guards canceled before it: what is left gets new ones.
        guard_position(turn, left, named=fill.execution_id, bar_at=order.bar_at, at=fill.at, attempt=order.attempt)
    note_bare(turn, fill.symbol)


def _enlarge(turn: Turn, order: Order, fill: Fill, before: Position | None) -> None:
    """Add the fill to the position, and put guards at levels computed from what was really paid."""
    position = entered(before, fill, decision_id=order.decision_id)
    instrument = turn.policy.instruments[fill.symbol]
    protect = order.protect or Protect(stop=None, target=None, relative=False)
    stop, target = protect.levels(position.average_price, position.side, instrument)
    if before is not None and before.target != protect.levels(before.average_price, before.side, instrument)[1]:
        target = before.target  # a person moved it between two parts of the entry
    if before is not None and before.stop is not None:
        is_long = position.side is Side.BUY
        stop = before.stop if stop is None else Price(levels.tighter(is_long, before.stop, stop))
    elif stop is None and turn.policy.venue is not None:
        # An adopted entry does not say how far its guards lie; an adopted stop says where it lies.
        stops = (o.price for o in turn.state.of_symbol(fill.symbol) if o.leg is Leg.STOP and o.is_wanted)
        stop = next(stops, None)
    position = replace(position, stop=stop, target=target, initial_stop=stop if before is None else before.initial_stop)
    _put(turn, fill.symbol, position)
    guard_position(turn, position, named=fill.execution_id, bar_at=order.bar_at, at=fill.at, attempt=order.attempt)
