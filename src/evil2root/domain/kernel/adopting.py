"""What the venue knows better than our books: orders they lost, and differences a person settles."""

from dataclasses import replace
from decimal import Decimal

from evil2root.domain.book import ledger
from evil2root.domain.book.orders import Leg, OrderState
from evil2root.domain.book.positions import Position
from evil2root.domain.core.ids import decision_id
from evil2root.domain.core.money import ZERO, Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.kernel.actions import KeepDecision, KeepEntries, KeepOrder, KeepTrade, Reply
from evil2root.domain.kernel.desk import close_position
from evil2root.domain.kernel.events import DifferenceSettled, OrderAdopted, OutcomeConfirmed, Settle
from evil2root.domain.kernel.guarding import put_position
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Turn
from evil2root.domain.market.bars import Bar


def order_adopted(turn: Turn, event: OrderAdopted) -> None:
    """Take an order of ours that the venue has into the books, and go on behind the bar it was decided on.

    Deciding on that bar again would name the same order, which the venue has already.
    """
    why = "An order with the id of this bar is at the broker, and our books did not have it."
    order = event.order
    decision = _decision(turn, event.bar, event.number, symbol=order.symbol, why=why)
    wants, side = ("enter", order.side) if order.leg is Leg.ENTRY else ("exit", None)
    turn.do(KeepDecision(decision=replace(decision, wants=wants, side=side, order_ids=(order.client_order_id,))))
    sending = replace(order, decision_id=decision.id).moved(OrderState.SENDING, at=event.at, why="adopted")
    moved = sending.moved(event.answer, at=event.at, why="found at the broker")
    turn.put_order(moved)
    turn.do(KeepOrder(order=sending), KeepOrder(order=moved))
    behind = turn.state.carry.closed_at
    if behind is None or event.bar.closed_at > behind:
        turn.carry(closed_at=event.bar.closed_at)
        _mark(turn, event.bar, renew=True)


def difference_settled(turn: Turn, event: DifferenceSettled) -> None:
    """Do about a difference what a person decided."""
    if event.how is Settle.IGNORE:
        ours = turn.state.portfolio.cash if event.what == ledger.CASH else _held(turn, event.what)
        ignored = {**turn.state.carry.ignored, event.what: event.theirs - ours}
        turn.carry(ignored={what: extra for what, extra in ignored.items() if extra})
        turn.do(Reply(done=True, says=f"What the broker has more of {event.what} is let be: {event.theirs - ours}."))
    elif event.what == ledger.CASH:
        _adopt_cash(turn, event)
    else:
        _adopt_units(turn, event)


def outcome_confirmed(turn: Turn, event: OutcomeConfirmed) -> None:
    """End the doubt about an order by what a person saw at the venue."""
    order = turn.state.orders.get(event.client_order_id)
    if order is None or order.state is not OrderState.UNKNOWN:
        turn.do(Reply(done=False, says="No order with this id is of unknown outcome."))
        return
    to = OrderState.ACCEPTED if event.placed else OrderState.NOT_PLACED
    moved = order.moved(to, at=turn.told_at, why=f"{event.by}: {event.reason}")
    turn.put_order(moved)
    turn.do(KeepOrder(order=moved), Reply(done=True, says=f"The order is {to} now."))


def _held(turn: Turn, symbol: str) -> Price:
    position = turn.state.portfolio.positions.get(symbol)
    return Price(ZERO if position is None else position.quantity)


def _adopt_cash(turn: Turn, event: DifferenceSettled) -> None:
    portfolio = turn.state.portfolio
    extra = Money(event.theirs - portfolio.cash)
    turn.state = replace(turn.state, portfolio=replace(portfolio, cash=Money(event.theirs)))
    entries = ledger.adjusted_cash(extra, currency=turn.policy.currency, at=event.at, ref=event.ref)
    turn.do(KeepEntries(entries=entries))
    paid_in(turn, extra)
    _unignore(turn, event.what)
    turn.do(Reply(done=True, says=f"Booked {extra} {turn.policy.currency} as paid in: cash is {event.theirs}."))


def _adopt_units(turn: Turn, event: DifferenceSettled) -> None:
    symbol, bar = event.what, event.bar
    instrument = turn.policy.instruments.get(symbol)
    if instrument is None or bar is None:
        says = f"{symbol} is not on the watchlist or has no price: let it be (ignore), or add it and start again."
        turn.do(Reply(done=False, says=says))
        return
    price = instrument.price(bar.close)
    extra = event.theirs - _held(turn, symbol)
    if not extra:
        turn.do(Reply(done=False, says=f"Nothing differs: both sides have {event.theirs} {symbol}."))
        return
    rate = turn.policy.rate(symbol, turn.state.portfolio.marks)
    if rate is None:
        turn.do(Reply(done=False, says=turn.policy.no_rate(symbol)))
        return
    entries = ledger.adjusted_units(
        instrument, Quantity(extra), price=price, rate=rate, currency=turn.policy.currency, at=event.at, ref=event.ref
    )
    turn.do(KeepEntries(entries=entries))
    paid_in(turn, Money(extra * price * rate))
    _mark(turn, bar, renew=False)
    _unignore(turn, symbol)
    _hold(turn, event, bar, price, rate)
    position = turn.state.portfolio.positions.get(symbol)
    if event.how is Settle.CLOSE and position is not None:
        close_position(turn, position, position.size, reason="reconcile", attempt=1)
    done = "booked and being closed" if event.how is Settle.CLOSE and position is not None else "booked"
    turn.do(Reply(done=True, says=f"{extra} {symbol} at {price} {done}: {event.theirs} held."))


def _hold(turn: Turn, event: DifferenceSettled, bar: Bar, price: Price, rate: Decimal) -> None:
    """Make the position what the venue has; what changes sides begins anew."""
    before = turn.state.portfolio.positions.get(event.what)
    if event.theirs == 0 or (before is not None and (before.quantity > 0) != (event.theirs > 0)):
        if before is not None:
            gone = before.ended(price=price, rate=rate, at=turn.at, reason="adopted")
            turn.drop_position(event.what)
            turn.do(KeepTrade(trade=gone))
        before = None
    if event.theirs == 0:
        return
    if before is not None:
        put_position(turn, before.counted(event.theirs, price=price))
        return
    why = f"{event.by} adopted what the broker holds: {event.reason}"
    decision = _decision(turn, bar, event.number, symbol=event.what, why=why)
    side = Side.BUY if event.theirs > 0 else Side.SELL
    turn.do(KeepDecision(decision=replace(decision, wants="enter", side=side)))
    put_position(
        turn,
        Position(
            symbol=event.what, quantity=event.theirs, average_price=price, opened_at=turn.at,
            decision_id=decision.id, entry_quantity=Quantity(abs(event.theirs)), entry_rate=rate,
        ),
    )  # fmt: skip


def _decision(turn: Turn, bar: Bar, number: int, *, symbol: str, why: str) -> Decision:
    """Give what was found a decision to rest on: it says that nothing was decided here."""
    sequence = turn.state.carry.decisions + 1
    turn.carry(decisions=sequence)
    policy = turn.policy
    return Decision(
        id=decision_id(sequence), sequence=sequence, account=policy.account, strategy=policy.strategy.name,
        symbol=symbol, interval=policy.interval, at=bar.closed_at, bar=bar, number=number, window_from=bar.opened_at,
        features={}, sources=(), view=None, holding=None, wants="stay", side=None, why=why, outcome=Outcome.ADOPTED,
        why_not=None, policy_digest=policy.digest,
    )  # fmt: skip


def _mark(turn: Turn, bar: Bar, *, renew: bool) -> None:
    """Value a symbol at a bar's close: in any case, or only when it has no value yet."""
    close = {bar.symbol: turn.policy.instruments[bar.symbol].price(bar.close)}
    marks = {**turn.state.carry.marks, **close} if renew else {**close, **turn.state.carry.marks}
    turn.carry(marks=marks, first_marks={**close, **turn.state.carry.first_marks})
    turn.state = replace(turn.state, portfolio=replace(turn.state.portfolio, marks=marks))


def paid_in(turn: Turn, extra: Money) -> None:
    """Count what is booked without a trade as the owner's money: it is no profit and no loss."""
    carry = turn.state.carry
    equity = Money(carry.equity + extra)
    turn.carry(
        capital=Money(carry.capital + extra),
        equity=equity,
        day_equity=Money(carry.day_equity + extra),
        peak=max(Money(carry.peak + extra), equity),
    )


def _unignore(turn: Turn, what: str) -> None:
    turn.carry(ignored={name: extra for name, extra in turn.state.carry.ignored.items() if name != what})
