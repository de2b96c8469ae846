"""Brings the schema `evil2root` to this release's revision, once, whoever starts first.

All pending revisions run in one transaction under one advisory lock: an interrupted upgrade leaves the database as it
was, and two starts migrate once, also behind a connection pooler. A revision may therefore not use
`CREATE INDEX CONCURRENTLY`.

When the database is already there, which is nearly always, alembic is not even imported.
"""

import ast
import asyncio
from pathlib import Path

import asyncpg

from evil2root.adapters.postgres.connection import connected
from evil2root.adapters.postgres.dsn import sqlalchemy_dsn
from evil2root.adapters.postgres.errors import DatabaseNewerThanCode, MigrationNotPossible

SCHEMA = "evil2root"
VERSION_TABLE = "alembic_version"

LOCK_KEY = 0x6576696C32726F6F
"""Names the lock among all advisory locks of the database: the bytes of "evil2roo"."""

LOCK_TIMEOUT_S = 60
"""How long a start waits while another one migrates."""


def scripts_folder() -> Path:
    """Find the migration scripts: beside this file in a wheel, at the root of the repository in a clone.

    The wheel carries the root's `alembic/` as `evil2root/adapters/postgres/migrations/`.
    """
    packaged = Path(__file__).parent / "migrations"
    cloned = Path(__file__).parents[4] / "alembic"
    for folder in (packaged, cloned):
        if (folder / "env.py").is_file():
            return folder
    msg = f"The migration scripts are neither in {packaged} nor in {cloned}: reinstall evil2root."
    raise MigrationNotPossible(msg)


def head() -> str | None:
    """Give this release's revision, read from the scripts without running them; None when there is none yet."""
    known = _revisions()
    heads = set(known) - {parent for parents in known.values() for parent in parents}
    if len(heads) > 1:
        msg = f"The migration scripts have several ends ({', '.join(sorted(heads))}): merge them with `alembic merge`."
        raise MigrationNotPossible(msg)
    return heads.pop() if heads else None


async def current(dsn: str) -> str | None:
    """Give the database's revision, None before the first migration."""
    async with connected(dsn) as connection:
        return await _current(connection)


async def upgrade(dsn: str) -> str | None:
    """Migrate if needed and give the revision; some milliseconds when there is nothing to do.

    Raises
    ------
    DatabaseNewerThanCode
        The database is at a revision that this release does not know.
    MigrationNotPossible
        Another start held the lock for `LOCK_TIMEOUT_S`.
    """
    wanted = await asyncio.to_thread(head)
    found = await current(dsn)
    _refuse_newer(found)
    if found is None or found != wanted:
        await _migrate(dsn)
    return wanted


async def _migrate(dsn: str) -> None:
    # Imported here: they cost a running app 0.2 s and 7 MB for nothing.
    from sqlalchemy import text  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    engine = create_async_engine(
        sqlalchemy_dsn(dsn),
        poolclass=NullPool,
        connect_args={"server_settings": {"application_name": "evil2root-migrate", "search_path": SCHEMA}},
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
            try:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK_KEY})"))
            except DBAPIError as error:
                msg = f"Another start has been migrating this database for {LOCK_TIMEOUT_S} s: wait for it to end."
                raise MigrationNotPossible(msg) from error
            _refuse_newer(await current(dsn))  # again, now that nobody else can move it
            await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            await connection.run_sync(run_alembic)
    except DBAPIError as error:
        msg = f"The migration to {head()} failed and left the database as it was: {error.orig}."
        raise MigrationNotPossible(msg) from error
    finally:
        await engine.dispose()


def run_alembic(connection: object, *, target: str = "head") -> None:
    """Run the scripts on an open connection, inside its transaction; does nothing when the database is there.

    Parameters
    ----------
    connection
        A synchronous SQLAlchemy connection, as `AsyncConnection.run_sync` hands over.
    target
        A revision or `head` to go up to; `base` or a step like `-1` goes down.
    """
    from alembic.config import Config  # noqa: PLC0415

    from alembic import command  # noqa: PLC0415, see _migrate

    config = Config()
    config.set_main_option("script_location", str(scripts_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    steps = command.downgrade if target == "base" or target.startswith("-") else command.upgrade
    steps(config, target)


def _refuse_newer(found: str | None) -> None:
    if found is not None and found not in _revisions():
        msg = (
            f"The database is at revision {found}, which this release does not know (its newest is {head()}): "
            "install the newer release again, or restore a backup made before it."
        )
        raise DatabaseNewerThanCode(msg)


async def _current(connection: "asyncpg.Connection") -> str | None:
    try:
        found = await connection.fetchval(f"SELECT version_num FROM {SCHEMA}.{VERSION_TABLE}")  # noqa: S608, constants
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    return None if found is None else str(found)


def _revisions() -> dict[str, tuple[str, ...]]:
    """Every revision and the ones it follows."""
    known: dict[str, tuple[str, ...]] = {}
    for script in sorted((scripts_folder() / "versions").glob("*.py")):
        names = _literals(ast.parse(script.read_text(), filename=str(script)))
        if "revision" not in names:
            continue
        before = names.get("down_revision")
        parents = before if isinstance(before, tuple | list) else () if before is None else (before,)
        known[str(names["revision"])] = tuple(str(parent) for parent in parents)
    return known


def _literals(module: ast.Module) -> dict[str, object]:
    found: dict[str, object] = {}
    for node in module.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name in {"revision", "down_revision"}:
                found[name] = ast.literal_eval(value)
    return found
