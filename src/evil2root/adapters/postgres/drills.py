"""What drills showed, kept for the pages."""

from dataclasses import asdict

from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.failures import GONE, first_line
from evil2root.engine.drilled import DrillResult


class PostgresDrills:
    """Appends what the drills of one account showed."""

    def __init__(self, engine: AsyncEngine, *, account: str) -> None:
        self._engine = engine
        self._account = account

    async def write(self, result: DrillResult) -> None:
        """Keep a result; durable when it returns. Raises `ConnectionError` when it can't be written now."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(tables.drills).values(account=self._account, **asdict(result)))
        except (SQLAlchemyError, OSError, TimeoutError, *GONE) as error:
            msg = f"The drill can't be written down: {first_line(error)}"
            raise ConnectionError(msg) from error
