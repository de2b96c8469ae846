"""Compositions of the commands that look at or set up what the app needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import migrate
from evil2root.adapters.postgres.embedded import attach_or_start
from evil2root.logs import set_up_logs
from evil2root.main.database import open_database
from evil2root.main.failures import translated
from evil2root.settings import Settings, describe, load


def effective_settings() -> list[tuple[str, str, str]]:
    """Return (key, value, origin) of every setting; raises `Failure` for what is wrong with them."""
    with translated():
        return describe(load())


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Settings, AsyncEngine]]:
    """Read the settings and open the database for a short command; what is logged goes where no document is printed."""
    settings = load()
    set_up_logs(style=settings.log.format, level=settings.log.level)
    async with open_database(settings) as database:
        yield settings, database


async def database_revision(*, upgrade: bool) -> str:
    """Return the database's revision, migrated first if asked."""
    settings = load()
    if settings.database_url is not None:
        return await _revision(settings.database_url.get_secret_value(), upgrade=upgrade)
    async with attach_or_start(settings.data_folder) as running:
        return await _revision(running.dsn, upgrade=upgrade)


async def _revision(dsn: str, *, upgrade: bool) -> str:
    found = await (migrate.upgrade(dsn) if upgrade else migrate.current(dsn))
    return found or "none: run `evil2root db upgrade`"
