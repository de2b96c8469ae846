"""Reads of the books: orders, fills, trades, positions, cash and the equity curve."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Integer, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import books, tables
from evil2root.adapters.postgres.codec import CARRY, EQUITY_POINT, FILL, ORDER, ORDER_EVENT, TRADE
from evil2root.adapters.postgres.paging import page
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.ledger import CASH
from evil2root.domain.book.orders import Order, OrderEvent
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Position, Trade
from evil2root.domain.core.money import ZERO
from evil2root.domain.kernel.state import Carry
from evil2root.engine.reads import Page


class BookReads:
    """The part of `Reads` that looks into the books of one account."""

    _engine: AsyncEngine
    _account: str

    async def carry(self) -> Carry | None:
        """Return what the kernel carries from step to step; None before the account began."""
        state = tables.account_state.c
        async with self._engine.connect() as connection:
            found = (await connection.execute(select(state.carry).where(state.account == self._account))).scalar()
        return None if found is None else CARRY.value(found)

    async def positions(self) -> tuple[Position, ...]:
        """Return what is held, in the order of the last fills."""
        async with self._engine.connect() as connection:
            return tuple(await books.held(connection, self._account))

    async def cash(self) -> Decimal:
        """Return the cash: the sum of the ledger."""
        entry = tables.ledger_entries.c
        query = select(func.sum(entry.amount)).where(entry.book == self._account, entry.account == CASH)
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).scalar() or ZERO

    async def open_orders(self) -> tuple[Order, ...]:
        """Return the orders that may still fill, oldest first."""
        async with self._engine.connect() as connection:
            return tuple(await books.open_orders(connection, self._account))

    async def orders(self, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Order]:
        """Return orders, newest first."""
        return await self._page(tables.orders, ORDER.value, symbol=symbol, limit=limit, cursor=cursor)

    async def fills(self, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Fill]:
        """Return fills, newest first."""
        return await self._page(tables.fills, FILL.value, symbol=symbol, limit=limit, cursor=cursor)

    async def trades(self, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Trade]:
        """Return closed round trips, the last closed first."""
        return await self._page(tables.trades, TRADE.value, symbol=symbol, limit=limit, cursor=cursor)

    async def _page(self, table: Any, value: Any, *, symbol: str | None, limit: int, cursor: str | None) -> Page[Any]:
        query = select(table).where(table.c.account == self._account)
        if symbol is not None:
            query = query.where(table.c.symbol == symbol)
        async with self._engine.connect() as connection:
            return await page(connection, query, key=table.c.number, limit=limit, cursor=cursor, value=value)

    async def all_trades(self, *, symbol: str | None) -> tuple[Trade, ...]:
        """Return every closed round trip, oldest first."""
        trade = tables.trades
        query = select(trade).where(trade.c.account == self._account).order_by(trade.c.number)
        if symbol is not None:
            query = query.where(trade.c.symbol == symbol)
        async with self._engine.connect() as connection:
            return tuple(TRADE.value(row) for row in (await connection.execute(query)).mappings())

    async def order(self, client_order_id: str) -> tuple[Order, tuple[OrderEvent, ...]] | None:
        """Return an order and its history."""
        order, event = tables.orders, tables.order_events
        mine = select(order).where(order.c.client_order_id == client_order_id, order.c.account == self._account)
        told = select(event).where(event.c.client_order_id == client_order_id).order_by(event.c.seq)
        async with self._engine.connect() as connection:
            row = (await connection.execute(mine)).mappings().first()
            if row is None:
                return None
            events = (await connection.execute(told)).mappings()
            return ORDER.value(row), tuple(ORDER_EVENT.value(event) for event in events)

    async def equity(self, *, since: datetime | None, points_max: int) -> tuple[EquityPoint, ...]:
        """Return the equity curve, oldest first, thinned evenly to `points_max` (at least 2), the ends always kept."""
        if points_max < 2:
            msg = f"points_max is {points_max}; a curve has at least 2 points."
            raise ValueError(msg)
        point = tables.equity_points
        place = cast(func.row_number().over(order_by=point.c.at) - 1, Integer).label("place")
        numbered = select(point, place, func.count().over().label("total")).where(point.c.account == self._account)
        if since is not None:
            numbered = numbered.where(point.c.at >= since)
        row = numbered.subquery()
        # Point n falls into bucket n x (max - 1) / (total - 1); the first of each bucket stays.
        steps = func.greatest(row.c.total - 1, 1)
        bucket, before = (func.div(n * (points_max - 1), steps) for n in (row.c.place, row.c.place - 1))
        query = select(row).where(or_(row.c.total <= points_max, row.c.place == 0, bucket != before))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(row.c.at))).mappings()
            return tuple(EQUITY_POINT.value(found) for found in rows)
