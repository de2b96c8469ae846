"""Two sources name days differently: what one tells of a day confirms what the other tells of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched
from evil2root.engine.fail_over import FailOver, Plan
from evil2root.engine.gathering import Gatherer
from tests.fakes.sources import SteppedClock
from tests.fakes.telling import MemoryShelf

IBM = instrument_for("IBM")
SERIES = packaged(Interval.D1)["IBM"].stored.tail(120).with_columns(factor=pl.lit(1.0))
CRASH = 100
CALENDARS = ExchangeCalendars()


@dataclass
class Days:
    """Tells the days, from one on at a fifth; named by midnight or by their opening."""

    name: str
    clock: SteppedClock
    by_midnight: bool
    level: float = 0.2

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        fallen = pl.int_range(pl.len()) >= CRASH
        prices = [
            pl.when(fallen).then(pl.col(n) * self.level).otherwise(n).alias(n) for n in ("open", "high", "low", "close")
        ]
        is_asked = pl.col("opened_at").is_between(start, end, closed="left") & (pl.col("closed_at") <= self.clock.now())
        rows = SERIES.with_columns(prices).filter(is_asked)
        if self.by_midnight:
            rows = rows.with_columns(pl.col("opened_at").dt.truncate("1d"))
        told = rows.select(RAW_SCHEMA.names()).cast(RAW_SCHEMA)
        return Fetched(symbol=symbol, interval=interval, rows=told, source=self.name, fetched_at=self.clock.now())


async def stored_after(days: int, *, midnights: tuple[bool, bool], levels: tuple[float, float], voices: int) -> int:
    """Return how many of the days from the crash on are stored, each asked for after its close."""
    clock, shelf = SteppedClock(datetime(2000, 1, 1, tzinfo=UTC)), MemoryShelf()
    sources = [
        Days(name, clock, by_midnight, level) for name, by_midnight, level in zip("ab", midnights, levels, strict=True)
    ]
    teller = FailOver(sources, clock=clock, plan=Plan(voices=voices), sleep=clock.sleep)
    gatherer = Gatherer(teller=teller, calendars=CALENDARS, shelf=shelf)
    for day in range(CRASH - 1, CRASH + days):
        clock.at = SERIES["closed_at"][day] + timedelta(hours=2)
        start = SERIES["opened_at"][0 if day < CRASH else day]
        await gatherer.gather(IBM, Interval.D1, start=start, end=clock.now())
    kept = shelf.kept["IBM", Interval.D1]
    return kept.filter(pl.col("opened_at") >= SERIES["opened_at"][CRASH]).height


@pytest.mark.parametrize("voices", [1, 2])
@pytest.mark.parametrize("midnights", [(False, False), (False, True), (True, False), (True, True)])
async def test_a_crash_both_tell_is_believed_however_they_name_its_day(
    midnights: tuple[bool, bool], voices: int
) -> None:
    assert await stored_after(3, midnights=midnights, levels=(0.2, 0.2), voices=voices) == 3


@pytest.mark.parametrize("midnights", [(False, False), (False, True), (True, False)])
async def test_a_crash_each_tells_otherwise_is_not(midnights: tuple[bool, bool]) -> None:
    assert await stored_after(3, midnights=midnights, levels=(0.2, 0.23), voices=1) == 0
