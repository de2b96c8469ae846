"""What is old goes in small steps, told beforehand; what decisions stand on stays."""

from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.retention import PostgresRetention
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.keeping import Removed, Retention
from tests.adapters.bar_histories import BEGIN, a_history, changed

pytestmark = pytest.mark.postgres

NOW = BEGIN + timedelta(days=100)
DECISION = (
    "INSERT INTO decisions (account, id, sequence, strategy, symbol, interval, at, outcome, wants, why, features, record) "
    "VALUES ('paper', 'D-1', 1, 'fusion', 'MSFT', :interval, now(), 'stayed', 'stay', '', '{}', '{}')"
)


async def bars_of(engine: AsyncEngine, symbol: str, interval: Interval) -> int:
    return (await PostgresBars(engine).stored(symbol, interval)).height


async def lines(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return list((await connection.execute(text("SELECT after FROM audit_log WHERE actor = 'retention'"))).scalars())


async def fill(engine: AsyncEngine) -> None:
    bars = PostgresBars(engine)
    for symbol in ("AAPL", "MSFT"):
        for interval in (Interval.M1, Interval.H1, Interval.D1):
            await bars.add(history := a_history(40, symbol=symbol, interval=interval))
            await bars.add(changed(history, row=3, close=history.stored["close"][3] + 0.5), replace=True)


@pytest.fixture
def keeper(engine: AsyncEngine) -> PostgresRetention:
    return PostgresRetention(engine, step_rows=7, pause_s=0.0)


async def test_nothing_goes_unless_it_is_asked_for(engine: AsyncEngine, keeper: PostgresRetention) -> None:
    await fill(engine)

    removed = await keeper.apply(Retention(), traded=Interval.D1, now=NOW)

    assert removed.is_nothing
    assert Retention().is_off
    assert await lines(engine) == []


async def test_old_bars_of_an_interval_nobody_decides_on_go_and_the_rest_stays(
    engine: AsyncEngine, keeper: PostgresRetention
) -> None:
    await fill(engine)

    removed = await keeper.apply(Retention(intraday=timedelta(days=70)), traded=Interval.H1, now=NOW)

    assert removed == Removed(bars=60, versions=0, set_aside=0)
    left = await PostgresBars(engine).stored("AAPL", Interval.M1)
    assert (left.height, left["opened_at"][0]) == (10, BEGIN + timedelta(days=30))
    assert [await bars_of(engine, "AAPL", kept) for kept in (Interval.H1, Interval.D1)] == [40, 40]
    [line] = await lines(engine)
    assert line.startswith("60 bars opened before 2000-01-29")
    assert line.endswith("left whole: 1h")


async def test_bars_that_a_decision_stands_on_stay_whatever_is_traded_now(
    engine: AsyncEngine, keeper: PostgresRetention
) -> None:
    await fill(engine)
    async with engine.begin() as connection:
        await connection.execute(text(DECISION), {"interval": "1m"})

    removed = await keeper.apply(Retention(intraday=timedelta(days=70)), traded=Interval.D1, now=NOW)

    assert removed.bars == 60
    assert await bars_of(engine, "AAPL", Interval.M1) == 40
    assert await bars_of(engine, "AAPL", Interval.H1) == 10


async def test_old_copies_go_by_themselves(
    engine: AsyncEngine, keeper: PostgresRetention, connection: asyncpg.Connection
) -> None:
    await fill(engine)
    later = await connection.fetchval("SELECT max(replaced_at) + interval '40 days' FROM bar_versions")

    removed = await keeper.apply(Retention(copies=timedelta(days=30)), traded=Interval.D1, now=later)

    assert removed == Removed(bars=0, versions=4, set_aside=0)
    assert await connection.fetch("SELECT DISTINCT interval FROM bar_versions") == [("1d",)]


async def test_a_round_that_is_done_finds_nothing_more(engine: AsyncEngine, keeper: PostgresRetention) -> None:
    await fill(engine)
    asked = Retention(intraday=timedelta(days=70))
    await keeper.apply(asked, traded=Interval.D1, now=NOW)

    assert (await keeper.apply(asked, traded=Interval.D1, now=NOW)).is_nothing
    assert len(await lines(engine)) == 1
