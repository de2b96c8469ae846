"""Opening the database: the embedded one or an external one, migrated, the same engine over both."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import migrate
from evil2root.adapters.postgres.embedded import attach_or_start, embedded_postgres
from evil2root.adapters.postgres.engine import make_engine
from evil2root.settings import Settings


def _quiet(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database whose schema is current: its pool, and its address for connections outside of the pool."""

    engine: AsyncEngine
    dsn: str = field(repr=False)
    shared: bool
    """Other apps may use it too: nothing but the leadership keeps them apart."""


@asynccontextmanager
async def open_database(
    settings: Settings, *, for_app: bool, say: Callable[[str], None] = _quiet
) -> AsyncIterator[AsyncEngine]:
    """Yield an engine on a database whose schema is current; see `opened_database`."""
    async with opened_database(settings, for_app=for_app, say=say) as database:
        yield database.engine


@asynccontextmanager
async def opened_database(
    settings: Settings, *, for_app: bool, say: Callable[[str], None] = _quiet
) -> AsyncIterator[Database]:
    """Open the database.

    The app owns the embedded server and its data directory; a short command joins the app's, or runs one for as long
    as it needs it. Raises `DatabaseUnavailable` with a message for the operator.
    """
    settings.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.database_url is not None:
        dsn = settings.database_url.get_secret_value()
        async with _migrated(dsn, say) as engine:
            yield Database(engine=engine, dsn=dsn, shared=True)
        return
    say(f"Starting the embedded PostgreSQL in {settings.data_folder}")
    manager = embedded_postgres(settings.data_folder) if for_app else attach_or_start(settings.data_folder)
    async with manager as running, _migrated(running.dsn, say) as engine:
        yield Database(engine=engine, dsn=running.dsn, shared=False)


@asynccontextmanager
async def _migrated(dsn: str, say: Callable[[str], None]) -> AsyncIterator[AsyncEngine]:
    before = await migrate.upgrade(dsn)
    if before is not None:
        say(f"The database schema is at revision {before}")
    engine = make_engine(dsn)
    try:
        yield engine
    finally:
        await engine.dispose()
