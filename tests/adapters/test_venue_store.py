"""The paper venue's memory survives its process, to the last digit and in its order."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.engine import make_engine
from evil2root.adapters.postgres.venue_store import PostgresVenueStore
from evil2root.domain.book.fills import Fill
from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.execution.venue import Phase
from evil2root.domain.kernel import actions as do
from tests.adapters.kernel_runs import BEGIN, Run, a_run

pytestmark = pytest.mark.postgres


def fills_of(run: Run) -> list[Fill]:
    return [k.fill for keeps, _ in run.steps for k in keeps if isinstance(k, do.KeepFill)]


async def test_an_account_comes_back_as_it_was(engine: AsyncEngine) -> None:
    run, store = a_run(days=7), PostgresVenueStore(engine)
    at = BEGIN + timedelta(days=7)
    await store.save(run.account, played_at=at, phase=Phase.INSIDE, fills=fills_of(run))

    loaded = await PostgresVenueStore(engine).load("paper")

    assert loaded == (run.account, at, Phase.INSIDE)
    assert list(loaded[0].working) == list(run.account.working)
    assert len(run.account.working) > 2


async def test_an_account_that_was_never_saved_is_none(engine: AsyncEngine) -> None:
    assert await PostgresVenueStore(engine).load("paper") is None


async def test_an_unplayed_account_has_no_phase(engine: AsyncEngine) -> None:
    run, store = a_run(), PostgresVenueStore(engine)
    await store.save(run.account, played_at=None, phase=None, fills=())

    assert await store.load("paper") == (run.account, None, None)


async def test_only_unknown_fills_are_told_oldest_first_and_each_is_kept_once(engine: AsyncEngine) -> None:
    run, store = a_run(days=8), PostgresVenueStore(engine)
    fills = fills_of(run)
    for _ in range(2):
        await store.save(run.account, played_at=None, phase=None, fills=fills)

    assert list(await store.fills_since("paper", [])) == fills
    assert list(await store.fills_since("paper", [f.execution_id for f in fills[:-3]])) == fills[-3:]
    assert await store.fills_since("paper", [f.execution_id for f in fills]) == ()
    assert await store.fills_since("other", []) == ()


async def test_a_database_that_is_away_is_a_broker_that_is_away(database: str) -> None:
    engine = make_engine(database.replace("/test_", "/nowhere_"))

    with pytest.raises(BrokerUnavailable, match="memory can't be reached"):
        await PostgresVenueStore(engine).load("paper")
    await engine.dispose()
