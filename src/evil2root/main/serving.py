"""Running the app: database, account, API, dashboard and trading in one process, stopped together."""

import asyncio
import gc
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from evil2root.adapters.passwords import Argon2Hasher
from evil2root.adapters.postgres.access import PostgresAccess
from evil2root.adapters.postgres.desk_queue import PostgresDeskQueue
from evil2root.adapters.postgres.drills import PostgresDrills
from evil2root.adapters.postgres.failures import GONE
from evil2root.adapters.system_clock import SystemClock
from evil2root.engine.access import Access
from evil2root.engine.desk import Phase
from evil2root.engine.drills import Drills
from evil2root.engine.errands import Errands, HaltFile
from evil2root.engine.leading import Superseded
from evil2root.engine.live import Engine
from evil2root.logs import set_up_logs
from evil2root.main.caching import windows_of
from evil2root.main.database import opened_for_app
from evil2root.main.failure import Failure
from evil2root.main.feeds import check_kept, is_replay
from evil2root.main.front import Front
from evil2root.main.housekeeping import keep_house
from evil2root.main.sources import opened_sources
from evil2root.main.starting import Begun
from evil2root.main.trading import Trading, calendars_of, wire
from evil2root.settings import Settings, read_secret

log = structlog.get_logger()

DRAIN_S = 5.0
"""How long the group of bars in hand may take to finish when the app stops. What does not is recovered at the start."""

ERRANDS_AGAIN_S = 1.0

PAGES_MOST_S = 120.0
"""Longest loading of the pages: a bot that nobody can look at or halt must not trade on."""

PAGES_WAIT_S = 2.0
"""How long loading the pages waits for trading to be ready: who stands by or finds no broker has pages soon."""

SECRET_FILE = "secret-key"  # noqa: S105 - a file's name


async def serve(begun: Begun, *, say: Callable[[str], None]) -> int:
    """Run until a signal; returns the exit code.

    Raises `DatabaseUnavailable`, `BarsUnavailable`, `BadTable` or `SettingsProblem` when it can't start.
    """
    settings, host, listening = begun.settings, begun.host, begun.listening
    set_up_logs(style=settings.log.format, level=settings.log.level)
    async with opened_for_app(settings, begun.server, say=say) as database, AsyncExitStack() as stack:
        secret = await _secret(settings)
        access = await _doorkeeper(settings, database.engine, say, secret=secret)
        live = None
        if not is_replay(settings):
            await check_kept(settings, database.engine)
            live = await stack.enter_async_context(
                opened_sources(settings, clock=SystemClock(), calendars=calendars_of(settings))
            )
        hot = windows_of(settings, secret=secret)
        trading = wire(settings, database, live=live, hot=hot, say=say)
        front = Front(trading.desk, hosts=(host, *settings.http.hosts))
        server = uvicorn.Server(
            uvicorn.Config(front, host=host, port=begun.port, log_config=None, access_log=False,
                           server_header=False, timeout_graceful_shutdown=3, lifespan="off")
        )  # fmt: skip
        ending = _Ending(server)
        say(f"Dashboard on http://{host}:{begun.port} (sign in as admin; Ctrl C stops)")
        async with _traded(settings, database.engine, trading, ending):
            loading = asyncio.create_task(
                _load(
                    front,
                    ending,
                    trading.engine,
                    lambda: _application(settings, database.engine, access, trading, host),
                ),
                name="pages",
            )
            await _until_signal(server, ending, listening)
            loading.cancel()
        await hot.close()
        if ending.because:
            raise Failure(ending.because)
        say("Stopped. The next start goes on where this one was.")
        return 0 if server.started else 1


class _Ending:
    """How the process comes to its end: by a signal, or because of something that happened inside."""

    def __init__(self, server: uvicorn.Server) -> None:
        self._server = server
        self.app: Starlette | None = None
        self.because, self.is_begun = "", False

    def begin(self, because: str = "") -> None:
        """Stop; asked a second time, without waiting for anybody."""
        self.because, self.is_begun = self.because or because, True
        self._server.force_exit = self._server.should_exit
        self._server.should_exit = True
        if self.app is not None:
            self.app.state.stopping = True  # open streams end by themselves


async def _until_signal(server: uvicorn.Server, ending: _Ending, listening: socket.socket) -> None:
    """Serve until INT or TERM; a second one does not wait for anybody."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.begin)
    try:
        # `serve` would put in its own handlers and raise the signal again at the end.
        await server._serve([listening])  # noqa: SLF001
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _load(front: Front, ending: _Ending, engine: Engine, make: Callable[[], Starlette]) -> None:
    """Load API and pages once trading is ready, or when that takes long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PAGES_WAIT_S):
            await engine.compared.wait()
    if ending.is_begun:
        return
    try:
        async with asyncio.timeout(PAGES_MOST_S):
            app = await _beside(make)
    except Exception as problem:
        log.exception("pages.not_loaded")
        why = f"nothing came of it in {PAGES_MOST_S:g} s" if isinstance(problem, TimeoutError) else str(problem)
        ending.begin(f"The API and the pages could not be loaded: {why}. See the log.")
        return
    app.state.stopping = ending.is_begun  # a stream that has waited must not outlast the end
    ending.app = app
    front.put(app)


async def _beside(make: Callable[[], Starlette]) -> Starlette:
    """Make it in a thread that nobody waits for at the end. Raises `RuntimeError` for whatever stops it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Starlette] = loop.create_future()

    def tell(made: Starlette | None, problem: BaseException | None) -> None:
        if done.done():
            return
        if made is not None:
            done.set_result(made)
        else:
            told = RuntimeError(f"{type(problem).__name__}: {problem}")
            told.__cause__ = problem
            done.set_exception(told)

    def work() -> None:
        made, problem = None, None
        try:
            made = make()
        except BaseException as stopped:  # noqa: BLE001 - also an exit somebody else's module asks for
            problem = stopped
        with suppress(RuntimeError):  # the loop is over: nobody waits any more
            loop.call_soon_threadsafe(tell, made, problem)

    threading.Thread(target=work, name="pages", daemon=True).start()
    return await done


def _application(settings: Settings, database: AsyncEngine, access: Access, trading: Trading, host: str) -> Starlette:
    from evil2root.main.application import application  # noqa: PLC0415 - half of all there is to import

    # As in the command line: the collector would walk all modules again and again while these load.
    gc.disable()
    try:
        return application(settings, database, access, trading.desk, host=host)
    finally:
        gc.freeze()
        gc.enable()


@asynccontextmanager
async def _traded(settings: Settings, database: AsyncEngine, trading: Trading, ending: _Ending) -> AsyncIterator[None]:
    """Trade meanwhile; at the end what is in hand is finished and the leadership given up."""
    running = asyncio.create_task(_trade(settings, database, trading, ending), name="trading")
    try:
        yield
        if trading.leadership.leads:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await trading.engine.drain()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await trading.leadership.release()


async def _trade(settings: Settings, database: AsyncEngine, trading: Trading, ending: _Ending) -> None:
    """Stand by, then trade. An error nobody expected stops trading, is logged once, and is shown.

    Who has lost the leadership for good ends the whole process: the next start knows what happened since.
    """
    errands = Errands(
        desk=trading.desk, queue=PostgresDeskQueue(database), halt_file=HaltFile(settings.data_folder / "HALT")
    )
    try:
        await trading.leading.stand_by()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(trading.leading.trade(), name="engine")
            tasks.create_task(_run_errands(errands), name="errands")
            if trading.listen is not None:
                tasks.create_task(_listened(trading.listen), name="stream")
            tasks.create_task(keep_house(settings, database), name="retention")
            if settings.execution.drill_every_s is not None:
                tasks.create_task(_drills(settings, database, trading).run(), name="drills")
    except Exception as problem:
        reason = _reason(problem)
        trading.engine.phase = Phase.STOPPED
        if isinstance(reason, Superseded):
            trading.engine.says = str(reason)
            ending.begin(
                f"{reason} What this process remembers may be old, so it has ended: start it again, and it stands by."
            )
            return
        log.exception("engine.failed")
        trading.engine.says = (
            f"Trading stopped on an error: {type(reason).__name__}: {reason}. See the log, then restart."
        )


async def _listened(listen: Callable[[], Awaitable[None]]) -> None:
    """Listen for as long as that goes well: whatever breaks here, bars are asked for without it."""
    try:
        await listen()
    except Exception:
        log.exception("stream.failed")


def _drills(settings: Settings, database: AsyncEngine, trading: Trading) -> Drills:
    assert settings.execution.drill_every_s is not None, "whoever calls has looked"
    return Drills(
        desk=trading.desk, kept=PostgresDrills(database, account=trading.desk.policy.account), clock=SystemClock(),
        every_s=settings.execution.drill_every_s, patience_s=settings.execution.drill_patience_s,
    )  # fmt: skip


async def _run_errands(errands: Errands) -> None:
    """Run errands again after the database was away: what was asked meanwhile is asked again, or withdrawn."""
    while True:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(errands.run())
        except* (SQLAlchemyError, OSError, *GONE) as problem:
            log.warning("errands.interrupted", problem=str(_reason(problem)))
        await asyncio.sleep(ERRANDS_AGAIN_S)


def _reason(problem: BaseException) -> BaseException:
    """Find the error under its groups; of several the one that ends the process."""
    if not isinstance(problem, BaseExceptionGroup):
        return problem
    found = [_reason(one) for one in problem.exceptions]
    return next((one for one in found if isinstance(one, Superseded)), found[0])


async def _doorkeeper(
    settings: Settings, database: AsyncEngine, say: Callable[[str], None], *, secret: bytes
) -> Access:
    """Make the access control, and the first admin on a database without users."""
    access = Access(
        PostgresAccess(database),
        hasher=Argon2Hasher(),
        clock=SystemClock(),
        secret=secret,
        session_max=settings.http.session_length,
    )
    path = settings.admin_password_file
    wanted = read_secret(path, key="EVIL2ROOT_ADMIN_PASSWORD_FILE") if path is not None else None
    made = await access.ensure_admin(wanted)
    if made is not None:
        say("")
        say("  The first user is   admin")
        say(f"  with the password   {made}")
        say("  It is shown only now. Change it with `evil2root user passwd admin`.")
        say("")
    return access


async def _secret(settings: Settings) -> bytes:
    """Return the key that signs forms: the one that was set, or one drawn once and kept in the data directory."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    return await asyncio.to_thread(_kept_secret, settings.data_folder / SECRET_FILE)


def _kept_secret(path: Path) -> bytes:
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        fresh.replace(path)
    return path.read_text().strip().encode()
