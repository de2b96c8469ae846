"""Who leads: a lock that one connection holds, and the one row whose epoch every trading write is held against.

The lock keeps a second process away while the first one lives. The row keeps out what a process writes that has lost
the lock and does not know yet. And the clock keeps out what it would send: it leads only as long as the server has
answered it within `OVERDUE_S`, and who takes over waits longer than that before it does anything.
"""

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import structlog
from sqlalchemy import func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from evil2root.adapters.postgres.dsn import plain_dsn
from evil2root.adapters.postgres.engine import SCHEMA
from evil2root.adapters.postgres.tables import leadership
from evil2root.domain.core.clock import Clock
from evil2root.engine.leading import Leader, LeadsNotNow, Superseded

log = structlog.get_logger()

LOCK_KEY = 0x6576696C326C6561
"""Names the lock among all advisory locks of the database: the bytes of "evil2lea"."""

LOCK_HALVES = (LOCK_KEY >> 32, LOCK_KEY & 0xFFFFFFFF)
"""As pg_locks shows the key."""

BEAT_EVERY_S = 0.4
OVERDUE_S = 1.0
"""A process leads for this long after it asked the question that the server answered last."""

ANSWER_WITHIN_S = 3.0
"""How long a late answer is waited for: while the connection lives the lock is held, though nothing is sent."""

SERVER_WAITS_S = 4.0
"""The server ends a lock's connection that has been silent for so long: its process is frozen or cut off."""

TRANSACTION_IDLE_S = 3.0
"""The server ends a trading transaction whose process says nothing for so long: it would hold up who takes over."""

TRY_EVERY_S = 0.5
REGAIN_EVERY_S = 0.2
CONNECT_WITHIN_S = 2.0

AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


async def fence(connection: AsyncConnection, leader: Leader, epoch: int) -> None:
    """Refuse the transaction when a newer epoch has begun, and keep one from beginning until it ends.

    Raises `Superseded`, or `LeadsNotNow` when the leadership was lost after the transaction was begun.
    """
    found = (await connection.execute(_FENCE)).first()
    if found is None or found.epoch <= epoch:
        return
    if leader.epoch != epoch or not leader.leads:
        raise _not_now()
    msg = f"{found.holder} leads since epoch {found.epoch}, and this process wrote in epoch {epoch}: its memory is old."
    raise Superseded(msg)


def require_lead(leader: Leader) -> int:
    """Give the epoch to write with; raises `LeadsNotNow`."""
    if not leader.leads:
        raise _not_now()
    return leader.epoch


def _not_now() -> LeadsNotNow:
    return LeadsNotNow("The hold on the database is lost for now: nothing is written or sent until it is back.")


class PostgresLeadership:
    """Leads by a lock on a connection of its own, outside any pool.

    Parameters
    ----------
    holder
        Names this process to people: host and process id.
    alone
        Something else makes sure that no other process is still at work, as the lock on an embedded database's
        directory does: who takes over then need not wait for it.
    """

    def __init__(self, dsn: str, *, holder: str, clock: Clock, alone: bool = False) -> None:
        self._dsn = plain_dsn(dsn)
        self._holder = holder
        self._clock = clock
        self._alone = alone
        self._was_free = alone
        self._name = f"evil2root-leader-{secrets.token_hex(6)}"
        self._connection: asyncpg.Connection[Any] | None = None
        self._broken = asyncio.Event()
        self._epoch = 0
        self._answered: float | None = None
        """When the question was asked that the server answered last, by a clock that runs through sleep."""
        self._leader = "Nobody leads yet."

    @property
    def leads(self) -> bool:
        """May this process write and send, now?"""
        asked, connection = self._answered, self._connection
        if asked is None or connection is None or connection.is_closed():
            return False
        return _since_boot() - asked < OVERDUE_S

    @property
    def epoch(self) -> int:
        """The epoch of this process's reign; 0 before it."""
        return self._epoch

    @property
    def leader(self) -> str:
        """Who leads, as last seen."""
        return self._leader

    async def acquire(self) -> int:
        """Wait until this process leads; give the epoch."""
        told = False
        while True:
            try:
                if await self._take():
                    return self._epoch
            except AWAY as problem:
                if not told:
                    log.warning("leadership.unreachable", problem=_line(problem))
                told = True
                self._leader = f"Who leads can't be asked ({_line(problem)})."
                self._drop()
            await asyncio.sleep(TRY_EVERY_S)

    async def lost(self) -> str:
        """Hold on; when the connection is lost, take the lock again unless somebody else has led since."""
        while True:
            try:
                await self._beat_on()
            except Superseded as gone:
                return self._gone(str(gone))
            except AWAY as problem:
                log.warning("leadership.interrupted", epoch=self._epoch, problem=_line(problem))
                self._drop()
            try:
                await self._regain()
            except Superseded as gone:
                return self._gone(str(gone))

    async def release(self) -> None:
        """Give the lock back."""
        connection, self._answered = self._connection, None
        self._connection = None
        if connection is not None and not connection.is_closed():
            try:
                await connection.close(timeout=1)
            except AWAY:
                connection.terminate()

    async def _take(self) -> bool:
        """Try once: the lock, then the epoch, then the time that who led before may still think it does.

        A lock that is free is first left to who led before: its connection may have broken, and its memory is newest.
        """
        connection = await self._connected()
        with ended_after(SERVER_WAITS_S, connection):
            led = await connection.fetchrow(_WHO)
            was_free, self._was_free = self._was_free, await self._is_free(connection)
            may = self._was_free and (was_free or led is None)
            if not may or not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
                self._leader = await self._seen(connection)
                return False
            epoch = await connection.fetchval(_RAISE, self._holder, self._clock.now())
        if led is not None and not self._alone:
            await asyncio.sleep(OVERDUE_S + BEAT_EVERY_S)
        asked = _since_boot()
        with ended_after(ANSWER_WITHIN_S, connection):
            self._leader = await self._seen(connection)
        self._epoch, self._answered = int(epoch), asked
        return True

    async def _beat_on(self) -> None:
        """Ask the server again and again; ends by an error."""
        connection = self._connection
        while connection is not None and not connection.is_closed():
            asked = _since_boot()
            with ended_after(ANSWER_WITHIN_S, connection):
                found = await connection.fetchrow(_WHO)
            if found is None or found["epoch"] != self._epoch:
                raise self._superseded_by(found)
            self._answered = asked
            try:
                async with asyncio.timeout(BEAT_EVERY_S):
                    await self._broken.wait()
            except TimeoutError:
                continue
        msg = "The server ended the connection."
        raise ConnectionError(msg)

    async def _regain(self) -> None:
        """Lead again, in a new epoch, as nobody has led meanwhile; raises `Superseded` when somebody has."""
        now, own = self._clock.now(), self._epoch
        while True:
            try:
                connection = await self._connected()
                with ended_after(SERVER_WAITS_S, connection):
                    await connection.execute(_END_OWN, self._name)
                    if await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
                        asked = _since_boot()
                        epoch = await connection.fetchval(_RAISE_OWN, own, self._holder, now)
                        if epoch is None:
                            raise self._superseded_by(await connection.fetchrow(_WHO))
                        self._epoch, self._answered = int(epoch), asked
                        log.warning("leadership.regained", epoch=self._epoch)
                        return
                    await self._require_nobody(connection)
            except AWAY:
                self._drop()
            await asyncio.sleep(REGAIN_EVERY_S)

    def _superseded_by(self, found: "asyncpg.Record | None") -> Superseded:
        who = "nobody knows who" if found is None else f"{found['holder']} (epoch {found['epoch']})"
        return Superseded(f"Another process has led since epoch {self._epoch} of this one: {who}.")

    async def _require_nobody(self, connection: "asyncpg.Connection[Any]") -> None:
        """Let a lock of our own dead connection be; anybody else's ends this reign."""
        name = await connection.fetchval(_HOLDS_LOCK, *LOCK_HALVES)
        if name is not None and name != self._name:
            msg = f"Another process has taken the lead after epoch {self._epoch}. {await self._seen(connection)}"
            raise Superseded(msg)

    async def _is_free(self, connection: "asyncpg.Connection[Any]") -> bool:
        return await connection.fetchval(_HOLDS_LOCK, *LOCK_HALVES) is None

    async def _connected(self) -> "asyncpg.Connection[Any]":
        """Give the connection of the lock, a new one when there is none."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        self._drop()
        made = await asyncpg.connect(
            self._dsn, timeout=CONNECT_WITHIN_S, statement_cache_size=0,
            server_settings=_SETTINGS | {"application_name": self._name},
        )  # fmt: skip
        self._broken = broken = asyncio.Event()
        made.add_termination_listener(lambda _: broken.set())
        self._connection = made
        return made

    def _drop(self) -> None:
        """Give up the connection, without a word to a server that may not listen."""
        self._answered = None
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _gone(self, why: str) -> str:
        self._drop()
        log.critical("leadership.lost", epoch=self._epoch, why=why)
        return why

    async def _seen(self, connection: "asyncpg.Connection[Any]") -> str:
        found = await connection.fetchrow(_WHO)
        if found is None:
            return "Another process leads; it has not said its name yet."
        who = "This process" if found["holder"] == self._holder else found["holder"]
        return f"{who} leads since {found['since']:%Y-%m-%d %H:%M:%S} UTC (epoch {found['epoch']})."


@contextmanager
def ended_after(seconds: float, connection: "asyncpg.Connection[Any]") -> Iterator[None]:
    """End a connection that gives no answer in time: asking the server to cancel would wait for it once more."""
    timer = asyncio.get_running_loop().call_later(seconds, connection.terminate)
    try:
        yield
    except AttributeError as broken:
        # The driver forgets its protocol when it is terminated: a call between two of its steps stumbles over that.
        if not connection.is_closed():
            raise
        msg = f"The server gave no answer within {seconds:g} s."
        raise ConnectionError(msg) from broken
    finally:
        timer.cancel()


def _since_boot() -> float:
    """Seconds by a clock that nobody sets, and that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _line(problem: BaseException) -> str:
    return (str(problem) or type(problem).__name__).splitlines()[0]


_SETTINGS = {
    "search_path": SCHEMA,
    "timezone": "UTC",
    "statement_timeout": str(int(SERVER_WAITS_S * 1000)),
    "lock_timeout": str(int(SERVER_WAITS_S * 1000)),
    "idle_session_timeout": str(int(SERVER_WAITS_S * 1000)),
    "idle_in_transaction_session_timeout": str(int(SERVER_WAITS_S * 1000)),
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
}

_FENCE = select(
    leadership.c.epoch,
    leadership.c.holder,
    func.set_config("idle_in_transaction_session_timeout", str(int(TRANSACTION_IDLE_S * 1000)), true()),
).with_for_update(read=True)

_WHO = "SELECT epoch, holder, since FROM leadership"
_RAISE = (
    "INSERT INTO leadership AS l (epoch, holder, since) VALUES (1, $1, $2) "
    "ON CONFLICT (one) DO UPDATE SET epoch = l.epoch + 1, holder = $1, since = $2 RETURNING epoch"
)
_RAISE_OWN = (
    "UPDATE leadership SET epoch = $1 + 1, since = $3 WHERE holder = $2 "
    "AND (epoch = $1 OR (epoch = $1 + 1 AND since = $3)) RETURNING epoch"  # again, if the answer was lost on its way
)
_END_OWN = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()"
)
_HOLDS_LOCK = (
    "SELECT coalesce(application_name, '') FROM pg_locks LEFT JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND classid = $1::bigint::oid AND objid = $2::bigint::oid AND objsubid = 1 "
    "AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
