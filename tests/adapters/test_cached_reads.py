"""Pages read the same bars with a cache as without one, whatever was stored meanwhile."""

from datetime import timedelta

import polars as pl
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.cache.in_process import InProcessStore
from evil2root.adapters.cache.sealed import SealedWindows
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.bars_bulk import BulkBars
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import History
from tests.adapters.bar_histories import BEGIN, a_history, changed

pytestmark = pytest.mark.postgres

D1 = Interval.D1


def part(history: History, *rows: int) -> History:
    kept = history.stored.filter(pl.int_range(pl.len()).is_in(rows))
    return History(symbol=history.symbol, interval=history.interval, stored=kept, origin=history.origin)


def other(history: History, *, row: int) -> History:
    return changed(history, row=row, close=history.stored["close"][row] + 0.5)


class Both:
    """The same question with a cache and without."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.hot = SealedWindows(InProcessStore(), secret=b"a secret")
        self.cached = PostgresReads(engine, account="paper", hot=self.hot)
        self.plain = PostgresReads(engine, account="paper")

    async def agree(self) -> pl.DataFrame:
        for start in (None, BEGIN + timedelta(days=5)):
            for until in (None, BEGIN + timedelta(days=12), BEGIN + timedelta(days=12, hours=7)):
                for limit in (3, 500):
                    expected = await self.plain.bars("AAPL", D1, start=start, until=until, limit=limit)
                    for _ in range(2):
                        told = await self.cached.bars("AAPL", D1, start=start, until=until, limit=limit)
                        assert told.equals(expected)
        return await self.cached.bars("AAPL", D1, start=None, until=None, limit=500)


async def test_windows_are_those_of_the_database_after_every_kind_of_change(engine: AsyncEngine) -> None:
    both, bars, bulk, history = Both(engine), PostgresBars(engine), BulkBars(engine), a_history(20)

    assert (await both.agree()).height == 0
    await bars.add(part(history, *range(5), *range(8, 18)))
    assert (await both.agree()).height == 15
    await bars.add(part(history, 5))  # among those that are there
    assert (await both.agree()).height == 16
    await bulk.load([part(history, 6, 18)])
    assert (await both.agree()).height == 18
    await bulk.load([history, a_history(3, symbol="MSFT")])
    assert (await both.agree()).height == 20
    await bars.add(other(history, row=3), replace=True)
    assert (await both.agree()).height == 20
    await bulk.load([other(history, row=4)], replace=True)
    assert (await both.agree())["close"][4] != history.adjusted["close"][4]
    assert both.hot.state().hits > 50


async def test_storing_the_same_again_forgets_nothing(engine: AsyncEngine) -> None:
    both, bars, history = Both(engine), PostgresBars(engine), a_history(20)
    await bars.add(history)
    await both.cached.bars("AAPL", D1, start=None, until=None, limit=10)

    await bars.add(history, replace=True)
    await BulkBars(engine).load([history], replace=True)
    await bars.add(other(history, row=3))  # other values, and not asked to replace
    await both.cached.bars("AAPL", D1, start=None, until=None, limit=10)

    assert both.cached.cache().hits == 1
    assert both.plain.cache().kind == "none"
