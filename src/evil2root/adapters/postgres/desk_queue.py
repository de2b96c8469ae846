"""Requests that other processes leave for the running app, told by NOTIFY and found by looking, if that is missed.

A request is taken once: after a crash in the middle it is not carried out a second time. Who waited in vain withdraws
it, so that nothing is done hours later when the app starts.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evil2root.adapters.postgres.engine import to_json
from evil2root.adapters.postgres.failures import first_line
from evil2root.adapters.postgres.tables import desk_requests
from evil2root.domain.kernel.actions import Reply
from evil2root.engine.errands import Request

CHANNEL = "evil2root_desk"

LOOK_EVERY_S = 1.0
"""How long a notification is waited for before the table is looked at anyway."""

ANSWER_TIMEOUT_S = 15.0
"""How long a command waits: longer than the desk itself waits for the engine."""

UNTAKEN = "Nobody took the request"
"""How the reply begins when no app listened."""

_OPEN = (desk_requests.c.answered_at.is_(None), desk_requests.c.taken_at.is_(None))


class PostgresDeskQueue:
    """Both ends of the queue; `ConnectionError` when the database is away."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def ask(self, kind: str, payload: Mapping[str, Any], *, by: str, origin: str) -> str:
        """Leave a request, and give its id."""
        row = {"kind": kind, "payload": to_json(dict(payload)), "by": by, "origin": origin, "at": func.now()}
        async with self._connected() as connection:
            return str(
                (await connection.execute(insert(desk_requests).values(row).returning(desk_requests.c.id))).scalar_one()
            )

    async def take_open(self) -> Sequence[Request]:
        """Take the open requests, oldest first, after waiting up to `LOOK_EVERY_S` for one."""
        async with self._listening() as (connection, heard):
            taken = await self._take(connection)
            if not taken and await _within(heard, LOOK_EVERY_S):
                taken = await self._take(connection)
            return taken

    async def _take(self, connection: AsyncConnection) -> list[Request]:
        request = desk_requests.c
        taking = update(desk_requests).where(*_OPEN).values(taken_at=func.now())
        found = (
            await connection.execute(taking.returning(request.id, request.kind, request.payload, request.by))
        ).all()
        return [
            Request(id=str(row.id), kind=row.kind, payload=orjson.loads(row.payload), by=row.by)
            for row in sorted(found, key=lambda row: row.id)
        ]

    async def answer(self, request_id: str, *, done: bool, says: str) -> None:
        """Answer a request; an answer that is there already stays."""
        mine = (desk_requests.c.id == int(request_id)) & desk_requests.c.answered_at.is_(None)
        said = update(desk_requests).where(mine).values(done=done, answer=says, answered_at=func.now())
        async with self._connected() as connection:
            await connection.execute(said)

    async def wait_answer(self, request_id: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> Reply:
        """Wait for the answer; a request that nobody has taken by then is withdrawn."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        async with self._listening() as (connection, heard):
            while True:
                reply = await self._answered(connection, request_id)
                left = until - loop.time()
                if reply is not None:
                    return reply
                if left <= 0:
                    return await self._withdraw(connection, request_id, timeout_s)
                heard.clear()
                await _within(heard, min(left, LOOK_EVERY_S))

    async def _answered(self, connection: AsyncConnection, request_id: str) -> Reply | None:
        request = desk_requests.c
        query = select(request.done, request.answer).where(
            request.id == int(request_id), request.answered_at.is_not(None)
        )
        row = (await connection.execute(query)).first()
        return None if row is None else Reply(done=bool(row.done), says=row.answer or "")

    async def _withdraw(self, connection: AsyncConnection, request_id: str, waited_s: float) -> Reply:
        says = f"{UNTAKEN} within {waited_s:g} s, and it is withdrawn: is `evil2root serve` running?"
        withdrawn = await connection.execute(
            update(desk_requests)
            .where(desk_requests.c.id == int(request_id), *_OPEN)
            .values(done=False, answer=says, answered_at=func.now())
            .returning(desk_requests.c.id)
        )
        if withdrawn.first() is not None:
            return Reply(done=False, says=says)
        late = await self._answered(connection, request_id)
        return late or Reply(
            done=False,
            says=f"The app took the request but has not answered within {waited_s:g} s: see `evil2root orders list`.",
        )

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            msg = f"The database can't be reached: {first_line(error)}"
            raise ConnectionError(msg) from error

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[tuple[AsyncConnection, asyncio.Event]]:
        heard = asyncio.Event()

        def hear(*_: object) -> None:
            heard.set()

        async with self._connected() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.add_listener(CHANNEL, hear)
            try:
                yield connection, heard
            finally:
                if not driver.is_closed():
                    await driver.remove_listener(CHANNEL, hear)


async def _within(heard: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await heard.wait()
    except TimeoutError:
        return False
    return True
