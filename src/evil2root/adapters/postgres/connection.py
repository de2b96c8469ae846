"""One plain connection, outside any pool, whose failures are sentences."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from evil2root.adapters.postgres.dsn import plain_dsn
from evil2root.adapters.postgres.errors import DatabaseUnavailable

CONNECT_TIMEOUT_S = 10.0


@asynccontextmanager
async def connected(dsn: str, *, database: str | None = None) -> AsyncIterator["asyncpg.Connection"]:
    """Open a connection for the length of the block; `database` replaces the one in the address."""
    try:
        connection = await asyncpg.connect(plain_dsn(dsn), database=database, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable(_sentence(dsn, error)) from error
    try:
        yield connection
    finally:
        await connection.close()


def _sentence(dsn: str, error: Exception) -> str:
    where = _where(dsn)
    if isinstance(error, TimeoutError):
        return f"The database at {where} did not answer within {CONNECT_TIMEOUT_S:.0f} s: is it running?"
    if isinstance(error, (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)):
        return f"The database at {where} refused the user or the password: check EVIL2ROOT_DATABASE_URL."
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return f"The server at {where} has no such database: create it, or check EVIL2ROOT_DATABASE_URL."
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return f"The database at {where} has no connection left: close some, or raise its max_connections."
    return f"The database at {where} cannot be reached: {error}."


def _where(dsn: str) -> str:
    """Name the server without its password."""
    parts = urlsplit(plain_dsn(dsn))
    host = parts.hostname or "its private socket"
    return f"{host}:{parts.port}{parts.path}" if parts.hostname and parts.port else f"{host}{parts.path}"
