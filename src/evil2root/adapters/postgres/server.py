"""The owner of an embedded server: a thread that starts it, keeps it alive and stops it.

It is a thread of its own for two reasons: the kernel's "stop when your parent dies" watches the thread that started
the server, not the process; and everything here blocks.
"""

import asyncio
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncpg
import structlog

from evil2root.adapters.postgres.binaries import Binaries, Launcher, find_binaries, find_launcher
from evil2root.adapters.postgres.cluster import (
    DATABASE,
    ROLE,
    Layout,
    drop_socket_dir,
    explain_output,
    explained,
    make_cluster,
    make_data_dir,
    make_socket_dir,
    read_state,
    take_ownership,
    write_state,
)
from evil2root.adapters.postgres.connection import connected
from evil2root.adapters.postgres.data_lock import DataDirectoryLock, Role
from evil2root.adapters.postgres.errors import DatabaseUnavailable, ServerDidNotStart
from evil2root.adapters.postgres.postmaster import (
    HOST,
    Address,
    PortTaken,
    Postmaster,
    StillInUse,
    free_port,
    stop_leftover,
)

log = structlog.get_logger()

STILL_IN_USE_S = 10.0
"""How long a start waits for the last processes of a killed server to notice and end."""

DEATHS_MAX = 5
"""Deaths of the server under a running app, within `DEATHS_WINDOW_S`; beyond it something is broken, and said so."""

DEATHS_WINDOW_S = 60.0

RESTART_FIRST_S, RESTART_MOST_S = 0.1, 10.0
"""Wait before it is started again, doubled with every death within the window: a full disk may have room again."""

PORTS_MAX = 5
"""Ports tried before giving up: each one was free a moment before."""

_RETRY_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPostgres:
    """A server that answered. `dsn` carries the password, so it stays out of the representation."""

    dsn: str = field(repr=False)
    data_dir: Path
    pid: int


class EmbeddedServer:
    """Owns the data directory and its server until `stop`.

    When the server dies under it (killed, out of memory, disk full) it is started again at the same address, so that a
    pool which checks its connections recovers by itself. That is never given up while the app runs, since nothing else
    would start it; a server that dies again and again is started ever more slowly, and each time that is an alarm.
    """

    def __init__(self, data_dir: Path, *, role: Role = Role.APP, settings: Mapping[str, str] | None = None) -> None:
        self._layout = Layout.of(data_dir)
        self._role = role
        self._settings = dict(settings or {})
        self._lock = DataDirectoryLock(self._layout.data_dir)
        self._started: Future[RunningPostgres] = Future()
        self._stopping = threading.Event()
        self._postmaster: Postmaster | None = None
        # A daemon: when the interpreter ends without `stop`, the kernel stops the server.
        self._thread = threading.Thread(target=self._own, name="postgres-owner", daemon=True)

    def start(self) -> Future[RunningPostgres]:
        """Begin to start, once; the future says where the server is, or why there is none."""
        if self._thread.ident is not None:
            return self._started
        # Whoever stops waiting calls `stop`; the future itself is never cancelled under the thread.
        self._started.set_running_or_notify_cancel()
        self._thread.start()
        return self._started

    def stop(self) -> None:
        """Stop the server and give the data directory back; waits for both."""
        self._stopping.set()
        postmaster = self._postmaster
        if postmaster is not None:
            postmaster.stop()
        self._thread.join()

    def _own(self) -> None:
        try:
            with explained(self._layout.data_dir):
                self._own_cluster()
        except BaseException as error:
            if self._started.done():
                log.exception("postgres.lost", data_dir=str(self._layout.data_dir))
            else:
                self._started.set_exception(error)
        finally:
            self._lock.release()
            if not self._started.done():
                self._started.set_exception(ServerDidNotStart("The database was told to stop before it had started."))

    def _own_cluster(self) -> None:
        layout = self._layout
        launcher = find_launcher(cluster_owner=layout.owner())
        binaries = find_binaries()
        make_data_dir(layout, launcher)
        self._lock.acquire(role=self._role)
        make_cluster(layout, launcher=launcher, binaries=binaries, durable=self._settings.get("fsync") != "off")
        take_ownership(layout, launcher)
        stop_leftover(layout)
        socket_dir = make_socket_dir(layout, launcher)
        previous = read_state(layout).get("port")
        address = Address(
            port=free_port(preferred=previous if isinstance(previous, int) else None), socket_dir=socket_dir
        )
        try:
            self._run(address, launcher, binaries)
        finally:
            drop_socket_dir(layout, socket_dir)

    def _run(self, address: Address, launcher: Launcher, binaries: Binaries) -> None:
        deaths: list[float] = []
        while not self._stopping.is_set():
            try:
                address, postmaster = self._launch(address, launcher, binaries, movable=not self._started.done())
                self._postmaster = postmaster
                self._announce(address, postmaster, deaths=len(deaths))
            except (DatabaseUnavailable, OSError) as problem:
                if not self._started.done():
                    raise
                log.warning("postgres.not_restarted", problem=str(problem))
            else:
                if self._stopping.is_set():
                    postmaster.stop()
                exit_code = postmaster.wait()
                if not self._stopping.is_set():
                    log.error("postgres.died", pid=postmaster.pid, exit_code=exit_code, log=str(self._layout.log_file))
            self._postmaster = None
            deaths = _recent(deaths)
            self._stopping.wait(_wait_after(deaths))
        self._layout.state_file.unlink(missing_ok=True)

    def _announce(self, address: Address, postmaster: Postmaster, *, deaths: int) -> None:
        """Check that it answers, then tell everybody where it is."""
        dsn = dsn_of(address.socket_dir, address.port, self._layout.password())
        try:
            asyncio.run(_ensure_database(dsn, self._layout.data_dir))
            write_state(self._layout, _state(address, postmaster))
        except BaseException:
            postmaster.stop()
            raise
        if deaths:
            log.warning("postgres.restarted", pid=postmaster.pid, deaths=deaths)
        else:
            self._started.set_result(RunningPostgres(dsn=dsn, data_dir=self._layout.data_dir, pid=postmaster.pid))

    def _launch(
        self, address: Address, launcher: Launcher, binaries: Binaries, *, movable: bool
    ) -> tuple[Address, Postmaster]:
        """Start until it stays up. Only a first start may move to another port: later the address is in use."""
        give_up_at = time.monotonic() + STILL_IN_USE_S
        ports_left = PORTS_MAX
        while True:
            postmaster = Postmaster.spawn(
                self._layout, address=address, launcher=launcher, binaries=binaries, settings=self._settings
            )
            try:
                postmaster.wait_ready()
            except StillInUse:
                if time.monotonic() > give_up_at:
                    raise
                stop_leftover(self._layout)
            except PortTaken:
                ports_left -= 1
                if ports_left == 0:
                    raise
                if movable:
                    address = Address(port=free_port(preferred=None), socket_dir=address.socket_dir)
            else:
                return address, postmaster
            time.sleep(_RETRY_PAUSE_S)


def _recent(deaths: list[float]) -> list[float]:
    """Add a death to those that still count."""
    now = time.monotonic()
    return [death for death in deaths if now - death < DEATHS_WINDOW_S] + [now]


def _wait_after(deaths: list[float]) -> float:
    wait = min(RESTART_FIRST_S * 2.0 ** (len(deaths) - 1), RESTART_MOST_S)
    if len(deaths) > DEATHS_MAX:
        log.critical("postgres.keeps_dying", deaths=len(deaths), within_s=DEATHS_WINDOW_S, retry_in_s=wait)
    return wait


def dsn_of(socket_dir: Path, port: int, password: str, *, database: str = DATABASE) -> str:
    """Spell the address by the private socket: no TLS talk, and faster than loopback."""
    return f"postgresql+asyncpg://{ROLE}:{quote(password, safe='')}@/{database}?host={socket_dir}&port={port}"


def _state(address: Address, postmaster: Postmaster) -> dict[str, str | int]:
    return {
        "pid": postmaster.pid,
        "host": HOST,
        "port": address.port,
        "socket_dir": str(address.socket_dir),
        "user": ROLE,
        "database": DATABASE,
        "started_at": postmaster.started_at(),
    }


async def _ensure_database(dsn: str, data_dir: Path) -> None:
    """Connect for real, and make the database when the cluster is new."""
    async with connected(dsn, database="postgres") as connection:
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            return
        try:
            await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        except asyncpg.PostgresError as error:
            raise ServerDidNotStart(explain_output(f"FATAL: {error}", data_dir, 1)) from error
