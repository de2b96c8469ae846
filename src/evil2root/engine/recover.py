"""Start-up is recovery: load what was written, ask the broker what happened since, and trade only when both agree."""

from decimal import Decimal

import structlog

from evil2root.domain.book.ledger import CASH
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.money import ZERO, Money
from evil2root.domain.execution.broker import Books, Broker
from evil2root.domain.kernel.events import ChargeArrived, Deposited, FillArrived, OrderAnswered, Restarted
from evil2root.domain.kernel.journal import Journal
from evil2root.domain.kernel.state import State
from evil2root.domain.risk.gate import approved_before
from evil2root.engine.differences import Divergence
from evil2root.engine.perform import Performer, answered

log = structlog.get_logger()


async def recover(
    performer: Performer, *, journal: Journal, broker: Broker, opening: Deposited
) -> tuple[Divergence, ...]:
    """Bring the state to where the world is; what is still different afterwards is returned, and trading waits."""
    kept = await journal.load()
    if kept is None:
        await performer.turn(opening)
        kept = performer.state
    performer.state = kept
    for charge in await broker.charges():
        await performer.turn(ChargeArrived(charge=charge, at=charge.at))
    for fill in await broker.fills_since(await journal.recorded_execution_ids()):
        log.warning("recovery.fill", execution_id=fill.execution_id, symbol=fill.symbol)
        await performer.turn(FillArrived(fill=fill))
    await _settle_orders(performer, broker)
    at = kept.carry.closed_at or opening.at
    await performer.turn(Restarted(at=at))
    return compare(performer.state, await broker.books())


async def _settle_orders(performer: Performer, broker: Broker) -> None:
    """Bring every order that was under way to an end the broker agrees with."""
    books = await broker.books()
    working = {order.client_order_id: order for order in books.orders}
    for order in list(performer.state.orders.values()):
        at = order.updated_at
        theirs = working.get(order.client_order_id)
        if order.state is OrderState.CANCEL_SENT:
            await performer.turn(answered(await broker.cancel(order)))
        elif order.state in (OrderState.SENDING, OrderState.UNKNOWN):
            log.warning("recovery.resent", order=order.client_order_id, known=theirs is not None)
            # The paper venue knows it by its id if it got it before; a second time has no effect.
            await performer.turn(answered(await broker.submit(approved_before(order))))
        elif theirs is None:
            why = "the venue no longer has it"
            await performer.turn(
                OrderAnswered(client_order_id=order.client_order_id, state=OrderState.CANCELED, why=why, at=at)
            )
        elif order.is_guard and (theirs.price, theirs.quantity) != (order.price, order.quantity):
            await broker.amend(order)


def compare(state: State, books: Books, *, cent: Decimal = ZERO) -> tuple[Divergence, ...]:
    """Compare cash and positions over the union of both sides, less what a person said should be let be.

    `cent` is how far the venue's cash may be off by its own rounding.
    """
    ours = {symbol: position.quantity for symbol, position in state.portfolio.positions.items()}
    found = [
        Divergence(what=symbol, ours=ours.get(symbol, ZERO), theirs=books.positions.get(symbol, ZERO))
        for symbol in sorted(set(ours) | set(books.positions))
    ]
    ignored = state.carry.ignored
    differ = [d for d in found if d.theirs - ignored.get(d.what, ZERO) != d.ours]
    cash = Divergence(what=CASH, ours=Money(state.portfolio.cash), theirs=books.cash)
    if abs(cash.theirs - ignored.get(CASH, ZERO) - cash.ours) > cent:
        differ.append(cash)
    return tuple(differ)
