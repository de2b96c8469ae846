"""The lead: one holds it, nobody writes or sends without it, and it is only got back by who may have it back."""

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.dsn import plain_dsn
from evil2root.adapters.postgres.leadership import LOCK_HALVES, OVERDUE_S, PostgresLeadership, ended_after, fence
from evil2root.adapters.system_clock import SystemClock
from evil2root.engine.leading import LeadsNotNow, Superseded, Unopposed

pytestmark = pytest.mark.postgres

Make = Callable[[str], PostgresLeadership]
SOON_S = 5.0


@pytest.fixture
async def make(database: str) -> AsyncIterator[Make]:
    made: list[PostgresLeadership] = []

    def one(holder: str) -> PostgresLeadership:
        made.append(PostgresLeadership(database, holder=holder, clock=SystemClock()))
        return made[-1]

    yield one
    for leadership in made:
        await leadership.release()


@pytest.fixture
async def holding() -> AsyncIterator[Callable[[PostgresLeadership], "asyncio.Task[str]"]]:
    tasks: list[asyncio.Task[str]] = []

    def hold(leadership: PostgresLeadership) -> "asyncio.Task[str]":
        tasks.append(asyncio.create_task(leadership.lost()))
        return tasks[-1]

    yield hold
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


Hold = Callable[[PostgresLeadership], "asyncio.Task[str]"]


async def until(what: Callable[[], bool], *, within_s: float = SOON_S) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within_s):
        while not what():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)
    return loop.time() - began


async def end_lock(connection: asyncpg.Connection) -> None:
    """End the connection that holds the lock, as an administrator may."""
    query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2"
    assert await connection.fetch(query, *LOCK_HALVES)


async def test_the_first_leads_and_the_second_waits(make: Make, holding: Hold) -> None:
    first, second = make("one"), make("two")

    epoch = await first.acquire()
    holding(first)
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(1.2)

    assert (epoch, first.leads) == (1, True)
    assert (waiting.done(), second.leads, second.epoch) == (False, False, 0)
    assert second.leader.startswith("one leads since ")
    waiting.cancel()


async def test_who_stops_is_followed_at_once_and_in_a_new_epoch(make: Make, holding: Hold) -> None:
    first, second = make("one"), make("two")
    await first.acquire()
    held = holding(first)
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0.6)

    held.cancel()
    await first.release()
    assert not first.leads
    async with asyncio.timeout(SOON_S):
        epoch = await waiting

    assert (epoch, second.leads) == (2, True)


async def test_who_is_silent_does_not_lead(make: Make) -> None:
    leadership = make("one")
    await leadership.acquire()
    assert leadership.leads

    await asyncio.sleep(OVERDUE_S)  # nobody holds on to it

    assert not leadership.leads


async def test_a_broken_connection_ends_the_lead_at_once_and_it_is_taken_again_in_a_new_epoch(
    make: Make, holding: Hold, connection: asyncpg.Connection
) -> None:
    first, second = make("one"), make("two")
    await first.acquire()
    held = holding(first)
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0.6)

    await end_lock(connection)
    ended = await until(lambda: not first.leads or first.epoch == 2)
    await until(lambda: first.leads)

    assert ended < 1.0
    assert first.epoch == 2
    assert (held.done(), waiting.done()) == (False, False)
    assert [tuple(row) for row in await connection.fetch("SELECT epoch, holder FROM v_leader")] == [(2, "one")]
    waiting.cancel()


async def test_a_lock_of_our_own_that_the_server_still_keeps_is_no_rival(make: Make) -> None:
    leadership = make("one")
    await leadership.acquire()
    abandoned, leadership._connection = leadership._connection, None

    async with asyncio.timeout(SOON_S):
        await leadership._regain()

    assert (leadership.epoch, leadership.leads) == (2, True)
    assert abandoned is not None
    await until(abandoned.is_closed)


async def test_who_was_replaced_hears_so_and_never_leads_again(
    make: Make, holding: Hold, connection: asyncpg.Connection
) -> None:
    first, second = make("one"), make("two")
    await first.acquire()
    await end_lock(connection)  # the process is frozen: it does not hold on
    async with asyncio.timeout(SOON_S):
        await second.acquire()
    holding(second)

    async with asyncio.timeout(SOON_S):
        why = await holding(first)

    assert "two leads since" in why
    assert not first.leads
    assert second.leads


async def test_a_lead_that_came_and_went_meanwhile_counts_too(make: Make, connection: asyncpg.Connection) -> None:
    first, second = make("one"), make("two")
    await first.acquire()
    await end_lock(connection)
    await second.acquire()
    await second.release()

    async with asyncio.timeout(SOON_S):
        why = await first.lost()

    assert why == "Another process has led since epoch 1 of this one: two (epoch 2)."


async def test_a_server_that_ends_silent_connections_frees_the_lock_of_a_frozen_process(make: Make) -> None:
    frozen, second = make("one"), make("two")
    await frozen.acquire()

    async with asyncio.timeout(10):
        epoch = await second.acquire()

    assert epoch == 2
    assert not frozen.leads


async def test_a_transaction_of_an_old_epoch_is_refused(
    make: Make, holding: Hold, engine: AsyncEngine, connection: asyncpg.Connection
) -> None:
    leadership = make("one")
    await leadership.acquire()
    holding(leadership)
    await end_lock(connection)
    await until(lambda: leadership.epoch == 2 and leadership.leads)

    async with engine.begin() as transaction:
        await fence(transaction, leadership, 2)
        with pytest.raises(LeadsNotNow):  # begun before the lead was lost for a moment: it may be tried again
            await fence(transaction, leadership, 1)
        with pytest.raises(Superseded, match="one leads since epoch 2"):
            await fence(transaction, Unopposed(epoch=1), 1)


async def test_who_takes_over_waits_for_the_transactions_of_the_old_epoch_but_not_for_ever(
    make: Make, engine: AsyncEngine, connection: asyncpg.Connection
) -> None:
    first, second = make("one"), make("two")
    await first.acquire()
    async with engine.connect() as held:
        await held.begin()
        await fence(held, first, 1)
        await end_lock(connection)
        taking = asyncio.create_task(second.acquire())
        await asyncio.sleep(1.5)
        assert await connection.fetchval("SELECT epoch FROM v_leader") == 1

        async with asyncio.timeout(SOON_S):
            epoch = await taking  # the server has ended the silent transaction

        assert epoch == 2
        await held.invalidate()


async def test_a_database_that_is_away_is_waited_for(make: Make, holding: Hold, connection: asyncpg.Connection) -> None:
    leadership = make("one")
    await leadership.acquire()
    holding(leadership)
    right, leadership._dsn = leadership._dsn, leadership._dsn.replace("/test_", "/nowhere_")

    await end_lock(connection)
    await asyncio.sleep(1)
    assert not leadership.leads
    leadership._dsn = right

    await until(lambda: leadership.leads)
    assert leadership.epoch == 2


async def test_a_call_that_its_own_time_limit_ends_between_two_steps_is_a_lost_connection(database: str) -> None:
    connection = await asyncpg.connect(plain_dsn(database))

    async def cut_off() -> None:
        with ended_after(0.5, connection):
            connection.terminate()  # as the timer does, just when the first answer is there
            await connection._protocol.bind_execute()

    with pytest.raises(ConnectionError, match="no answer within"):
        await cut_off()


async def test_a_mistake_of_our_own_is_no_lost_connection(database: str) -> None:
    connection = await asyncpg.connect(plain_dsn(database))

    with pytest.raises(AttributeError, match="nobody"), ended_after(5, connection):
        _ = connection.nobody

    await connection.close()
