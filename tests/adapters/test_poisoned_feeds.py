"""A corpus of poisoned feeds through cleaning, store and kernel: no decision rests on a poisoned row, each is named."""

import gc
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.market.adjust import adjusted
from evil2root.domain.market.cleaning import Known, clean
from evil2root.domain.market.history import History
from evil2root.domain.market.passport import passport_at
from evil2root.domain.market.report import series_quality
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched
from tests.adapters.poison import ALL, CALENDAR, CORPUS, D1, LAST, NAN, NOW, OTHER, REAL, STORED, N, decisions, put

pytestmark = pytest.mark.postgres


def told(rows: pl.DataFrame, symbol: str = "IBM", **more: Any) -> Fetched:
    plain = rows.select(list(RAW_SCHEMA)).cast(RAW_SCHEMA)
    return replace(Fetched(symbol=symbol, interval=D1, rows=plain, source="poison", fetched_at=NOW), **more)


async def taken_in(engine: AsyncEngine, answer: Fetched, stored: pl.DataFrame) -> None:
    """Clean an answer beside what is stored, and store both sides of it."""
    instrument = instrument_for(answer.symbol)
    cleaned = clean(answer, CALENDAR, Known(stored=stored, currency=instrument.currency))
    good = History(symbol=answer.symbol, interval=D1, stored=cleaned.good, origin=answer.source)
    await PostgresBars(engine).add(good)
    await PostgresQuality(engine).keep(cleaned)


def test_the_corpus_has_sixty_feeds_of_different_names() -> None:
    assert len({one.name for one in CORPUS}) == len(CORPUS) >= 60


async def test_no_decision_rests_on_a_poisoned_row_and_each_feed_is_named(engine: AsyncEngine) -> None:
    bars, quality = PostgresBars(engine), PostgresQuality(engine)
    truth = dict(zip(REAL["opened_at"], REAL["close"] * REAL["factor"], strict=True))
    unnamed, wrong = [], []
    tracemalloc.start()
    for number, one in enumerate(CORPUS):
        symbol = f"P{number}"
        await bars.add(History(symbol=symbol, interval=D1, stored=STORED, origin="before"))
        await taken_in(engine, told(one.rows, symbol, **one.more), STORED)
        stored = await bars.series(symbol, D1)
        for opened, close in zip(stored["opened_at"], stored["close"], strict=True):
            if opened in one.poisoned or (close != truth[opened] and one.name != "shuffled prices"):
                wrong.append((one.name, opened, close))
        kinds = {issue.kind for issue in await quality.issues(symbol, D1)}
        history = History(symbol=symbol, interval=D1, stored=await bars.stored(symbol, D1), origin="")
        kinds |= {issue.kind for issue in series_quality(history, sessions=CALENDAR, found=()).issues}
        if one.kinds and not kinds & one.kinds:
            unnamed.append((one.name, kinds))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (wrong, unnamed) == ([], [])
    assert peak < 64 * 2**20


async def test_the_control_symbol_is_decided_on_as_if_its_neighbour_were_sound(engine: AsyncEngine) -> None:
    await PostgresBars(engine).add(History(symbol="GOOG", interval=D1, stored=OTHER, origin="control"))
    alone = await decisions(engine, ("GOOG",))

    await PostgresBars(engine).add(History(symbol="IBM", interval=D1, stored=STORED, origin="before"))
    for one in CORPUS:
        if one.poisoned == ALL:
            await taken_in(engine, told(one.rows, **one.more), STORED)
    both = await decisions(engine, ("GOOG", "IBM"))

    seen = [(d.at, d.features, d.view, d.passport) for d in both if d.symbol == "GOOG"]
    assert seen == [(d.at, d.features, d.view, d.passport) for d in alone]
    assert {d.bar.opened_at for d in both if d.symbol == "IBM"} == set(STORED["opened_at"].to_list())


async def test_a_series_with_too_many_rows_set_aside_is_refused_by_the_gate_until_it_is_whole(
    engine: AsyncEngine,
) -> None:
    await PostgresBars(engine).add(History(symbol="IBM", interval=D1, stored=STORED, origin="before"))
    holes = put(tuple(range(25, N, 3)), close=NAN)
    await taken_in(engine, told(holes), STORED)

    made = [d for d in await decisions(engine, ("IBM",)) if d.exposure is not None]

    judged = [
        (d.passport.missing, [c for c in d.checks if c.name.startswith("missing of")]) for d in made if d.passport
    ]
    assert judged
    assert all(check.holds == (missing <= 4) for missing, checks in judged for check in checks)
    late = [
        d.passport.missing for d in await decisions(engine, ("IBM",)) if d.passport and d.at > NOW - timedelta(days=30)
    ]
    assert min(late) > 4


async def test_an_answer_of_a_million_rows_stays_within_bounds() -> None:
    rows = pl.concat([put(range(N), close=NAN)] * 12_500).select(list(RAW_SCHEMA))
    gc.collect()
    cleaned = clean(told(rows), CALENDAR, Known(stored=STORED))

    assert cleaned.quarantined.height == 10_000
    assert sum(issue.rows for issue in cleaned.issues if issue.action == "quarantined") == rows.height
    assert np.isfinite(cleaned.good["close"].to_numpy()).all()


async def test_fetching_twice_adds_nothing_and_a_restatement_keeps_the_old_value(engine: AsyncEngine) -> None:
    bars, quality = PostgresBars(engine), PostgresQuality(engine)
    answer = told(put((LAST,), close=NAN))
    await taken_in(engine, answer, STORED.clear())
    before = (await quality.quarantined("IBM", D1)).height, len(await quality.issues("IBM", D1))
    await taken_in(engine, answer, STORED.clear())
    first = await bars.stored("IBM", D1)

    other = first.with_columns(pl.col("volume") + 1)
    await bars.add(History(symbol="IBM", interval=D1, stored=other, origin="poison"), replace=True)

    assert ((await quality.quarantined("IBM", D1)).height, len(await quality.issues("IBM", D1))) == before == (1, 1)
    then = await bars.window_then(
        "IBM", D1, start=first["opened_at"][0], until=first["closed_at"][-1], of=("IBM", first["opened_at"][-1])
    )
    assert then.equals(adjusted(first.drop("factor"), factor=first["factor"]))
    assert (await bars.stored("IBM", D1))["volume"].to_list() == other["volume"].to_list()


async def test_what_a_passport_looks_back_on_is_as_much_as_all_there_is_to_say(engine: AsyncEngine) -> None:
    quality, rows = PostgresQuality(engine), tables.bar_marks
    for symbol in ("IBM", "GOOG"):
        await PostgresBars(engine).add(History(symbol=symbol, interval=D1, stored=STORED, origin="before"))
    said = [
        {
            "symbol": symbol,
            "interval": "1d",
            "opened_at": opened,
            "repaired": place % step != 0,
            "agreed": place % 2 == 0,
        }
        for symbol, step in (("IBM", 3), ("GOOG", 5))
        for place, opened in enumerate(STORED["opened_at"])
        if place % step == 0 or place % 7 == 0
    ]
    async with engine.begin() as connection:
        await connection.execute(rows.insert(), said)

    every = {symbol: await quality.marks(symbol, D1) for symbol in ("IBM", "GOOG")}
    series = {symbol: await PostgresBars(engine).series(symbol, D1) for symbol in every}
    for place in range(25, STORED.height):
        opened = STORED["opened_at"][place]
        told = await quality.newest({"IBM": opened, "GOOG": opened, "NONE": opened}, D1)
        assert set(told) == {"IBM", "GOOG"}
        for symbol, marks in told.items():
            until = series[symbol].head(place + 1)
            seen, all_seen = (passport_at(until, CALENDAR, D1, marks=of) for of in (marks, every[symbol]))
            assert seen == all_seen
            assert marks["source"][-1] == "before"
