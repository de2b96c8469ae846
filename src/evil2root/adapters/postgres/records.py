"""What the books know of orders that are closed and of executions that were booked."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.codec import FILL, ORDER
from evil2root.adapters.postgres.failures import first_line
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order
from evil2root.domain.kernel.journal import JournalUnavailable


class PostgresRecords:
    """Orders and fills of one account, by their ids."""

    def __init__(self, engine: AsyncEngine, *, account: str) -> None:
        self._engine = engine
        self._account = account

    async def orders(self, client_order_ids: Sequence[str]) -> Mapping[str, Order]:
        """Return those of the orders that were ever made."""
        order = tables.orders
        query = select(order).where(
            order.c.account == self._account, order.c.client_order_id.in_(_texts(client_order_ids))
        )
        return {row["client_order_id"]: ORDER.value(row) for row in await self._rows(query)}

    async def fills(self, execution_ids: Sequence[str]) -> Mapping[str, Fill]:
        """Return those of the executions that were booked."""
        fill = tables.fills
        query = select(fill).where(fill.c.account == self._account, fill.c.execution_id.in_(_texts(execution_ids)))
        return {row["execution_id"]: FILL.value(row) for row in await self._rows(query)}

    async def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        try:
            async with self._engine.connect() as connection:
                found: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
                return found
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            msg = f"The database can't be reached: {first_line(error)}"
            raise JournalUnavailable(msg) from error


def _texts(names: Sequence[str]) -> list[str]:
    """Leave out what no text column can hold: a venue may send anything as an id."""
    return [name for name in names if "\x00" not in name and name.isprintable()]
