"""Answers from the world: verdicts, the open, and what the broker says of orders."""

from dataclasses import replace

from evil2root.domain.book.orders import IllegalMove, Leg, OrderState
from evil2root.domain.decision.verdict import Ruling
from evil2root.domain.execution.remote import Repeat
from evil2root.domain.kernel.actions import KeepOrder, KeepPosition, Park
from evil2root.domain.kernel.entering import order_or_refuse
from evil2root.domain.kernel.events import NotFound, OrderAnswered, SessionOpened, VerdictArrived
from evil2root.domain.kernel.freezing import freeze
from evil2root.domain.kernel.guarding import guard_again, note_bare
from evil2root.domain.kernel.leaving import cancel, release
from evil2root.domain.kernel.leftovers import give_back_leftovers
from evil2root.domain.kernel.record import Outcome
from evil2root.domain.kernel.state import Turn


def verdict_arrived(turn: Turn, event: VerdictArrived) -> None:
    """Carry a challenged proposal on, or settle why not. A late verdict is a no."""
    decision = turn.state.awaiting.get(event.decision_id)
    if decision is None or decision.outcome is not Outcome.AWAITING_VERDICT or decision.proposal is None:
        turn.do(Park(kind="verdict", reason="no proposal waits for it", payload=event.decision_id, at=event.at))
        return
    proposal, breaker = decision.proposal, turn.state.carry.breaker
    decision = replace(decision, verdict=event.verdict)
    if event.at > proposal.good_until:
        why = f"The verdict came at {event.at.isoformat()}, after {proposal.good_until.isoformat()}."
        turn.settle(replace(decision, outcome=Outcome.LATE, why_not=why))
    elif event.verdict.ruling is Ruling.REJECT:
        turn.settle(replace(decision, outcome=Outcome.REJECTED, why_not=event.verdict.reason))
    elif not breaker.lets_in:
        why = f"Entries are stopped ({breaker.state}): {breaker.reason}."
        turn.settle(replace(decision, outcome=Outcome.HALTED, why_not=why))
    elif turn.policy.size_at_open:
        waiting = replace(decision, outcome=Outcome.AWAITING_OPEN, why_not="Sized at the next open.")
        turn.settle(waiting)
        turn.await_answer(waiting)
    else:
        order_or_refuse(turn, decision, price=proposal.entry, at_open=False)


def restarted(turn: Turn) -> None:
    """Settle proposals whose verdict was lost with the process: silence is a no."""
    for decision in list(turn.state.awaiting.values()):
        if decision.outcome is Outcome.AWAITING_VERDICT:
            why = "The process stopped before the verdict came."
            turn.settle(replace(decision, outcome=Outcome.LATE, why_not=why))
    if turn.policy.venue is None:
        return
    for order in list(turn.state.orders.values()):
        if order.state is OrderState.SENDING:
            unknown = order.moved(
                OrderState.UNKNOWN, at=turn.told_at, why="the process stopped while it was being sent"
            )
            turn.put_order(unknown)
            turn.do(KeepOrder(order=unknown))
        note_bare(turn, order.symbol)
        release(turn, order.symbol)


def not_found(turn: Turn, event: NotFound) -> None:
    """Remember when the venue first did not know an order of unknown outcome."""
    order = turn.state.orders.get(event.client_order_id)
    if order is None or order.state is not OrderState.UNKNOWN or order.not_found_at is not None:
        return
    doubted = replace(order, not_found_at=event.at)
    turn.put_order(doubted)
    turn.do(KeepOrder(order=doubted))


def session_opened(turn: Turn, event: SessionOpened) -> None:
    """Size and judge what waited for the open, in the order it was decided."""
    for decision in list(turn.state.awaiting.values()):
        opened = event.opens.get(decision.symbol)
        if decision.outcome is Outcome.AWAITING_OPEN and opened is not None:
            price = turn.policy.instruments[decision.symbol].price(opened)
            order_or_refuse(turn, decision, price=price, at_open=True)


def order_answered(turn: Turn, event: OrderAnswered) -> None:
    """Move an order to where the broker says it is."""
    order = turn.state.orders.get(event.client_order_id)
    if order is None:
        if event.state in _OLD_NEWS:
            # It is closed already: filled before the venue acknowledged it, or dropped before it answered our cancel.
            return
        turn.do(
            Park(kind="order", reason="no open order has this id", payload=f"{event.client_order_id} {event.state}",
                 at=event.at)
        )  # fmt: skip
        return
    to = OrderState.PARTIAL if event.state is OrderState.ACCEPTED and order.filled > 0 else event.state
    if order.state is to:
        return
    try:
        moved = order.moved(to, at=event.at, why=event.why)
    except IllegalMove as problem:
        turn.do(Park(kind="order", reason=str(problem), payload=event.why, at=event.at))
        return
    moved = replace(moved, broker_order_id=event.broker_order_id or moved.broker_order_id)
    turn.put_order(moved)
    turn.do(KeepOrder(order=moved))
    if moved.cancel_wanted and to in (OrderState.ACCEPTED, OrderState.PARTIAL):
        cancel(turn, moved, why="canceled before it was accepted")
    give_back_leftovers(turn, moved, at=event.at)
    position = turn.state.portfolio.positions.get(moved.symbol)
    # Only a stop protects: a lost target leaves the position guarded.
    lost = moved.leg is Leg.STOP and not moved.is_open
    if lost and position is not None and position.unprotected_since is None:
        bare = replace(position, unprotected_since=event.at)
        positions = {**turn.state.portfolio.positions, bare.symbol: bare}
        turn.state = replace(turn.state, portfolio=replace(turn.state.portfolio, positions=positions))
        turn.do(KeepPosition(symbol=bare.symbol, position=bare))
    blind = turn.policy.venue is not None and turn.policy.venue.repeat is Repeat.BLIND
    if blind and to is OrderState.UNKNOWN:
        freeze(turn, moved.symbol, "an order is of unknown outcome, and the broker can't be asked about it")
    guard_again(turn, moved, asked=order.state is OrderState.CANCEL_SENT, at=event.at)
    note_bare(turn, moved.symbol)
    release(turn, moved.symbol)


_OLD_NEWS = (OrderState.CANCELED, OrderState.ACCEPTED, OrderState.UNKNOWN, OrderState.CANCEL_SENT)
