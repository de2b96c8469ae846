"""What the books say now: balances as sums of the ledger, positions, open orders, decisions that wait."""

from decimal import Decimal

from sqlalchemy import func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.codec import ORDER, POSITION, decision_of
from evil2root.domain.book.ledger import CASH
from evil2root.domain.book.orders import FINAL, Order
from evil2root.domain.book.positions import Position
from evil2root.domain.kernel.record import Decision, Outcome

AWAITING = (Outcome.AWAITING_VERDICT, Outcome.AWAITING_OPEN)


async def ledger_balances(connection: AsyncConnection, account: str) -> dict[str, Decimal]:
    """Sum the ledger: `cash` and each `position:SYMBOL`, without those at zero."""
    entries = tables.ledger_entries.c
    query = (
        select(entries.account, func.sum(entries.amount).label("total"))
        .where(entries.book == account, or_(entries.account == CASH, entries.account.startswith("position:")))
        .group_by(entries.account)
    )
    return {row.account: row.total for row in await connection.execute(query) if row.total != 0}


async def held(connection: AsyncConnection, account: str) -> list[Position]:
    """Give the positions in the order the kernel holds them: by their last fill."""
    position, fill = tables.positions, tables.fills
    last = (
        select(func.max(fill.c.number))
        .where(fill.c.account == position.c.account, fill.c.symbol == position.c.symbol)
        .scalar_subquery()
    )
    query = select(position).where(position.c.account == account).order_by(last, position.c.symbol)
    return [POSITION.value(row) for row in (await connection.execute(query)).mappings()]


async def open_orders(connection: AsyncConnection, account: str) -> list[Order]:
    """Give the orders that may still fill, in the order they were made."""
    order = tables.orders
    # Spelled out, as the partial index on open orders is.
    final = [literal(state.value, literal_execute=True) for state in sorted(FINAL)]
    query = select(order).where(order.c.account == account, order.c.state.not_in(final)).order_by(order.c.number)
    return [ORDER.value(row) for row in (await connection.execute(query)).mappings()]


async def awaiting_decisions(connection: AsyncConnection, account: str) -> list[Decision]:
    """Give the decisions that wait for a verdict or for the open, in the order they were made."""
    decision = tables.decisions
    query = (
        select(decision)
        .where(decision.c.account == account, decision.c.outcome.in_(AWAITING))
        .order_by(decision.c.sequence)
    )
    return [decision_of(row) for row in (await connection.execute(query)).mappings()]
