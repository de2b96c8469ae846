"""Cleaned answers into the store: bars, rows set aside and oddities of one answer in one transaction."""

from datetime import datetime

import asyncpg
import polars as pl
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evil2root.adapters.postgres.bar_series import changed
from evil2root.adapters.postgres.bars import PostgresBars, driver
from evil2root.adapters.postgres.bars_bulk import BulkBars
from evil2root.adapters.postgres.failures import GONE, first_line
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.cleaning import Cleaned
from evil2root.domain.market.history import History
from evil2root.domain.market.quality import Issue
from evil2root.engine.gathering import Taken

log = structlog.get_logger()

AWAY = (SQLAlchemyError, OSError, asyncpg.PostgresError, *GONE)

_RESCALE = (
    "UPDATE bars SET factor = factor * $4, stored_at = now() WHERE symbol = $1 AND interval = $2 AND opened_at < $3"
)


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

    async def take(self, cleaned: Cleaned) -> Taken:
        """Keep an answer, all of it or nothing; bars the source restates win, and their former values stay known."""
        history = History(symbol=cleaned.symbol, interval=cleaned.interval, stored=cleaned.good, origin=cleaned.source)
        try:
            async with self._engine.begin() as connection:
                loaded = await self._bulk.load([history], replace=True, on=connection)
                rescaled = await self._rescaled(cleaned, connection)
                await self._quality.keep(cleaned, on=connection)
        except AWAY as error:
            msg = f"What {cleaned.source} told of {cleaned.symbol} can't be stored: {first_line(error)}"
            raise BarsUnavailable(msg) from error
        return Taken(new=loaded.new, changed=loaded.different + rescaled)

    async def note(self, issue: Issue, *, symbol: str, interval: Interval, source: str, at: datetime) -> None:
        """Keep an oddity of an answer that brought no rows."""
        try:
            await self._quality.note(issue, symbol=symbol, interval=interval, source=source, at=at)
        except AWAY as error:
            msg = f"What {source} did not tell of {symbol} can't be noted: {first_line(error)}"
            raise BarsUnavailable(msg) from error

    async def _rescaled(self, cleaned: Cleaned, connection: AsyncConnection) -> int:
        """Multiply the factors of all bars before the answer; how many there are. Cost: one row each."""
        if cleaned.rescale == 1.0:
            return 0
        log.info("bars.rescaled", symbol=cleaned.symbol, interval=cleaned.interval, by=cleaned.rescale)
        raw = await driver(connection)
        before = cleaned.good["opened_at"][0]
        done = await raw.execute(_RESCALE, cleaned.symbol, cleaned.interval.value, before, cleaned.rescale)
        await changed(raw, [(cleaned.symbol, cleaned.interval.value)])
        return int(done.rpartition(" ")[2])
