"""What the database said when it failed, in one line."""

import asyncpg
from sqlalchemy.exc import DBAPIError

GONE = (
    asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError, asyncpg.InternalClientError,
)  # fmt: skip
"""What the driver says of a server that is away, where it is used without SQLAlchemy around it."""


def first_line(error: Exception) -> str:
    """Say what the server said, without the statement and its parameters."""
    said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    cause = said.__cause__ or said
    return (str(cause) or type(cause).__name__).splitlines()[0]
