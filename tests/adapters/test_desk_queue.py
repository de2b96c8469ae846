"""Requests from another process reach the app once, and their answers the one who asked."""

import asyncio
from time import perf_counter

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.desk_queue import PostgresDeskQueue
from evil2root.adapters.postgres.engine import make_engine
from evil2root.domain.kernel.actions import Reply
from evil2root.engine.errands import Request

pytestmark = pytest.mark.postgres


async def take(queue: PostgresDeskQueue) -> list[Request]:
    while True:
        found = await queue.take_open()
        if found:
            return list(found)


async def test_a_request_reaches_the_app_and_its_answer_the_asker_at_once(engine: AsyncEngine) -> None:
    app, cli = PostgresDeskQueue(engine), PostgresDeskQueue(engine)
    serving = asyncio.create_task(take(app))
    await asyncio.sleep(0.1)
    began = perf_counter()

    asked = await cli.ask("close", {"symbol": "AAPL", "quantity": "0.10"}, by="ann", origin="cli")
    waiting = asyncio.create_task(cli.wait_answer(asked))
    (request,) = await serving
    await app.answer(request.id, done=True, says="Closing.")

    assert await waiting == Reply(done=True, says="Closing.")
    assert request == Request(id=asked, kind="close", payload={"symbol": "AAPL", "quantity": "0.10"}, by="ann")
    assert perf_counter() - began < 0.9  # told, not found by looking


async def test_requests_are_taken_once_and_in_their_order(engine: AsyncEngine) -> None:
    queue = PostgresDeskQueue(engine)
    ids = [await queue.ask("halt", {"n": n}, by="ann", origin="cli") for n in range(5)]

    taken = await asyncio.gather(queue.take_open(), queue.take_open())

    assert sorted(request.id for requests in taken for request in requests) == sorted(ids)
    first = max(taken, key=len)
    assert [int(request.id) for request in first] == sorted(int(request.id) for request in first)


async def test_an_empty_queue_gives_nothing_after_a_while(engine: AsyncEngine) -> None:
    assert await PostgresDeskQueue(engine).take_open() == []


async def test_what_nobody_takes_is_withdrawn(engine: AsyncEngine) -> None:
    queue = PostgresDeskQueue(engine)
    asked = await queue.ask("close", {"symbol": "AAPL"}, by="ann", origin="cli")

    reply = await queue.wait_answer(asked, timeout_s=0.1)

    assert not reply.done
    assert "is withdrawn" in reply.says
    assert await queue.take_open() == []


async def test_what_is_taken_but_not_answered_is_told_apart(engine: AsyncEngine) -> None:
    queue = PostgresDeskQueue(engine)
    asked = await queue.ask("close", {"symbol": "AAPL"}, by="ann", origin="cli")
    await queue.take_open()

    reply = await queue.wait_answer(asked, timeout_s=0.1)

    assert not reply.done
    assert "took the request but has not answered" in reply.says


async def test_an_answer_stays_as_it_was_first_given(engine: AsyncEngine) -> None:
    queue = PostgresDeskQueue(engine)
    asked = await queue.ask("resume", {}, by="ann", origin="cli")
    await queue.answer(asked, done=True, says="first")
    await queue.answer(asked, done=False, says="second")

    assert await queue.wait_answer(asked) == Reply(done=True, says="first")


async def test_listeners_leave_nothing_behind_in_the_pool(database: str) -> None:
    engine = make_engine(database, pool_size=1, pool_overflow_max=0)
    queue = PostgresDeskQueue(engine)
    for _ in range(2):
        looking = asyncio.create_task(queue.take_open())
        await asyncio.sleep(0.05)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking

    asked = await queue.ask("halt", {}, by="ann", origin="cli")

    assert [request.id for request in await queue.take_open()] == [asked]
    await engine.dispose()


async def test_a_database_that_is_away_is_a_connection_error(database: str) -> None:
    engine = make_engine(database.replace("/test_", "/nowhere_"))

    with pytest.raises(ConnectionError, match="does not exist"):
        await PostgresDeskQueue(engine).take_open()
    await engine.dispose()
