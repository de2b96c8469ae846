"""A real PostgreSQL for the tests: one throw-away cluster a test process, one fresh migrated database a test.

Loaded by `pytest_plugins = ["tests.postgres_fixtures"]` in tests/conftest.py. Nothing starts before the first test
that asks. Under xdist every worker has a cluster of its own: making one takes a second, sharing one would need
somebody to outlive all workers.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.connection import connected
from evil2root.adapters.postgres.dsn import plain_dsn
from evil2root.adapters.postgres.embedded import start
from evil2root.adapters.postgres.engine import make_engine
from evil2root.adapters.postgres.migrate import upgrade
from evil2root.adapters.postgres.server import RunningPostgres

TEMPLATE = "evil2root"
"""The embedded server's own database: migrated once, then only copied."""

THROW_AWAY = {
    # Nothing has to survive a power cut here.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Copying a template would otherwise wait for the disk.
    "max_wal_size": "1GB",
    "checkpoint_timeout": "1h",
    "max_connections": "100",
}

MEMORY_DISK = Path("/dev/shm")  # noqa: S108, used only through mkdtemp
MEMORY_DISK_FREE_MIN = 2_000_000_000
"""Bytes; a container often gives 64 MB, which one cluster fills."""

_numbers = itertools.count(1)


def quick_folder() -> Path:
    """Make a folder for throw-away clusters, in memory where there is room; short enough for a socket's address."""
    return Path(tempfile.mkdtemp(prefix=f"e2r-{os.getpid()}-", dir=_quick_place()))


def _quick_place() -> Path:
    roomy = MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > MEMORY_DISK_FREE_MIN
    return MEMORY_DISK if roomy and os.access(MEMORY_DISK, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def sweep() -> None:
    """Remove the folders of test processes that were killed: their servers ended with them, their files did not."""
    for folder in _quick_place().glob("e2r-*-*"):
        pid = folder.name.split("-")[1]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and folder.stat().st_uid == os.geteuid():
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[RunningPostgres]:
    """Run a server for the session; its own database is migrated and never written to."""
    sweep()
    folder = quick_folder()
    server, running = start(folder, settings=THROW_AWAY)
    try:
        asyncio.run(upgrade(running.dsn))
        yield running
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
async def database(postgres: RunningPostgres) -> AsyncIterator[str]:
    """Give the address of a fresh, migrated, empty database that is this test's alone."""
    name = f"test_{next(_numbers)}"
    async with connected(postgres.dsn, database="postgres") as admin:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}" STRATEGY FILE_COPY')
    try:
        yield postgres.dsn.replace(f"/{TEMPLATE}?", f"/{name}?")
    finally:
        async with connected(postgres.dsn, database="postgres") as admin:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def blank_database(postgres: RunningPostgres) -> AsyncIterator[str]:
    """Give the address of a fresh database that no migration has touched."""
    name = f"blank_{next(_numbers)}"
    async with connected(postgres.dsn, database="postgres") as admin:
        await admin.execute(f'CREATE DATABASE "{name}" STRATEGY FILE_COPY')
    try:
        yield postgres.dsn.replace(f"/{TEMPLATE}?", f"/{name}?")
    finally:
        async with connected(postgres.dsn, database="postgres") as admin:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """Give an engine on this test's database."""
    made = make_engine(database)
    try:
        yield made
    finally:
        await made.dispose()


@pytest.fixture
async def connection(database: str) -> AsyncIterator["asyncpg.Connection"]:
    """Give a plain connection to this test's database, for looking at it from outside."""
    opened = await asyncpg.connect(plain_dsn(database), server_settings={"search_path": "evil2root"})
    try:
        yield opened
    finally:
        await opened.close()
