"""Many series at once: all or none, once each, as one by one."""

from datetime import timedelta

import asyncpg
import polars as pl
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.bars_bulk import BulkBars, Loaded
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import History
from tests.adapters.bar_histories import BEGIN, a_history, changed

pytestmark = pytest.mark.postgres


async def test_what_was_loaded_at_once_is_what_one_by_one_stores(engine: AsyncEngine) -> None:
    histories = [
        a_history(20, symbol="MSFT"),
        a_history(30, symbol="AAPL"),
        a_history(5, symbol="AAPL", interval=Interval.H1),
    ]

    loaded = await BulkBars(engine).load(histories)

    assert loaded == Loaded(new=55, same=0, different=0)
    for history in histories:
        assert (await PostgresBars(engine).stored(history.symbol, history.interval)).equals(history.stored)
        assert (await PostgresBars(engine).add(history)).same == history.stored.height


async def test_loading_again_adds_nothing_and_writes_nothing(
    engine: AsyncEngine, connection: "asyncpg.Connection"
) -> None:
    histories = [a_history(20, symbol="MSFT"), a_history(30)]
    await BulkBars(engine).load(histories)
    before = await connection.fetch("SELECT xmin, ctid FROM bars ORDER BY symbol, opened_at")

    again = await BulkBars(engine).load(histories, replace=True)

    assert again == Loaded(new=0, same=50, different=0)
    assert await connection.fetch("SELECT xmin, ctid FROM bars ORDER BY symbol, opened_at") == before


@pytest.mark.parametrize("replace", [False, True])
async def test_bars_before_among_and_behind_the_stored_ones_find_their_places(
    engine: AsyncEngine, *, replace: bool
) -> None:
    whole = a_history(30)
    holed = History(
        symbol="AAPL", interval=Interval.D1, origin="a test", stored=whole.stored[5:20].filter(pl.arange(0, 15) != 3)
    )
    await BulkBars(engine).load([holed])
    other = changed(whole, row=10, close=whole.stored["close"][10] + 0.25)

    loaded = await BulkBars(engine).load([other], replace=replace)

    assert loaded == Loaded(new=16, same=13, different=1)
    expected = other.stored if replace else whole.stored
    assert (await PostgresBars(engine).stored("AAPL", Interval.D1)).equals(expected)


async def test_a_load_that_fails_leaves_nothing_of_any_series(engine: AsyncEngine) -> None:
    good, bad = a_history(20, symbol="MSFT"), a_history(20)
    bad = History(symbol="AAPL", interval=Interval.D1, stored=bad.stored, origin="a nul \0 no text column takes")

    with pytest.raises(asyncpg.PostgresError):
        await BulkBars(engine).load([good, bad])

    assert (await PostgresBars(engine).stored("MSFT", Interval.D1)).is_empty()


async def test_a_series_is_given_once(engine: AsyncEngine) -> None:
    with pytest.raises(ValueError, match="each once"):
        await BulkBars(engine).load([a_history(), a_history()])


async def test_the_table_has_the_symbols_in_the_order_asked_and_only_the_span_asked(engine: AsyncEngine) -> None:
    aapl, msft = a_history(30), a_history(20, symbol="MSFT")
    await BulkBars(engine).load([aapl, msft, a_history(20, symbol="IBM")])
    start, until = BEGIN + timedelta(days=2), BEGIN + timedelta(days=12)

    table = await BulkBars(engine).table(["MSFT", "XXXX", "AAPL"], Interval.D1, start=start, until=until)

    inside = pl.col("opened_at").ge(start) & pl.col("closed_at").le(until)
    assert table["symbol"].cast(pl.String()).to_list() == ["MSFT"] * 10 + ["AAPL"] * 10
    assert table.drop("symbol").equals(pl.concat([msft.stored.filter(inside), aapl.stored.filter(inside)]))


async def test_rows_that_lie_out_of_order_on_disk_come_back_in_order(engine: AsyncEngine) -> None:
    whole = a_history(30)
    for part in (whole.stored[10:], whole.stored[:10]):
        await BulkBars(engine).load([History(symbol="AAPL", interval=Interval.D1, stored=part, origin="a test")])

    table = await BulkBars(engine).table(["AAPL"], Interval.D1)

    assert table.drop("symbol").equals(whole.stored)
