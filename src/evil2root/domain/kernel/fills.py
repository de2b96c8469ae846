"""A fill changes everything at once: the order, the ledger, the position and its guards."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from evil2root.domain.book import ledger
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import IllegalMove, Leg, Order, OrderKind
from evil2root.domain.book.positions import Position, entered, reduced
from evil2root.domain.book.protection import Protect
from evil2root.domain.core.ids import client_order_id
from evil2root.domain.core.money import Money, Price
from evil2root.domain.core.side import Side
from evil2root.domain.kernel.actions import KeepEntries, KeepFill, KeepOrder, KeepPosition, KeepTrade, Park
from evil2root.domain.kernel.leaving import amend, cancel, send
from evil2root.domain.kernel.state import Turn
from evil2root.domain.numerics import levels
from evil2root.domain.risk.gate import Approved, judge_exit


def fill_arrived(turn: Turn, fill: Fill) -> None:
    """Book a fill of a known order; anything else is parked, never guessed at."""
    order = turn.state.orders.get(fill.client_order_id)
    if order is None:
        turn.do(Park(kind="fill", reason="no open order has this id", payload=repr(fill), at=fill.at))
        return
    position = turn.state.portfolio.positions.get(fill.symbol)
    problem = _misfit(order, fill, position)
    if problem is not None:
        turn.do(Park(kind="fill", reason=problem, payload=repr(fill), at=fill.at))
        return
    try:
        filled = order.after_fill(quantity=fill.quantity, price=fill.price, at=fill.at)
    except (IllegalMove, ValueError) as refused:
        turn.do(Park(kind="fill", reason=str(refused), payload=repr(fill), at=fill.at))
        return
    turn.put_order(filled)
    turn.do(
        KeepFill(fill=fill),
        KeepEntries(entries=ledger.of_fill(fill, currency=turn.policy.currency)),
        KeepOrder(order=filled),
    )
    portfolio = turn.state.portfolio
    turn.state = replace(turn.state, portfolio=replace(portfolio, cash=Money(portfolio.cash + fill.cash)))
    if order.reduce_only:
        assert position is not None, "a reduce-only fill was checked against its position"
        _reduce(turn, filled, fill, position)
    else:
        _enlarge(turn, filled, fill, position)


def _misfit(order: Order, fill: Fill, position: Position | None) -> str | None:
    """Say what about a fill does not fit its order, or the position it would change."""
    if (fill.symbol, fill.side) != (order.symbol, order.side):
        return f"it is a {fill.side} of {fill.symbol}, the order a {order.side} of {order.symbol}"
    held = position.quantity if position is not None else Decimal(0)
    against = position is not None and position.side is not fill.side
    if order.reduce_only and (not against or fill.quantity > abs(held)):
        return f"a reduce-only {fill.side} of {fill.quantity} does not fit a position of {held}"
    if not order.reduce_only and against:
        return f"an entry on the side {fill.side} does not fit a position of {held}"
    return None


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
            _resize(turn, other, left, other.price)


def _enlarge(turn: Turn, order: Order, fill: Fill, before: Position | None) -> None:
    """Add the fill to the position, and put guards at levels computed from what was really paid."""
    position = entered(before, fill, decision_id=order.decision_id)
    instrument = turn.policy.instruments[fill.symbol]
    protect = order.protect or Protect(stop=None, target=None, relative=False)
    stop, target = protect.levels(position.average_price, position.side, instrument)
    if before is not None and before.stop is not None:
        is_long = position.side is Side.BUY
        stop = before.stop if stop is None else Price(levels.tighter(is_long, before.stop, stop))
    position = replace(position, stop=stop, target=target, initial_stop=stop if before is None else before.initial_stop)
    _put(turn, fill.symbol, position)
    for leg, kind, price in ((Leg.STOP, OrderKind.STOP, stop), (Leg.TARGET, OrderKind.TARGET, target)):
        # A guard that is being canceled guards nothing any more: a fill that crossed the cancel gets a new one.
        guard = next((o for o in turn.state.of_symbol(fill.symbol) if o.leg is leg and o.is_wanted), None)
        if price is None:
            continue
        if guard is None:
            _guard(turn, order, fill, position, leg, kind, price)
        else:
            _resize(turn, guard, position, price)


def _guard(  # noqa: PLR0913 - the parts of an order
    turn: Turn, entry: Order, fill: Fill, position: Position, leg: Leg, kind: OrderKind, price: Price
) -> None:
    name = client_order_id(
        account=entry.account, strategy=entry.strategy, symbol=entry.symbol, bar=entry.bar_at, leg=f"{leg.value}:{fill.execution_id}",
        attempt=entry.attempt,
    )  # fmt: skip
    # One instant after the fill: the bar that filled the entry at its open is then too early, the next one is not.
    live_from = fill.at + timedelta(microseconds=1) if turn.policy.exits.live_from_next_bar else None
    order = Order(
        client_order_id=name, decision_id=entry.decision_id, account=entry.account, strategy=entry.strategy,
        symbol=entry.symbol, side=position.side.opposite, kind=kind, leg=leg, quantity=position.size, price=price,
        reduce_only=True, reason=leg.value, created_at=fill.at, updated_at=fill.at, bar_at=entry.bar_at,
        attempt=entry.attempt, live_from=live_from,
    )  # fmt: skip
    answer = judge_exit(order, position=position)
    if isinstance(answer, Approved):
        send(turn, answer)
    else:
        turn.do(Park(kind="guard", reason=answer.reason, payload=name, at=fill.at))


def _resize(turn: Turn, guard: Order, position: Position, price: Price | None) -> None:
    """Make a guard cover what is held now."""
    quantity = type(guard.quantity)(guard.filled + position.size)
    level = None if guard.kind is OrderKind.MARKET else price
    if (quantity, level) != (guard.quantity, guard.price):
        amend(turn, guard, quantity=quantity, price=level)
