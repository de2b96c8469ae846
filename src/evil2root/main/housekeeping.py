"""Once a day, what is older than was asked to be kept is taken away; at the start first."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.failures import GONE
from evil2root.adapters.postgres.retention import PostgresRetention
from evil2root.adapters.system_clock import SystemClock
from evil2root.settings import Settings

log = structlog.get_logger()

EVERY_S = 24 * 3_600.0
AGAIN_S = 600.0
"""After a round that the database did not let finish."""


async def keep_house(settings: Settings, database: AsyncEngine) -> None:
    """Apply the retention now and every day; ends at once when none is set."""
    retention = settings.retention.retention()
    if retention.is_off:
        return
    keeper = PostgresRetention(database)
    while True:
        try:
            removed = await keeper.apply(retention, traded=settings.interval, now=SystemClock().now())
        except (SQLAlchemyError, OSError, *GONE) as problem:
            log.warning("retention.put_off", problem=str(problem))
            await asyncio.sleep(AGAIN_S)
            continue
        if not removed.is_nothing:
            log.info(
                "retention.applied", bars=removed.bars, versions=removed.versions, set_aside=removed.set_aside
            )  # fmt: skip
        await asyncio.sleep(EVERY_S)
