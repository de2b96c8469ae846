import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from evil2root.adapters.postgres import binaries, server
from evil2root.adapters.postgres.cluster import Layout
from evil2root.adapters.postgres.connection import connected
from evil2root.adapters.postgres.dsn import plain_dsn
from evil2root.adapters.postgres.embedded import attach, attach_or_start, embedded_postgres, start
from evil2root.adapters.postgres.errors import (
    DatabaseUnavailable,
    DataDirectoryInUse,
    DataDirectoryUnusable,
    ServerNotRunning,
)
from evil2root.adapters.postgres.postmaster import free_port, running_pid
from tests.postgres_fixtures import quick_folder

pytestmark = pytest.mark.postgres

QUICK = {"fsync": "off"}

Spawn = Callable[..., "subprocess.Popen[str]"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

PROCESSES = Path("/proc")

NOBODY = 65534
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    # Only so that it may read a Python that lives in root's home.
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--"),
)

RESTART_LIMIT_S = 5.0
"""The promise: after any kill, ready again within this."""

HOLDER = """
import sys, time
from pathlib import Path
from evil2root.adapters.postgres.embedded import start
server, running = start(Path(sys.argv[1]), settings={"fsync": "off"})
print(running.pid, flush=True)
time.sleep(600)
"""
"""A program that owns a server until it is killed."""


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """Make a cluster once: copying it is ten times quicker than making another."""
    folder = quick_folder()
    owner, _ = start(folder, settings=QUICK)
    owner.stop()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def fresh_dir() -> Iterator[Path]:
    """Give a folder that is not there yet, short enough for a socket, and reachable for every user."""
    folder = quick_folder()
    folder.chmod(0o711)
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(made: Path, fresh_dir: Path) -> Path:
    """Give a data directory with a cluster in it, not running."""
    fresh_dir.mkdir(mode=0o700)
    shutil.copytree(made / "postgres", fresh_dir / "postgres", ignore=shutil.ignore_patterns(".s.PGSQL*"))
    return fresh_dir


@pytest.fixture
def spawn(fresh_dir: Path) -> Iterator[Spawn]:
    """Start a Python program with the data directory as its argument; whatever is left of it is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *, before: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*before, sys.executable, "-c", code, str(fresh_dir)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
    give_up_at = time.monotonic() + RESTART_LIMIT_S
    while (left := running_pid(Layout.of(fresh_dir))) is not None:  # told to stop by the kernel
        assert time.monotonic() < give_up_at, f"the server {left} outlived its app"
        time.sleep(0.01)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def write(dsn: str, words: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (words text)")
        await connection.execute("INSERT INTO kept VALUES ($1)", words)


async def read(dsn: str) -> list[str]:
    async with connected(dsn) as connection:
        return [row["words"] for row in await connection.fetch("SELECT words FROM kept")]


async def wait_for(condition: Callable[[], bool], *, timeout_s: float = RESTART_LIMIT_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110, another process changes it
            await asyncio.sleep(0.02)


def present(path: Path) -> bool:
    return path.exists()


def leftovers(data_dir: Path) -> list[Path]:
    return list(data_dir.glob("postgres.initdb.*"))


def user_of(pid: int) -> int:
    return (PROCESSES / str(pid)).stat().st_uid


class TestEmbeddedPostgres:
    async def test_keeps_what_was_written_over_a_restart(self, fresh_dir: Path) -> None:
        async with embedded_postgres(fresh_dir) as first:
            await write(first.dsn, "before")
        async with embedded_postgres(fresh_dir) as second:
            found = await read(second.dsn)

        assert found == ["before"]

    async def test_is_gone_after_the_block(self, data_dir: Path) -> None:
        async with embedded_postgres(data_dir) as running:
            pid = running.pid

        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert not (data_dir / "postgres.json").exists()
        with pytest.raises(ServerNotRunning, match="evil2root serve"):
            await attach(data_dir)

    async def test_shows_the_password_to_nobody(self, fresh_dir: Path) -> None:
        async with embedded_postgres(fresh_dir) as running:
            password = (fresh_dir / "postgres" / "password").read_text().strip()
            arguments = (PROCESSES / str(running.pid) / "cmdline").read_text()

            assert password in running.dsn
            assert password not in repr(running)
            assert password not in arguments
            assert password not in (fresh_dir / "postgres.json").read_text()
        for name in ("postgres/password", "postgres.json", "postgres.log", "evil2root.lock"):
            if (fresh_dir / name).exists():
                assert stat.S_IMODE((fresh_dir / name).stat().st_mode) == 0o600, name

    async def test_answers_on_loopback_only_with_the_password(self, data_dir: Path) -> None:
        async with embedded_postgres(data_dir):
            state = json.loads((data_dir / "postgres.json").read_text())
            where = {"host": state["host"], "port": state["port"], "user": state["user"], "database": "evil2root"}
            password = (data_dir / "postgres" / "password").read_text().strip()

            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(**where, password="guess", ssl=False)
            by_password = await asyncpg.connect(**where, password=password, ssl=False)
            assert await by_password.fetchval("SHOW timezone") == "UTC"
            assert await by_password.fetchval("SHOW data_checksums") == "on"
            assert state["host"] == "127.0.0.1"
            await by_password.close()

    async def test_puts_the_socket_elsewhere_when_the_path_is_too_long_for_one(self, fresh_dir: Path) -> None:
        deep = fresh_dir / ("d" * 60) / ("e" * 60)

        async with embedded_postgres(deep) as running:
            await write(running.dsn, "deep")
            socket_dir = Path(json.loads((deep / "postgres.json").read_text())["socket_dir"])
            assert not socket_dir.is_relative_to(deep)
        assert not present(socket_dir)

    async def test_takes_another_port_when_its_own_is_taken(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.socket() as squatter:
            squatter.bind(("127.0.0.1", 0))
            squatter.listen()
            taken = squatter.getsockname()[1]
            choices = iter([taken])
            monkeypatch.setattr(
                server, "free_port", lambda *, preferred: next(choices, None) or free_port(preferred=preferred)
            )

            async with embedded_postgres(data_dir) as running:
                assert f"port={taken}" not in running.dsn
                await write(running.dsn, "elsewhere")


class TestOwnership:
    def test_a_second_start_says_who_holds_the_directory(self, data_dir: Path) -> None:
        owner, _ = start(data_dir, settings=QUICK)

        try:
            with pytest.raises(DataDirectoryInUse, match=f"in use by process {os.getpid()}") as refused:
                start(data_dir)
        finally:
            owner.stop()
        assert refused.value.pid == os.getpid()
        assert len(str(refused.value).splitlines()) == 1

    async def test_a_command_uses_the_server_of_the_app_and_leaves_it_running(self, data_dir: Path) -> None:
        async with embedded_postgres(data_dir) as app:
            async with attach_or_start(data_dir) as command:
                assert command == app
            async with attach_or_start(data_dir) as another:
                assert another.pid == app.pid

    async def test_a_command_without_an_app_runs_a_server_for_itself_only(self, data_dir: Path) -> None:
        async with attach_or_start(data_dir) as running:
            await write(running.dsn, "alone")
            assert running.pid == running_pid(Layout.of(data_dir))

        assert running_pid(Layout.of(data_dir)) is None

    async def test_the_owning_command_waits_for_the_other_commands(self, data_dir: Path) -> None:
        finish = asyncio.Event()
        owned = asyncio.Event()

        async def owner() -> None:
            async with attach_or_start(data_dir):
                owned.set()

        async def guest() -> list[str]:
            await owned.wait()
            async with attach_or_start(data_dir) as running:
                finish.set()
                await asyncio.sleep(0.3)  # the owner is done by now
                await write(running.dsn, "late")
                return await read(running.dsn)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(owner())
            found = tasks.create_task(guest())

        assert found.result() == ["late"]
        assert running_pid(Layout.of(data_dir)) is None


class TestSurvives:
    async def test_a_kill_of_the_app(self, data_dir: Path, spawn: Spawn) -> None:
        app = spawn(HOLDER)
        old_pid = int(await asyncio.to_thread(first_line, app))
        await write((await attach(data_dir)).dsn, "committed")

        app.kill()
        began = time.monotonic()
        async with embedded_postgres(data_dir) as running:
            took = time.monotonic() - began
            assert await read(running.dsn) == ["committed"]
            assert running.pid != old_pid
        assert took < RESTART_LIMIT_S

    async def test_a_kill_of_the_app_stops_its_server(self, data_dir: Path, spawn: Spawn) -> None:
        app = spawn(HOLDER)
        await asyncio.to_thread(first_line, app)

        app.kill()

        # Its last word, written after it has removed its pid file: a clean stop, with nothing to recover.
        await wait_for(lambda: "database system is shut down" in (data_dir / "postgres.log").read_text())
        assert running_pid(Layout.of(data_dir)) is None

    async def test_a_kill_of_the_app_and_the_server_at_once(self, data_dir: Path, spawn: Spawn) -> None:
        app = spawn(HOLDER)
        postmaster = int(await asyncio.to_thread(first_line, app))
        dsn = (await attach(data_dir)).dsn
        await write(dsn, "committed")
        idle = await asyncpg.connect(plain_dsn(dsn))  # a session that outlives its postmaster for a moment

        os.kill(postmaster, signal.SIGKILL)
        app.kill()
        began = time.monotonic()
        async with embedded_postgres(data_dir) as running:
            took = time.monotonic() - began
            assert await read(running.dsn) == ["committed"]
        idle.terminate()
        assert took < RESTART_LIMIT_S

    async def test_a_kill_of_the_server_under_a_running_app(self, data_dir: Path) -> None:
        async with embedded_postgres(data_dir) as running:
            await write(running.dsn, "committed")

            os.kill(running.pid, signal.SIGKILL)
            await wait_for(lambda: running_pid(Layout.of(data_dir)) not in {None, running.pid})
            await wait_for(lambda: json.loads((data_dir / "postgres.json").read_text())["pid"] != running.pid)

            assert await read(running.dsn) == ["committed"]

    async def test_a_kill_in_the_middle_of_making_the_cluster(self, fresh_dir: Path, spawn: Spawn) -> None:
        app = spawn(HOLDER)
        await wait_for(lambda: any(fresh_dir.glob("postgres.initdb.*/cluster/base")), timeout_s=30)

        app.kill()
        app.wait()
        assert not (fresh_dir / "postgres").exists()
        async with embedded_postgres(fresh_dir) as running:
            await write(running.dsn, "whole")
        assert sorted(leftovers(fresh_dir)) == []

    async def test_a_stale_pid_file_that_names_somebody_else(self, data_dir: Path) -> None:
        async with embedded_postgres(data_dir):
            written = (data_dir / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()
        stale = "\n".join([str(os.getppid()), *written[1:]]) + "\n"
        (data_dir / "postgres" / "cluster" / "postmaster.pid").write_text(stale)

        async with embedded_postgres(data_dir) as running:
            await write(running.dsn, "recovered")


class TestUsers:
    @needs_root
    @pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
    async def test_an_ordinary_user_runs_it_directly(self, fresh_dir: Path, spawn: Spawn) -> None:
        os.chown(fresh_dir.parent, NOBODY, NOBODY)

        app = spawn(HOLDER, before=AS_NOBODY)
        pid = await asyncio.to_thread(first_line, app)

        assert pid.isdigit(), pid
        assert user_of(int(pid)) == NOBODY
        assert (await attach(fresh_dir)).pid == int(pid)

    @needs_root
    async def test_root_without_namespaces_runs_it_as_nobody(
        self, fresh_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(binaries, "_in_namespace", lambda: None)

        async with embedded_postgres(fresh_dir) as running:
            await write(running.dsn, "unprivileged")
            assert user_of(running.pid) == NOBODY

    @needs_root
    def test_root_is_told_when_nobody_cannot_reach_the_directory(
        self, fresh_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(binaries, "_in_namespace", lambda: None)
        fresh_dir.parent.chmod(0o700)

        with pytest.raises(DataDirectoryUnusable, match=r"cannot enter .*choose an EVIL2ROOT_DATA_DIR"):
            start(fresh_dir)


class TestRefuses:
    def test_a_cluster_of_another_release(self, fresh_dir: Path) -> None:
        (fresh_dir / "postgres" / "cluster").mkdir(parents=True)
        (fresh_dir / "postgres" / "cluster" / "PG_VERSION").write_text("17\n")

        with pytest.raises(DataDirectoryUnusable, match="made by PostgreSQL 17, and this release runs 18"):
            start(fresh_dir)

    def test_a_folder_that_holds_no_database(self, fresh_dir: Path) -> None:
        (fresh_dir / "postgres").mkdir(parents=True)

        with pytest.raises(DataDirectoryUnusable, match="without a database in it: move it away"):
            start(fresh_dir)

    def test_a_fresh_directory_that_is_a_file(self, fresh_dir: Path) -> None:
        fresh_dir.write_text("not a folder")

        with pytest.raises(DatabaseUnavailable, match=str(fresh_dir)):
            start(fresh_dir)
