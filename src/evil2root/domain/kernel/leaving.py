"""Closing what is held: one reduce-only market order, whoever asked for it."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from evil2root.domain.book.orders import Leg, Order, OrderKind, OrderState
from evil2root.domain.book.positions import Position
from evil2root.domain.core.ids import client_order_id
from evil2root.domain.core.money import Quantity
from evil2root.domain.kernel.actions import Amend, Cancel, KeepDecision, KeepOrder, Submit
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Turn
from evil2root.domain.risk.gate import Approved, judge_exit


def leave(turn: Turn, decision: Decision, position: Position, *, reason: str = "signal") -> None:
    """Order the whole position closed at the next open, and keep the decision."""
    if is_leaving(turn, position.symbol):
        why = f"An exit from {position.symbol} is already working."
        turn.do(KeepDecision(decision=replace(decision, outcome=Outcome.WAITING, why_not=why)))
        return
    concluded, approved = judged_exit(decision, position, policy=turn.policy, at=turn.at, reason=reason)
    turn.do(KeepDecision(decision=concluded))
    if approved is not None:
        send(turn, approved)
        cancel_entries(turn, position.symbol, why="the position is being closed")


def judged_exit(
    decision: Decision, position: Position, *, policy: Policy, at: datetime, reason: str = "signal"
) -> tuple[Decision, Approved | None]:
    """Judge the exit a decision wants: the decision as it ends, and the order if it may be sent. Pure."""
    order = exit_order(
        position, policy=policy, at=at, quantity=position.size, decision_id=decision.id, leg=Leg.EXIT,
        reason=reason, attempt=1, bar_at=decision.bar.opened_at,
    )  # fmt: skip
    answer = judge_exit(order, position=position)
    kept = replace(decision, checks=answer.checks)
    if isinstance(answer, Approved):
        done = replace(kept, outcome=Outcome.EXIT_ORDERED, order_ids=(order.client_order_id,), why_not=None)
        return done, answer
    return replace(kept, outcome=Outcome.REFUSED, why_not=answer.reason), None


def is_leaving(turn: Turn, symbol: str) -> bool:
    """Is a market exit working? Guards are not exits: they wait for their price."""
    return any(o.reduce_only and not o.is_guard for o in turn.state.of_symbol(symbol))


def exit_order(  # noqa: PLR0913 - the parts of an order
    position: Position, *, policy: Policy, at: datetime, quantity: Decimal, decision_id: str, leg: Leg, reason: str,
    attempt: int, bar_at: datetime,
) -> Order:  # fmt: skip
    """Return a reduce-only market order for `quantity` of a position."""
    name = client_order_id(
        account=policy.account, strategy=policy.strategy.name, symbol=position.symbol, bar=bar_at, leg=leg.value,
        attempt=attempt,
    )  # fmt: skip
    return Order(
        client_order_id=name, decision_id=decision_id, account=policy.account, strategy=policy.strategy.name,
        symbol=position.symbol, side=position.side.opposite, kind=OrderKind.MARKET, leg=leg,
        quantity=Quantity(quantity), price=None, reduce_only=True, reason=reason, created_at=at, updated_at=at,
        bar_at=bar_at, attempt=attempt,
    )  # fmt: skip


def send(turn: Turn, approved: Approved) -> None:
    """Write an approved order down as SENDING, then ask for it to be sent.

    Where a venue holds back the units of a working stop, an exit first waits for the guards to be canceled.
    """
    order = approved.order
    if not order.is_guard and order.reduce_only and _held_back(turn, order.symbol):
        turn.put_order(order)
        turn.do(KeepOrder(order=order))
        for guard in turn.state.of_symbol(order.symbol):
            if guard.is_guard:
                cancel(turn, guard, why="the position is being closed")
        return
    sending = turn.sent(approved.order)
    turn.do(KeepOrder(order=sending), Submit(approved=replace(approved, order=sending)))


def _held_back(turn: Turn, symbol: str) -> bool:
    reserves = turn.policy.venue is not None and turn.policy.venue.reserves
    return reserves and any(o.is_guard for o in turn.state.of_symbol(symbol))


def release(turn: Turn, symbol: str) -> None:
    """Send the exits that waited for guards, now that these are gone: as much of them as is still held."""
    if _held_back(turn, symbol):
        return
    for order in turn.state.of_symbol(symbol):
        if order.state is not OrderState.PENDING:
            continue
        position = turn.state.portfolio.positions.get(symbol)
        if position is None or position.side is order.side:
            gone = order.moved(OrderState.CANCELED, at=turn.at, why="nothing left to close")
            turn.put_order(gone)
            turn.do(KeepOrder(order=gone))
            continue
        answer = judge_exit(replace(order, quantity=min(order.quantity, position.size)), position=position)
        assert isinstance(answer, Approved), "no more than is held"
        send(turn, answer)


def cancel(turn: Turn, order: Order, *, why: str) -> None:
    """Cancel an open order, now or as soon as the broker has answered that it has it."""
    if order.state in (OrderState.SENDING, OrderState.UNKNOWN):
        if not order.cancel_wanted:
            wanted = replace(order, cancel_wanted=True)
            turn.put_order(wanted)
            turn.do(KeepOrder(order=wanted))
    elif order.state is OrderState.PENDING:
        gone = order.moved(OrderState.CANCELED, at=turn.at, why=why)
        turn.put_order(gone)
        turn.do(KeepOrder(order=gone))
    elif order.state is not OrderState.CANCEL_SENT:
        asked = order.moved(OrderState.CANCEL_SENT, at=turn.at, why=why)
        turn.put_order(asked)
        turn.do(KeepOrder(order=asked), Cancel(order=asked))


def amend(turn: Turn, order: Order, **changes: Any) -> None:
    """Give a working order another price, quantity or reason, and have the broker told."""
    changed = replace(order, **changes, revision=order.revision + 1, updated_at=turn.at)
    turn.put_order(changed)
    turn.do(KeepOrder(order=changed), Amend(order=changed))


def cancel_entries(turn: Turn, symbol: str, *, why: str) -> None:
    """Cancel what is left of entries in a symbol."""
    for order in turn.state.of_symbol(symbol):
        if order.leg is Leg.ENTRY:
            cancel(turn, order, why=why)
