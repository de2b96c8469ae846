"""The SQLAlchemy engine and its sessions: the same for the embedded server and for one given by URL."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from evil2root.adapters.postgres.dsn import sqlalchemy_dsn

SCHEMA = "evil2root"
"""The one schema of this application, first and only in the search path: names need no prefix."""

APPLICATION_NAME = "evil2root"

POOL_SIZE = 5
"""Connections kept open. A page or a trading step needs one, for milliseconds."""

POOL_OVERFLOW_MAX = 10
"""More connections under load, closed afterwards; with a read and a write pool still below the server's 40."""

POOL_TIMEOUT_S = 10.0
"""How long a request waits for a connection before it fails: longer would hide a leak."""

CONNECT_TIMEOUT_S = 10.0

STATEMENT_TIMEOUT = timedelta(seconds=30)
"""A page or a step that takes longer is a bug; long jobs ask for an engine without this limit."""

LOCK_TIMEOUT = timedelta(seconds=10)
IDLE_IN_TRANSACTION_TIMEOUT = timedelta(seconds=60)
"""A forgotten transaction keeps rows locked and dead rows alive: the server ends it."""

_ANSWER_GRACE = timedelta(seconds=10)
"""How much longer than the server's own limit the client waits, in case the server or the network is gone."""


def make_engine(
    dsn: str,
    *,
    pool_size: int = POOL_SIZE,
    pool_overflow_max: int = POOL_OVERFLOW_MAX,
    statement_timeout: timedelta | None = STATEMENT_TIMEOUT,
    read_only: bool = False,
) -> AsyncEngine:
    """Make an engine; it connects when first used, and checks a pooled connection before it lends it.

    Parameters
    ----------
    dsn
        `postgresql+asyncpg://…`; `postgresql://` and `postgres://` are taken as the same.
    statement_timeout
        Limit of one statement, None for none.
    read_only
        The server then refuses every write; for pages and reports, and for a replica.
    """
    server_settings = {
        "application_name": APPLICATION_NAME,
        "search_path": SCHEMA,
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": _milliseconds(statement_timeout),
        "lock_timeout": _milliseconds(LOCK_TIMEOUT),
        "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_TIMEOUT),
    }
    if read_only:
        server_settings["default_transaction_read_only"] = "on"
    connect_args: dict[str, Any] = {"timeout": CONNECT_TIMEOUT_S, "server_settings": server_settings}
    if statement_timeout is not None:
        connect_args["command_timeout"] = (statement_timeout + _ANSWER_GRACE).total_seconds()
    return create_async_engine(
        sqlalchemy_dsn(dsn),
        pool_size=pool_size,
        max_overflow=pool_overflow_max,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        hide_parameters=True,  # an error message must not carry a password hash or a token into the log
        json_serializer=to_json,
        json_deserializer=orjson.loads,
        connect_args=connect_args,
    )


def make_sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Make the session factory. What was read stays readable after the commit: no query hides behind an attribute."""
    return async_sessionmaker(engine, expire_on_commit=False)


def to_json(value: object) -> str:
    """Write JSON for a column: decimals as strings, times as RFC 3339; floats come back to the last bit.

    NaN and the infinities become null, as JSON has no word for them: map them before if the difference matters.
    A `jsonb` column keeps the number but not its spelling, so 1e16 comes back as an int; `json` keeps the text.
    """
    return orjson.dumps(value, default=_spell).decode()


def _spell(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError  # orjson then says which type it was


def _milliseconds(duration: timedelta | None) -> str:
    return "0" if duration is None else str(int(duration.total_seconds() * 1000))
