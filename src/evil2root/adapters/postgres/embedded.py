"""The embedded server: a real PostgreSQL that lives and dies with the process that owns the data directory.

Ways in:

- `embedded_postgres(data_dir)` for an app: start it, keep it alive, stop it with the app;
- `owned(server)` for the same with a server that was told to start before;
- `attach(data_dir)` for whoever only wants the address of a running one;
- `attach_or_start(data_dir)` for short commands, with or without the app;
- `start(data_dir)` for code without an event loop.

Everything raises a `DatabaseUnavailable`, whose message is for the operator.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from evil2root.adapters.postgres.cluster import Layout, read_state
from evil2root.adapters.postgres.connection import connected
from evil2root.adapters.postgres.data_lock import Role, unused, using
from evil2root.adapters.postgres.errors import DatabaseUnavailable, DataDirectoryInUse, ServerNotRunning
from evil2root.adapters.postgres.postmaster import running_pid
from evil2root.adapters.postgres.server import EmbeddedServer, RunningPostgres, dsn_of

__all__ = ["EmbeddedServer", "RunningPostgres", "attach", "attach_or_start", "embedded_postgres", "owned", "start"]

ATTACH_OR_START_S = 15.0
"""How long a short command looks for a server that is just starting or just stopping."""

USERS_TIMEOUT_S = 30.0
"""How long a short command that owns the server waits for other commands before it stops it."""

_RETRY_PAUSE_S = 0.1


def start(data_dir: Path, *, settings: Mapping[str, str] | None = None) -> tuple[EmbeddedServer, RunningPostgres]:
    """Start the server and wait for it; the caller calls `stop` on what it gets. Never from an event loop."""
    server = EmbeddedServer(data_dir, settings=settings)
    return server, server.start().result()


@asynccontextmanager
async def embedded_postgres(data_dir: Path) -> AsyncIterator[RunningPostgres]:
    """Run the server while the block runs, for the app."""
    async with owned(EmbeddedServer(data_dir)) as running:
        yield running


@asynccontextmanager
async def owned(server: EmbeddedServer) -> AsyncIterator[RunningPostgres]:
    """Wait for a server, which may have been told to start already, and stop it at the end of the block."""
    try:
        yield await asyncio.wrap_future(server.start())
    finally:
        await asyncio.to_thread(server.stop)


async def attach(data_dir: Path) -> RunningPostgres:
    """Find the server that another process runs on this data directory; it has answered a connection."""
    layout = Layout.of(data_dir)
    state = read_state(layout)
    pid = running_pid(layout)
    if pid is None or state.get("pid") != pid:
        msg = f"No database runs in {layout.data_dir}: start it with `evil2root serve`."
        raise ServerNotRunning(msg)
    dsn = dsn_of(Path(str(state["socket_dir"])), int(state["port"]), layout.password())
    try:
        async with connected(dsn):
            return RunningPostgres(dsn=dsn, data_dir=layout.data_dir, pid=pid)
    except DatabaseUnavailable as error:
        msg = f"The database in {layout.data_dir} (process {pid}) does not answer: {error}"
        raise ServerNotRunning(msg) from error


@asynccontextmanager
async def attach_or_start(data_dir: Path) -> AsyncIterator[RunningPostgres]:
    """Use the app's server, or run one for the length of the block; for short commands.

    Commands may overlap: the one that started the server waits for the others before it stops it. An app that stops
    does not wait for commands.
    """
    async with AsyncExitStack() as stack:
        yield await _join_or_own(data_dir, stack)


async def _join_or_own(data_dir: Path, stack: AsyncExitStack) -> RunningPostgres:
    layout = Layout.of(data_dir)
    give_up_at = time.monotonic() + ATTACH_OR_START_S
    while True:
        async with AsyncExitStack() as attempt:
            if attempt.enter_context(using(layout.data_dir)):
                try:
                    running = await attach(data_dir)
                except ServerNotRunning:
                    pass
                else:
                    stack.push_async_exit(attempt.pop_all())
                    return running
        try:
            return await stack.enter_async_context(_owned_by_command(layout.data_dir))
        except DataDirectoryInUse:
            if time.monotonic() > give_up_at:
                raise
        await asyncio.sleep(_RETRY_PAUSE_S)


@asynccontextmanager
async def _owned_by_command(data_dir: Path) -> AsyncIterator[RunningPostgres]:
    server = EmbeddedServer(data_dir, role=Role.COMMAND)
    try:
        running = await asyncio.wrap_future(server.start())
    except BaseException:
        await asyncio.to_thread(server.stop)
        raise
    try:
        yield running
    finally:
        await asyncio.to_thread(_stop_when_unused, server, data_dir)


def _stop_when_unused(server: EmbeddedServer, data_dir: Path) -> None:
    with unused(data_dir, timeout_s=USERS_TIMEOUT_S):
        server.stop()
