"""Runs the migrations, for the app on the connection it hands over, for a developer on EVIL2ROOT_DATABASE_URL."""

import asyncio
import os
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from alembic import context
from evil2root.adapters.postgres.dsn import sqlalchemy_dsn
from evil2root.adapters.postgres.migrate import SCHEMA, VERSION_TABLE


def include_object(_item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:  # noqa: FBT001
    """Leave alembic's own table out of the comparison."""
    return not (kind == "table" and name == VERSION_TABLE)


def migrate(connection: Connection, metadata: MetaData | None) -> None:
    """Run inside the caller's transaction; tables without a schema land in `evil2root` by the search path."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        version_table_schema=SCHEMA,
        include_object=include_object,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_by_address(metadata: MetaData) -> None:
    """Connect as a developer does, from the environment."""
    address = os.environ.get("EVIL2ROOT_DATABASE_URL")
    if not address:
        msg = "Set EVIL2ROOT_DATABASE_URL to the database that the migration is written against."
        raise SystemExit(msg)
    settings = {"application_name": "evil2root-alembic", "search_path": SCHEMA}
    engine = create_async_engine(
        sqlalchemy_dsn(address), poolclass=NullPool, connect_args={"server_settings": settings}
    )
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        await connection.run_sync(migrate, metadata)
    await engine.dispose()


if context.is_offline_mode():
    message = "Offline migrations are not supported: alembic needs the database to know its revision."
    raise SystemExit(message)
handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    migrate(handed_over, context.config.attributes.get("metadata"))
else:
    asyncio.run(migrate_by_address(import_module("evil2root.adapters.postgres.tables").metadata))
