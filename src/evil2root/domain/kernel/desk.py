"""What a person may ask: halt, resume, close, cancel, move a guard."""

from dataclasses import replace
from decimal import Decimal

from evil2root.domain.book.orders import Leg
from evil2root.domain.book.positions import Position
from evil2root.domain.core.money import ZERO
from evil2root.domain.core.side import Side
from evil2root.domain.kernel.actions import KeepBreaker, KeepPosition, Reply
from evil2root.domain.kernel.events import CancelAsked, CloseAsked, HaltAsked, ResumeAsked, StopMoveAsked
from evil2root.domain.kernel.leaving import amend, cancel, exit_order, is_leaving, send
from evil2root.domain.kernel.record import Outcome
from evil2root.domain.kernel.state import Turn
from evil2root.domain.risk.breaker import Breaker, BreakerState
from evil2root.domain.risk.gate import Approved, judge_exit


def halt_asked(turn: Turn, event: HaltAsked) -> None:
    """Stop entries; cancel working ones if asked; close everything if asked."""
    # Who flattened wants nothing held, whoever halts after that.
    flatten = event.flatten or turn.state.carry.breaker.flatten
    breaker = Breaker(state=BreakerState.HALTED, reason=event.reason, by=event.by, at=event.at, flatten=flatten)
    turn.carry(breaker=breaker)
    turn.do(KeepBreaker(breaker=breaker))
    for decision in list(turn.state.awaiting.values()):
        why = f"Entries are stopped (HALTED): {event.reason}."
        turn.settle(replace(decision, outcome=Outcome.HALTED, why_not=why))
    canceled = [o for o in turn.state.orders.values() if o.leg is Leg.ENTRY and (event.cancel or event.flatten)]
    for order in canceled:
        cancel(turn, order, why="halted")
    closing = list(turn.state.portfolio.positions.values()) if event.flatten else []
    for position in closing:
        close_rest(turn, position)
    turn.do(Reply(done=True, says=f"Halted: {len(canceled)} entries canceled, {len(closing)} positions being closed."))


def resume_asked(turn: Turn, event: ResumeAsked) -> None:
    """End a halt."""
    if turn.state.carry.breaker.lets_in:
        turn.do(Reply(done=False, says="Nothing is halted."))
        return
    halted = turn.state.carry.breaker
    if event.halt_of and halted.by != event.halt_of:
        turn.do(Reply(done=False, says=f"Trading stays halted by {halted.by}: {halted.reason}."))
        return
    breaker = Breaker(state=BreakerState.ACTIVE, reason=event.reason, by=event.by, at=event.at)
    turn.carry(breaker=breaker)
    turn.do(KeepBreaker(breaker=breaker), Reply(done=True, says="Entries are allowed again."))


def close_asked(turn: Turn, event: CloseAsked) -> None:
    """Close a position or a part of it at the next open."""
    position = turn.state.portfolio.positions.get(event.symbol)
    if position is None:
        turn.do(Reply(done=False, says=f"{event.symbol} is not held."))
        return
    if is_leaving(turn, event.symbol):
        turn.do(Reply(done=False, says=f"An exit from {event.symbol} is already working."))
        return
    quantity = position.size if event.quantity is None else event.quantity
    instrument = turn.policy.instruments[event.symbol]
    # The range comes first: what is no amount, or beyond all bounds, can't be rounded.
    fits = quantity.is_finite() and 0 < quantity <= position.size and instrument.quantity(quantity) == quantity
    if not fits:
        lot = instrument.lot
        says = f"{quantity} of {event.symbol} can't be closed: 0 < quantity <= {position.size}, in lots of {lot}."
        turn.do(Reply(done=False, says=says))
        return
    close_position(turn, position, quantity, reason="manual", attempt=event.attempt)
    turn.do(Reply(done=True, says=f"Closing {quantity} {event.symbol} at the next open."))


def cancel_asked(turn: Turn, event: CancelAsked) -> None:
    """Cancel a working order; a guard can't be taken away from an open position."""
    order = turn.state.orders.get(event.client_order_id)
    if order is None:
        turn.do(Reply(done=False, says="No open order has this id."))
    elif order.is_guard:
        turn.do(
            Reply(done=False, says="A guard stays while the position is open; move the stop or close the position.")
        )
    else:
        cancel(turn, order, why=f"canceled by {event.by}")
        turn.do(Reply(done=True, says=f"Canceling what is left of the {order.side} of {order.left} {order.symbol}."))


def stop_move_asked(turn: Turn, event: StopMoveAsked) -> None:
    """Move a stop (only tighter, and not past the last price) or a target."""
    position = turn.state.portfolio.positions.get(event.symbol)
    if position is None:
        turn.do(Reply(done=False, says=f"{event.symbol} is not held."))
        return
    problem = _bad_levels(turn, event, position)
    if problem is not None:
        turn.do(Reply(done=False, says=problem))
        return
    moved = replace(position, stop=event.stop or position.stop, target=event.target or position.target)
    positions = {**turn.state.portfolio.positions, event.symbol: moved}
    turn.state = replace(turn.state, portfolio=replace(turn.state.portfolio, positions=positions))
    turn.do(KeepPosition(symbol=event.symbol, position=moved))
    for order in turn.state.of_symbol(event.symbol):
        price = {Leg.STOP: event.stop, Leg.TARGET: event.target}.get(order.leg)
        if price is not None and order.price is not None and order.is_wanted:
            amend(turn, order, price=price)
    turn.do(Reply(done=True, says=f"{event.symbol}: stop {moved.stop}, target {moved.target}."))


def _bad_levels(turn: Turn, event: StopMoveAsked, position: Position) -> str | None:
    mark = turn.state.portfolio.mark(position)
    sign = 1 if position.side is Side.BUY else -1
    if event.stop is None and event.target is None:
        return "Give a stop, a target or both."
    if event.stop is not None and position.stop is None:
        return f"{event.symbol} has no stop to move."
    if event.target is not None and position.target is None:
        return f"{event.symbol} has no target to move."
    if event.stop is not None and position.stop is not None and (event.stop - position.stop) * sign < 0:
        return f"A stop at {event.stop} is looser than {position.stop}; a stop only tightens."
    if event.stop is not None and (mark - event.stop) * sign <= 0:
        return f"A stop at {event.stop} is past the last price {mark}; close the position instead."
    if event.target is not None and (event.target - mark) * sign <= 0:
        return f"A target at {event.target} is past the last price {mark}; close the position instead."
    return None


def close_rest(turn: Turn, position: Position) -> None:
    """Order closed what no exit that is working closes already: flattening leaves nothing."""
    exits = (o.left for o in turn.state.of_symbol(position.symbol) if o.reduce_only and not o.is_guard)
    rest = position.size - sum(exits, ZERO)
    if rest > 0:
        close_position(turn, position, rest, reason="halt", attempt=1)


def close_position(turn: Turn, position: Position, quantity: Decimal, *, reason: str, attempt: int) -> None:
    """Order `quantity` of a position closed, because a person asked.

    The attempt rises when the same was asked at the same moment before: a replay's clock may stand still between two
    bars, and an id that was used is never used again.
    """
    last = turn.state.carry.by_hand.get(position.symbol)
    if last is not None and last[0] == turn.at:
        attempt = max(attempt, last[1] + 1)
    turn.carry(by_hand={**turn.state.carry.by_hand, position.symbol: (turn.at, attempt)})
    order = exit_order(
        position, policy=turn.policy, at=turn.at, quantity=quantity, decision_id=position.decision_id, leg=Leg.MANUAL,
        reason=reason, attempt=attempt, bar_at=turn.at,
    )  # fmt: skip
    answer = judge_exit(order, position=position)
    assert isinstance(answer, Approved), "the quantity was checked"
    send(turn, answer)
