"""Opening the database: the embedded one or an external one, migrated, the same engine over both."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import migrate
from evil2root.adapters.postgres.embedded import EmbeddedServer, attach_or_start, owned
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
async def open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Open the database for a short command: it joins the app's embedded one, or runs one for as long as it needs it.

    Yields an engine on a database whose schema is current. Raises `DatabaseUnavailable` with a message for the operator.
    """
    if settings.database_url is not None:
        async with _migrated(settings.database_url.get_secret_value(), _quiet) as engine:
            yield engine
        return
    settings.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with attach_or_start(settings.data_folder) as running, _migrated(running.dsn, _quiet) as engine:
        yield engine


@asynccontextmanager
async def opened_for_app(
    settings: Settings, server: EmbeddedServer | None, *, say: Callable[[str], None]
) -> AsyncIterator[Database]:
    """Open the database for the app: the embedded `server`, which is starting and is stopped at the end, or the set one.

    Raises `DatabaseUnavailable` with a message for the operator.
    """
    if server is None:
        assert settings.database_url is not None, "without one there is an embedded server"
        dsn = settings.database_url.get_secret_value()
        async with _migrated(dsn, say) as engine:
            yield Database(engine=engine, dsn=dsn, shared=True)
        return
    async with owned(server) as running, _migrated(running.dsn, say) as engine:
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
