"""Cleaned answers into the store: bars, rows set aside and oddities of one answer in one transaction."""

from datetime import datetime

import asyncpg
import polars as pl
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.bars_bulk import BulkBars
from evil2root.adapters.postgres.failures import GONE, first_line
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.cleaning import Cleaned
from evil2root.domain.market.history import History

AWAY = (SQLAlchemyError, OSError, asyncpg.PostgresError, *GONE)


class PostgresShelf:
    """Keeps what was gathered."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._bars, self._bulk, self._quality = PostgresBars(engine), BulkBars(engine), PostgresQuality(engine)

    async def stored(
        self, symbol: str, interval: Interval, *, start: datetime | None = None, until: datetime | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """Return raw bars with their factors. Raises `BarsUnavailable` when the database is away."""
        try:
            return await self._bars.stored(symbol, interval, start=start, until=until, limit=limit)
        except AWAY as error:
            msg = f"The stored bars can't be read: {first_line(error)}"
            raise BarsUnavailable(msg) from error

    async def take(self, cleaned: Cleaned) -> int:
        """Keep an answer, all of it or nothing; bars the source restates win, and their former values stay known."""
        history = History(symbol=cleaned.symbol, interval=cleaned.interval, stored=cleaned.good, origin=cleaned.source)
        try:
            async with self._engine.begin() as connection:
                loaded = await self._bulk.load([history], replace=True, on=connection)
                await self._quality.keep(cleaned, on=connection)
        except AWAY as error:
            msg = f"What {cleaned.source} told of {cleaned.symbol} can't be stored: {first_line(error)}"
            raise BarsUnavailable(msg) from error
        return loaded.new
