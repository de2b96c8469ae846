"""A data directory whose server the tests keep up as a command would, so that calls join it and no app is there."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from evil2root.adapters.postgres.data_lock import Role
from evil2root.adapters.postgres.dsn import plain_dsn
from evil2root.adapters.postgres.embedded import attach
from evil2root.adapters.postgres.server import EmbeddedServer


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Keep the server of a data directory running, owned by no app."""
    server = EmbeddedServer(data_dir, role=Role.COMMAND)
    try:
        server.start().result()
        yield
    finally:
        server.stop()


def rows(data_dir: Path, query: str, *given: object) -> list[Any]:
    """Ask the database of a running server; outside of every code under test."""

    async def look() -> list[Any]:
        connection = await asyncpg.connect(
            plain_dsn((await attach(data_dir)).dsn), server_settings={"search_path": "evil2root"}
        )
        try:
            return list(await connection.fetch(query, *given))
        finally:
            await connection.close()

    return asyncio.run(look())


@contextmanager
def tampered(data_dir: Path, table: str, change: str, back: str) -> Iterator[None]:
    """Change a table behind the back of its triggers, and change it back; both are SET ... WHERE ... of an UPDATE."""
    for text in (change, back):
        assert " WHERE " in text
    _without_triggers(data_dir, table, change)
    try:
        yield
    finally:
        _without_triggers(data_dir, table, back)


def _without_triggers(data_dir: Path, table: str, change: str) -> None:
    rows(data_dir, f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    try:
        rows(data_dir, f"UPDATE {table} SET {change}")  # noqa: S608 - the tests' own words
    finally:
        rows(data_dir, f"ALTER TABLE {table} ENABLE TRIGGER ALL")
