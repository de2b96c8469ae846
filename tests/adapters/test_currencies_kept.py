"""An account in several currencies is kept, loaded and verified as one in a single currency is."""

from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.journal import PostgresJournal
from evil2root.adapters.postgres.verify import first_breach
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.state import State
from evil2root.domain.kernel.step import step
from evil2root.engine import replay
from tests.adapters.kernel_runs import Step
from tests.adapters.test_verify import RESEAL
from tests.engine.test_currencies import CASH_IN, rules, told

pytestmark = pytest.mark.postgres


@pytest.fixture
async def state(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> State:
    """Return the state of a run whose steps are all in the journal."""
    steps: list[Step] = []

    def noted(state: State, event: Any, policy: Policy) -> tuple[State, tuple[do.Action, ...]]:
        state, actions = step(state, event, policy)
        steps.append((tuple(a for a in actions if isinstance(a, do.Keep)), state.carry))
        return state, actions

    monkeypatch.setattr(replay, "step", noted)
    frames = told(11, 25)
    run = replay.backtest(rules(frames, "metronome", "EUR"), frames, cash=CASH_IN)
    journal = PostgresJournal(engine, account="paper")
    for keeps, carry in steps:
        await journal.commit(keeps, carry)
    return run.state


async def test_the_state_comes_back_and_every_booking_holds(
    engine: AsyncEngine, connection: "asyncpg.Connection", state: State
) -> None:
    loaded = await PostgresJournal(engine, account="paper").load()

    assert loaded is not None
    assert loaded.portfolio == state.portfolio
    assert loaded.carry == state.carry
    assert await first_breach(engine) is None
    rows = await connection.fetch(
        "SELECT DISTINCT account, unit FROM v_postings WHERE account LIKE 'trading:%' OR account = 'cash'"
    )
    told_units = {(row["account"], row["unit"]) for row in rows}
    assert {unit for account, unit in told_units if account == "cash"} == {"EUR"}
    for account, unit in told_units - {("cash", "EUR")}:
        symbol = account.removeprefix("trading:")
        assert unit in {symbol, instrument_for(symbol).currency}
    assert {("trading:VOD.L", "GBP"), ("trading:AAPL", "USD"), ("trading:AIR.PA", "EUR")} <= told_units


async def test_a_rate_that_was_changed_is_found(
    engine: AsyncEngine, connection: "asyncpg.Connection", state: State
) -> None:
    assert state.portfolio.rates
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(
        "UPDATE fills SET rate = rate * 1.01 WHERE number = (SELECT min(number) FROM fills WHERE rate <> 1)"
    )
    await connection.execute(RESEAL)

    breach = await first_breach(engine)

    assert breach is not None
    assert breach.table == "fills"
    assert "into cash" in breach.says
