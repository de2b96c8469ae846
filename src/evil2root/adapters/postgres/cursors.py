"""Where each feed has got to, so that a restart goes on there."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.tables import feed_cursors
from evil2root.domain.core.timeframe import Interval


class FeedCursors:
    """Keeps the last close that each feed has delivered, by its interval."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, feed: str, interval: Interval) -> datetime | None:
        """Return the last close; None for a feed that has delivered nothing yet."""
        cursor = feed_cursors.c
        query = select(cursor.at).where(cursor.feed == feed, cursor.interval == interval.value)
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).scalar()

    async def put(self, feed: str, interval: Interval, at: datetime) -> None:
        """Remember the last close."""
        made = insert(feed_cursors).values(feed=feed, interval=interval.value, at=at)
        async with self._engine.begin() as connection:
            await connection.execute(
                made.on_conflict_do_update(index_elements=["feed", "interval"], set_={"at": made.excluded.at})
            )  # fmt: skip
