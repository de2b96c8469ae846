"""The stop and the target of a position: at the venue where it keeps them, watched here where it does not."""

from dataclasses import replace
from datetime import datetime, timedelta

from evil2root.domain.book.orders import Leg, Order, OrderKind, OrderState
from evil2root.domain.book.positions import Position
from evil2root.domain.core.ids import client_order_id
from evil2root.domain.core.money import Price
from evil2root.domain.core.side import Side
from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.kernel.actions import KeepPosition, Park
from evil2root.domain.kernel.leaving import amend, cancel_entries, exit_order, is_leaving, send
from evil2root.domain.kernel.state import Turn
from evil2root.domain.numerics import levels
from evil2root.domain.risk.gate import Approved, judge_exit

GUARDS = ((Leg.STOP, OrderKind.STOP), (Leg.TARGET, OrderKind.TARGET))


def put_position(turn: Turn, position: Position) -> None:
    """Remember a changed position and write it down."""
    portfolio = turn.state.portfolio
    positions = {**portfolio.positions, position.symbol: position}
    turn.state = replace(turn.state, portfolio=replace(portfolio, positions=positions))
    turn.do(KeepPosition(symbol=position.symbol, position=position))


def guard_position(  # noqa: PLR0913 - the position and the parts of the guards' ids
    turn: Turn, position: Position, *, named: str, bar_at: datetime, at: datetime, attempt: int
) -> None:
    """Give every level of a position the order that guards it, new or resized.

    `named` tells what the guards are for; with `bar_at` and `attempt` it makes their ids.
    """
    for leg, kind in GUARDS:
        price = position.stop if leg is Leg.STOP else position.target
        if price is None or not turn.policy.holds(kind):
            continue
        # A guard that is being canceled guards nothing any more: a fill that crossed the cancel gets a new one.
        guard = next((o for o in turn.state.of_symbol(position.symbol) if o.leg is leg and o.is_wanted), None)
        if guard is None:
            _send_guard(turn, position, leg, kind, price, named=named, bar_at=bar_at, at=at, attempt=attempt)
        else:
            resize(turn, guard, position, price)
    note_bare(turn, position.symbol)


def _send_guard(  # noqa: PLR0913 - the parts of an order
    turn: Turn, position: Position, leg: Leg, kind: OrderKind, price: Price, *, named: str, bar_at: datetime,
    at: datetime, attempt: int,
) -> None:  # fmt: skip
    policy = turn.policy
    name = client_order_id(
        account=policy.account, strategy=policy.strategy.name, symbol=position.symbol, bar=bar_at,
        leg=f"{leg.value}:{named}", attempt=attempt,
    )  # fmt: skip
    # One instant after the fill: the bar that filled the entry at its open is then too early, the next one is not.
    live_from = at + timedelta(microseconds=1) if policy.exits.live_from_next_bar else None
    order = Order(
        client_order_id=name, decision_id=position.decision_id, account=policy.account, strategy=policy.strategy.name,
        symbol=position.symbol, side=position.side.opposite, kind=kind, leg=leg, quantity=position.size, price=price,
        reduce_only=True, reason=leg.value, created_at=at, updated_at=at, bar_at=bar_at, attempt=attempt,
        live_from=live_from,
    )  # fmt: skip
    answer = judge_exit(order, position=position)
    if isinstance(answer, Approved):
        send(turn, answer)
    else:
        turn.do(Park(kind="guard", reason=answer.reason, payload=name, at=at))


def guard_again(turn: Turn, over: Order, *, asked: bool, at: datetime) -> None:
    """Give a position its guards back when the exit they made way for ended, and what is left of it stays.

    `over` is the exit, or a guard whose cancel was `asked` for before the exit was called off. Waiting for the next
    close would leave the position bare for a whole bar. Once for each of them, and only at a venue out there: the
    simulated one keeps the guards beside an exit.
    """
    position = turn.state.portfolio.positions.get(over.symbol)
    made_way = asked if over.is_guard else over.reduce_only
    if turn.policy.venue is None or position is None or over.is_open or not made_way:
        return
    if not is_leaving(turn, over.symbol):
        guard_position(turn, position, named=over.client_order_id, bar_at=over.bar_at, at=at, attempt=over.attempt)


def resize(turn: Turn, guard: Order, position: Position, price: Price | None) -> None:
    """Make a guard cover what is held now."""
    quantity = type(guard.quantity)(guard.filled + position.size)
    level = None if guard.kind is OrderKind.MARKET else price
    if (quantity, level) != (guard.quantity, guard.price):
        amend(turn, guard, quantity=quantity, price=level)


def note_bare(turn: Turn, symbol: str) -> None:
    """Write down since when a position has no stop at the venue, or that it has one again."""
    position = turn.state.portfolio.positions.get(symbol)
    if position is None or position.stop is None or turn.policy.venue is None:
        return
    held = (OrderState.ACCEPTED, OrderState.PARTIAL)
    guarded = any(o.leg is Leg.STOP and o.state in held and o.is_wanted for o in turn.state.of_symbol(symbol))
    if guarded and position.unprotected_since is not None:
        put_position(turn, replace(position, unprotected_since=None))
    elif not guarded and position.unprotected_since is None:
        put_position(turn, replace(position, unprotected_since=turn.told_at))


def watch(turn: Turn, evidence: Evidence) -> None:
    """Leave a position whose level was touched and that no order at the venue guards; give it back a lost stop.

    Only for a venue out there: the simulated one keeps every guard until it acts.
    """
    position = turn.state.portfolio.positions.get(evidence.bar.symbol)
    if position is None or turn.policy.venue is None or is_leaving(turn, position.symbol):
        return
    touched = _touched(turn, position, evidence)
    if touched is not None:
        _leave_now(turn, position, evidence, reason=touched.value)
    elif position.unprotected_since is not None and not _stop_on_its_way(turn, position.symbol):
        bar = evidence.bar
        guard_position(turn, position, named="again", bar_at=bar.opened_at, at=turn.at, attempt=1)


def _stop_on_its_way(turn: Turn, symbol: str) -> bool:
    return any(o.leg is Leg.STOP for o in turn.state.of_symbol(symbol))


def _touched(turn: Turn, position: Position, evidence: Evidence) -> Leg | None:
    instrument, bar = turn.policy.instruments[position.symbol], evidence.bar
    is_long = position.side is Side.BUY
    high, low = instrument.price(bar.high), instrument.price(bar.low)
    bare = position.unprotected_since is not None or not turn.policy.holds(OrderKind.STOP)
    if position.stop is not None and bare and levels.stop_touched(is_long, high, low, position.stop):
        return Leg.STOP
    watched = position.target is not None and not turn.policy.holds(OrderKind.TARGET)
    if watched and position.target is not None and levels.target_touched(is_long, high, low, position.target):
        return Leg.TARGET
    return None


def _leave_now(turn: Turn, position: Position, evidence: Evidence, *, reason: str) -> None:
    order = exit_order(
        position, policy=turn.policy, at=turn.at, quantity=position.size, decision_id=position.decision_id,
        leg=Leg.EXIT, reason=reason, attempt=1, bar_at=evidence.bar.opened_at,
    )  # fmt: skip
    answer = judge_exit(order, position=position)
    assert isinstance(answer, Approved), "the whole position was asked for"
    send(turn, answer)
    cancel_entries(turn, position.symbol, why="the position is being closed")
