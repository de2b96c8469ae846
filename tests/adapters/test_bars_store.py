"""Stored bars: once each, to the last bit, and never silently others."""

from datetime import timedelta
from math import nextafter
from time import perf_counter

import asyncpg
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.bars import Added, PostgresBars, _packed, _parsed
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA
from tests.adapters.bar_histories import BEGIN, a_history, changed

pytestmark = pytest.mark.postgres


async def test_bars_come_back_to_the_last_bit_raw_and_adjusted(engine: AsyncEngine) -> None:
    history, store = a_history(), PostgresBars(engine)
    await store.add(history)

    assert (await store.stored("AAPL", Interval.D1)).equals(history.stored)
    assert (await store.raw("AAPL", Interval.D1)).equals(history.raw)
    assert (await store.series("AAPL", Interval.D1)).equals(history.adjusted)
    assert (await store.series("AAPL", Interval.D1)).schema == history.adjusted.schema


async def test_storing_the_same_bars_again_adds_nothing(engine: AsyncEngine) -> None:
    store = PostgresBars(engine)
    first = await store.add(a_history(20))

    again = await store.add(a_history(30).__class__(
        symbol="AAPL", interval=Interval.D1, origin="a test",
        stored=pl.concat([a_history(20).stored, a_history(30).stored[20:]]),
    ))  # fmt: skip

    assert first == Added(new=20, same=0, different=0, first_different=None)
    assert again == Added(new=10, same=20, different=0, first_different=None)


async def test_other_values_for_a_stored_bar_are_told_and_not_taken(engine: AsyncEngine) -> None:
    history, store = a_history(), PostgresBars(engine)
    await store.add(history)
    other = changed(history, row=7, close=nextafter(history.stored["close"][7], 0))

    added = await store.add(other)

    assert added == Added(new=0, same=29, different=1, first_different=BEGIN + timedelta(days=7))
    assert (await store.stored("AAPL", Interval.D1)).equals(history.stored)


async def test_other_values_are_taken_when_asked_for(engine: AsyncEngine, connection: asyncpg.Connection) -> None:
    history, store = a_history(), PostgresBars(engine)
    await store.add(history)
    other = changed(history, row=7, close=104.9)

    added = await store.add(other, replace=True)

    assert added.different == 1
    assert (await store.stored("AAPL", Interval.D1)).equals(other.stored)
    sources = await connection.fetch("SELECT source, count(*) FROM bars GROUP BY source ORDER BY source")
    assert [tuple(row) for row in sources] == [("a test", 29), ("another test", 1)]


async def test_a_window_shows_nothing_that_closed_later_and_the_newest_of_a_limit(engine: AsyncEngine) -> None:
    history, store = a_history(), PostgresBars(engine)
    await store.add(history)
    until = BEGIN + timedelta(days=9, hours=6)  # half an hour before the tenth bar's close

    seen = await store.window("AAPL", Interval.D1, start=BEGIN + timedelta(days=2), until=until)
    newest = await store.window("AAPL", Interval.D1, until=until, limit=3)

    assert seen.equals(history.adjusted[2:9])
    assert newest.equals(history.adjusted[6:9])


async def test_series_are_kept_apart_and_an_unknown_one_is_empty(engine: AsyncEngine) -> None:
    store = PostgresBars(engine)
    await store.add(a_history(5))
    await store.add(a_history(7, interval=Interval.H1))
    await store.add(a_history(9, symbol="MSFT"))

    assert (await store.series("AAPL", Interval.D1)).height == 5
    assert (await store.series("AAPL", Interval.H1)).height == 7
    unknown = await store.series("XYZ", Interval.D1)
    assert unknown.height == 0
    assert unknown.schema == a_history(1).adjusted.schema


async def test_twenty_thousand_bars_are_stored_in_well_under_a_second(engine: AsyncEngine) -> None:
    history, store = a_history(20_000), PostgresBars(engine)
    began = perf_counter()

    added = await store.add(history)

    assert added.new == 20_000
    assert perf_counter() - began < 1.5


@given(
    st.lists(
        st.tuples(st.integers(-(10**15), 10**16), st.floats(allow_nan=False), st.floats(allow_nan=False)), max_size=20
    )
)
def test_what_is_packed_is_parsed_back(rows: list[tuple[int, float, float]]) -> None:
    names = STORED_SCHEMA.names()[2:]
    frame = pl.DataFrame(
        {"opened_at": [r[0] for r in rows], "closed_at": [r[0] + 1 for r in rows]}
        | {name: [r[1 + place % 2] for r in rows] for place, name in enumerate(names)}
    ).cast(STORED_SCHEMA)

    assert _parsed(memoryview(_packed(frame))).equals(frame)


@pytest.mark.parametrize("symbol", ["AAPL", "EURUSD=X", "O'NEIL", "a\\' OR 1=1 --", "$1$2"])
@pytest.mark.parametrize("limit", [None, 4])
async def test_bars_of_any_name_are_found_by_it_alone(engine: AsyncEngine, symbol: str, limit: int | None) -> None:
    store, history = PostgresBars(engine), a_history(12, symbol=symbol)
    await store.add(history)
    await store.add(a_history(9, symbol="OTHER"))

    told = await store.stored(symbol, Interval.D1, start=history.stored["opened_at"][2], limit=limit)

    assert told.equals(history.stored[2:] if limit is None else history.stored[-4:])
