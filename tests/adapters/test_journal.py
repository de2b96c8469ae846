"""The journal: what the kernel wanted kept is there, whole or not at all, and gives the same state back."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.engine import make_engine
from evil2root.adapters.postgres.journal import BooksDisagree, PostgresJournal
from evil2root.domain.book.orders import MOVES, OrderState
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.journal import JournalUnavailable, StepRefused
from evil2root.domain.kernel.state import State
from evil2root.engine.leading import Superseded, Unopposed
from tests.adapters.kernel_runs import BEGIN, Run, Step, a_run

pytestmark = pytest.mark.postgres


async def kept(engine: AsyncEngine, run: Run) -> PostgresJournal:
    journal = PostgresJournal(engine, account=run.policy.account)
    await keep(journal, run.steps)
    return journal


async def keep(journal: PostgresJournal, steps: Sequence[Step]) -> None:
    for keeps, carry in steps:
        await journal.commit(keeps, carry)


def in_order(state: State) -> tuple[list[str], list[str], list[str]]:
    return list(state.portfolio.positions), list(state.orders), list(state.awaiting)


@pytest.mark.parametrize("days", [1, 2, 4, 7, 20])
@pytest.mark.parametrize("size_at_open", [False, True])
async def test_the_state_comes_back_as_it_was(engine: AsyncEngine, days: int, size_at_open: bool) -> None:
    run = a_run(days=days, size_at_open=size_at_open)
    await kept(engine, run)

    loaded = await PostgresJournal(engine, account="paper").load()

    assert loaded == run.state
    assert in_order(loaded) == in_order(run.state)


async def test_the_state_comes_back_after_every_single_step(engine: AsyncEngine) -> None:
    run = a_run(days=9)
    again = Run(policy=run.policy)
    journal = PostgresJournal(engine, account="paper")
    again.deposit()
    seen = 0
    for number in range(1, 10):
        await keep(journal, again.steps[seen:])
        seen = len(again.steps)
        assert await PostgresJournal(engine, account="paper").load() == again.state
        again.group(number)

    assert again.state == run.state


async def test_many_steps_in_one_commit_leave_what_one_by_one_leaves(
    engine: AsyncEngine, connection: asyncpg.Connection
) -> None:
    one_by_one, at_once = a_run(days=12, account="one"), a_run(days=12, account="all")
    await kept(engine, one_by_one)
    journal = PostgresJournal(engine, account="all")

    await journal.commit([k for keeps, _ in at_once.steps for k in keeps], at_once.state.carry)

    assert await journal.load() == at_once.state
    lines = (
        "SELECT e.state, e.reason, e.at FROM order_events e JOIN orders o USING (client_order_id) "
        "WHERE account = $1 ORDER BY o.number, seq"
    )
    told = [await connection.fetch(lines, account) for account in ("one", "all")]
    assert len(told[0]) > 20
    assert told[0] == told[1]


async def test_an_account_that_never_began_is_none(engine: AsyncEngine) -> None:
    assert await PostgresJournal(engine, account="paper").load() is None


async def test_a_restart_goes_on_where_it_stopped(engine: AsyncEngine) -> None:
    run = a_run(days=6)
    await kept(engine, run)
    journal = PostgresJournal(engine, account="paper")
    run.state = await journal.load() or run.state
    done = len(run.steps)
    run.group(7)
    run.group(8)

    await keep(journal, run.steps[done:])

    assert await PostgresJournal(engine, account="paper").load() == a_run(days=8).state


async def test_a_refused_step_leaves_nothing_behind(engine: AsyncEngine, connection: asyncpg.Connection) -> None:
    run = a_run(days=3)
    journal = await kept(engine, run)
    order = next(iter(run.state.orders.values()))
    illegal = replace(order, state=OrderState.PENDING)
    decision = next(k for keeps, _ in run.steps for k in keeps if isinstance(k, do.KeepDecision)).decision
    new = replace(decision, id="D-999", sequence=999)

    with pytest.raises(StepRefused, match="can't go from ACCEPTED to PENDING"):
        await journal.commit([do.KeepDecision(decision=new), do.KeepOrder(order=illegal)], run.state.carry)

    assert await connection.fetchval("SELECT count(*) FROM decisions WHERE id = 'D-999'") == 0
    await journal.commit([do.KeepDecision(decision=new)], run.state.carry)
    assert await connection.fetchval("SELECT count(*) FROM decisions WHERE id = 'D-999'") == 1


async def test_writing_a_fill_twice_books_it_once(engine: AsyncEngine, connection: asyncpg.Connection) -> None:
    run = a_run(days=4)
    journal = await kept(engine, run)
    counted = "SELECT (SELECT count(*) FROM fills), (SELECT count(*) FROM ledger_entries)"
    before = await connection.fetchrow(counted)
    facts = [k for keeps, _ in run.steps for k in keeps if isinstance(k, do.KeepFill | do.KeepEntries)]

    await journal.commit(facts, run.state.carry)

    assert facts
    assert await connection.fetchrow(counted) == before
    assert await journal.load() == run.state


async def test_a_second_writer_of_the_same_account_is_refused(engine: AsyncEngine) -> None:
    run = a_run(days=3)
    await kept(engine, run)
    first, second = PostgresJournal(engine, account="paper"), PostgresJournal(engine, account="paper")
    await first.load()
    await second.load()
    await first.commit([], replace(run.state.carry, decisions=100))

    with pytest.raises(StepRefused, match="Another process writes the account paper"):
        await second.commit([], run.state.carry)


async def test_a_leader_that_was_replaced_is_refused(engine: AsyncEngine, connection: asyncpg.Connection) -> None:
    run = a_run(days=3)
    reigns = "INSERT INTO leadership (epoch, holder, since) VALUES ($1, $2, now()) ON CONFLICT (one) DO UPDATE "
    reigns += "SET epoch = $1, holder = $2"
    await connection.execute(reigns, 1, "one")
    old = PostgresJournal(engine, account="paper", leader=Unopposed(epoch=1))
    await keep(old, run.steps)
    await connection.execute(reigns, 2, "two")

    with pytest.raises(Superseded, match="two leads since epoch 2"):
        await old.commit([], run.state.carry)

    new = PostgresJournal(engine, account="paper", leader=Unopposed(epoch=2))
    await new.load()
    await new.commit([], run.state.carry)
    assert [tuple(row) for row in await connection.fetch("SELECT epoch, holder FROM v_leader")] == [(2, "two")]
    assert await connection.fetchval("SELECT DISTINCT epoch FROM v_order_events") == 1


async def test_a_commit_whose_answer_was_lost_is_kept_once(engine: AsyncEngine, connection: asyncpg.Connection) -> None:
    run = a_run(days=2)
    journal = await kept(engine, run)
    park = do.Park(kind="test", reason="once", payload="", at=BEGIN)
    carry = replace(run.state.carry, decisions=50)
    await journal.commit([park], carry)
    # As if the connection had died between the server's commit and its answer.
    journal._steps, journal._unsure = journal._steps - 1, True

    await journal.commit([park], carry)

    assert await connection.fetchval("SELECT count(*) FROM parked_events WHERE reason = 'once'") == 1
    await journal.commit([park], replace(carry, decisions=51))
    assert await connection.fetchval("SELECT count(*) FROM parked_events WHERE reason = 'once'") == 2


async def test_a_database_that_is_away_is_one_sentence(database: str) -> None:
    engine = make_engine(database.replace("/test_", "/nowhere_"))
    journal = PostgresJournal(engine, account="paper")

    with pytest.raises(JournalUnavailable) as refused:
        await journal.load()

    assert "\n" not in str(refused.value)
    assert "does not exist" in str(refused.value)
    await engine.dispose()


async def test_books_that_disagree_are_not_loaded(engine: AsyncEngine, connection: asyncpg.Connection) -> None:
    run = a_run(days=5)
    journal = await kept(engine, run)
    symbol = next(iter(run.state.portfolio.positions))
    await connection.execute("UPDATE positions SET quantity = quantity + 1 WHERE symbol = $1", symbol)

    with pytest.raises(BooksDisagree, match=f"{symbol}, the ledger sums to"):
        await journal.load()


async def test_names_every_execution_that_was_kept(engine: AsyncEngine) -> None:
    run = a_run(days=8)
    journal = await kept(engine, run)

    named = await journal.recorded_execution_ids()

    fills = [k.fill.execution_id for keeps, _ in run.steps for k in keeps if isinstance(k, do.KeepFill)]
    assert named == fills
    assert len(fills) > 4


async def test_the_database_allows_the_very_moves_the_domain_allows(connection: asyncpg.Connection) -> None:
    allowed = {
        (before, after)
        for before in OrderState
        for after in OrderState
        if await connection.fetchval("SELECT order_may_move($1, $2)", before.value, after.value)
    }

    assert allowed == {(before, after) for before, afters in MOVES.items() for after in afters}


@pytest.mark.parametrize("table", ["order_events", "fills", "ledger_entries", "audit_log"])
@pytest.mark.parametrize("change", ["UPDATE {} SET at = at", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_history_cannot_be_rewritten(connection: asyncpg.Connection, table: str, change: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="append-only"):
        await connection.execute(change.format(table))


async def test_a_transaction_that_does_not_sum_to_zero_is_refused_at_commit(engine: AsyncEngine) -> None:
    run = a_run()
    journal = PostgresJournal(engine, account="paper")
    entries = next(k for keeps, _ in run.steps for k in keeps if isinstance(k, do.KeepEntries)).entries
    wrong = (entries[0], replace(entries[1], amount=entries[1].amount + Decimal("0.01")))

    with pytest.raises(StepRefused, match=r"sums to 0\.01 USD"):
        await journal.commit([do.KeepEntries(entries=wrong)], run.state.carry)

    assert await journal.load() is None
