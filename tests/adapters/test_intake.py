"""What was gathered is in the store whole, once, or not at all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import polars as pl
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.intake import PostgresShelf
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.cleaning import Known, clean
from evil2root.domain.market.history import History
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched, Heard
from evil2root.engine.gathering import Gathered, Gatherer
from tests.fakes.sources import SteppedClock
from tests.fakes.telling import ComputedCalendars, Market

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=10, minutes=20)
BTC = instrument_for("BTC-USD")
SPLIT_AT = 40


def a_gatherer(engine: AsyncEngine) -> tuple[Gatherer, Market]:
    market = Market(SteppedClock(NOW))
    return Gatherer(teller=market, calendars=ComputedCalendars(), shelf=PostgresShelf(engine)), market


async def test_gathering_twice_adds_nothing(engine: AsyncEngine) -> None:
    gatherer, _ = a_gatherer(engine)

    first = await gatherer.gather(BTC, Interval.H1, start=NOON, end=NOW)
    again = await gatherer.gather(BTC, Interval.H1, start=NOON, end=NOW)

    assert first == Gathered(new=10, changed=0, told=10, set_aside=0, silent=())
    assert again == Gathered(new=0, changed=0, told=10, set_aside=0, silent=())


async def test_windows_that_overlap_make_one_series(engine: AsyncEngine) -> None:
    gatherer, _ = a_gatherer(engine)

    news = [
        (
            await gatherer.gather(
                BTC, Interval.H1, start=NOON + timedelta(hours=start), end=NOON + timedelta(hours=end)
            )
        ).new
        for start, end in ((4, 8), (0, 6), (6, 10))
    ]

    assert news == [4, 4, 2]
    stored = await gatherer.shelf.stored("BTC-USD", Interval.H1)
    assert stored["opened_at"].to_list() == [NOON + timedelta(hours=n) for n in range(10)]


async def test_a_failure_in_the_middle_leaves_no_half_window(
    engine: AsyncEngine, connection: "asyncpg.Connection"
) -> None:
    gatherer, market = a_gatherer(engine)
    market.rubbish = {NOON + timedelta(hours=3)}
    await connection.execute("ALTER TABLE quarantined_rows RENAME TO hidden")  # keeping fails after the bars went in

    with pytest.raises(BarsUnavailable, match="can't be stored"):
        await gatherer.gather(BTC, Interval.H1, start=NOON, end=NOW)

    assert await connection.fetchval("SELECT count(*) FROM bars") == 0
    await connection.execute("ALTER TABLE hidden RENAME TO quarantined_rows")
    done = await gatherer.gather(BTC, Interval.H1, start=NOON, end=NOW)
    assert (done.new, done.set_aside) == (9, 1)


async def test_what_cleaning_set_aside_is_kept_with_its_reason_and_is_no_bar(engine: AsyncEngine) -> None:
    gatherer, market = a_gatherer(engine)
    market.rubbish = {NOON + timedelta(hours=3)}

    await gatherer.gather(BTC, Interval.H1, start=NOON, end=NOW)

    aside = await PostgresQuality(engine).quarantined("BTC-USD", Interval.H1)
    assert aside["opened_at"].to_list() == [NOON + timedelta(hours=3)]
    assert NOON + timedelta(hours=3) not in (await gatherer.shelf.stored("BTC-USD", Interval.H1))["opened_at"].to_list()


class Splitting:
    """A market that splits two for one at an hour: from then on it tells half a factor for all bars before."""

    def __init__(self) -> None:
        self.now = 0

    async def heard(self, symbol: str, interval: Interval, *, start: datetime, end: datetime, **_: object) -> Heard:
        rows = []
        for hour in range(self.now):
            at, is_before = NOON + timedelta(hours=hour), hour < SPLIT_AT
            close = (100 + hour % 5 / 10) * (1.0 if is_before else 0.5)
            factor = 0.5 if is_before and self.now > SPLIT_AT else 1.0
            if start <= at < end:
                rows.append((at, close, close, close, close, 5.0 + hour % 3, factor))
        frame = pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")
        return Heard(answer=Fetched(symbol=symbol, interval=interval, rows=frame, source="x", fetched_at=end))


async def test_a_split_changes_the_factors_of_bars_that_are_not_told_again(
    engine: AsyncEngine, connection: "asyncpg.Connection"
) -> None:
    market = Splitting()
    gatherer = Gatherer(teller=market, calendars=ComputedCalendars(), shelf=PostgresShelf(engine))
    found = []
    for market.now in (SPLIT_AT, SPLIT_AT + 1, SPLIT_AT + 2):
        known = await gatherer.shelf.stored("BTC-USD", Interval.H1)
        start = NOON + timedelta(hours=known.height)
        found.append(await gatherer.gather(BTC, Interval.H1, start=start, end=NOON + timedelta(hours=market.now)))

    stored = await gatherer.shelf.stored("BTC-USD", Interval.H1)

    assert [(one.new, one.changed) for one in found] == [(SPLIT_AT, 0), (1, SPLIT_AT), (1, 0)]
    assert stored["factor"].to_list() == [0.5] * SPLIT_AT + [1.0, 1.0]
    assert await connection.fetchval("SELECT count(*) FROM bar_versions") == SPLIT_AT  # what was said before is kept

    async def closes_known_with(hour: int) -> list[float]:
        at = NOON + timedelta(hours=hour)
        until = at + timedelta(hours=1)
        told = await PostgresBars(engine).window_then(
            "BTC-USD", Interval.H1, start=NOON, until=until, of=("BTC-USD", at)
        )
        return [round(close, 9) for close in told["close"]]

    raw = [round(close, 9) for close in stored["close"]]
    assert await closes_known_with(SPLIT_AT - 1) == raw[:SPLIT_AT]
    assert await closes_known_with(SPLIT_AT) == [round(close / 2, 9) for close in raw[:SPLIT_AT]] + [raw[SPLIT_AT]]


async def test_what_was_known_with_a_bar_leaves_out_what_came_late(engine: AsyncEngine) -> None:
    gatherer, market = a_gatherer(engine)
    market.holes = {("BTC-USD", NOON + timedelta(hours=3))}
    await gatherer.gather(BTC, Interval.H1, start=NOON, end=NOON + timedelta(hours=6))
    market.holes.clear()
    await gatherer.gather(BTC, Interval.H1, start=NOON + timedelta(hours=6), end=NOON + timedelta(hours=7))

    heights = []
    for hour in (5, 6):
        at = NOON + timedelta(hours=hour)
        until = at + timedelta(hours=1)
        told = await PostgresBars(engine).window_then(
            "BTC-USD", Interval.H1, start=NOON, until=until, of=("BTC-USD", at)
        )
        heights.append(told.height)

    assert heights == [5, 7]


async def test_what_was_said_of_a_bar_is_forgotten_with_its_values(engine: AsyncEngine) -> None:
    shelf, quality = PostgresShelf(engine), PostgresQuality(engine)
    sessions = ComputedCalendars().sessions(BTC)
    hours = [NOON + timedelta(hours=hour) for hour in range(3)]

    def told(closes: list[float], source: str) -> Fetched:
        rows = [(at, close, close, close, close, 5.0, 1.0) for at, close in zip(hours, closes, strict=True)]
        frame = pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")
        return Fetched(symbol="BTC-USD", interval=Interval.H1, rows=frame, source=source, fetched_at=NOW)

    async def taken(closes: list[float], *peers: list[float]) -> list[bool]:
        known = Known(peers=tuple(told(peer, "b") for peer in peers))
        await shelf.take(clean(told(closes, "a"), sessions, known))
        return (await quality.marks("BTC-USD", Interval.H1))["agreed"].to_list()

    assert await taken([100.0, 100.1, 100.2], [100.0, 100.1, 100.2]) == [True] * 3
    assert await taken([100.0, 100.1, 100.2]) == [True] * 3  # nothing new, though nobody confirms it this time
    assert await taken([100.0, 101.5, 100.2]) == [True, False, True]
    assert await taken([100.0, 101.5, 100.2], [100.0, 101.5, 105.0]) == [True] * 3  # the third was set aside: as it was
    assert await taken([100.0, 101.5, 100.3], [100.0, 101.5, 100.3]) == [True] * 3


async def test_what_was_said_of_a_bar_is_forgotten_when_a_file_replaces_it(engine: AsyncEngine) -> None:
    bars, quality, sessions = PostgresBars(engine), PostgresQuality(engine), ComputedCalendars().sessions(BTC)

    async def take_in(closes: list[float], source: str) -> None:
        rows = [(NOON + timedelta(hours=n), close, close, close, close, 5.0, 1.0) for n, close in enumerate(closes)]
        frame = pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")
        told = Fetched(symbol="BTC-USD", interval=Interval.H1, rows=frame, source=source, fetched_at=NOW)
        cleaned = clean(told, sessions, Known(peers=(replace(told, source="b"),) if source == "a" else ()))
        history = History(symbol="BTC-USD", interval=Interval.H1, stored=cleaned.good, origin=source)
        await bars.add(history, replace=True, along=lambda connection: quality.keep(cleaned, on=connection))

    async def agreed() -> list[bool]:
        return (await quality.marks("BTC-USD", Interval.H1))["agreed"].to_list()

    await take_in([100.0, 100.1], "a")
    assert await agreed() == [True, True]
    await take_in([100.0, 100.2], "file")
    assert await agreed() == [True, False]
