"""What is asked joins what is stored, so that a price that jumped between two questions is believed once it stays."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched, Heard
from evil2root.engine.gathering import OVERLAP_BARS, Gatherer
from tests.fakes.telling import ComputedCalendars, MemoryShelf

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
BTC = instrument_for("BTC-USD")


class Jumping:
    """A calm market that is 10 % higher from one hour on."""

    def __init__(self, jump: int, *, currency: str | None = None) -> None:
        self.currency = currency
        self.jump, self.asked = jump, list[tuple[datetime, datetime]]()

    async def heard(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Heard:
        self.asked.append((start, end))
        rows = []
        for hour in range(200):
            at, close = FIRST + hour * HOUR, (100 + hour % 5 / 10) * (1.1 if hour >= self.jump else 1.0)
            if start <= at < end:
                rows.append((at, close, close, close, close, 5.0 + hour % 3, None))
        frame = pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")
        return Heard(
            answer=Fetched(
                symbol=symbol, interval=interval, rows=frame, source="x", fetched_at=end, currency=self.currency
            )
        )


async def test_a_question_begins_with_bars_that_are_stored() -> None:
    market, shelf = Jumping(1_000), MemoryShelf()
    gatherer = Gatherer(teller=market, calendars=ComputedCalendars(), shelf=shelf)

    await gatherer.gather(BTC, Interval.H1, start=FIRST, end=FIRST + 50 * HOUR)
    await gatherer.gather(BTC, Interval.H1, start=FIRST + 50 * HOUR, end=FIRST + 51 * HOUR)
    await gatherer.gather(BTC, Interval.H1, start=FIRST + 190 * 24 * HOUR, end=FIRST + 191 * 24 * HOUR)

    assert [start for start, _ in market.asked] == [
        FIRST, FIRST + (50 - OVERLAP_BARS) * HOUR, FIRST + 190 * 24 * HOUR,
    ]  # fmt: skip


async def test_a_jump_is_set_aside_at_first_and_believed_once_four_bars_stay() -> None:
    market, shelf = Jumping(60), MemoryShelf()
    gatherer = Gatherer(teller=market, calendars=ComputedCalendars(), shelf=shelf)
    await gatherer.gather(BTC, Interval.H1, start=FIRST, end=FIRST + 60 * HOUR)

    new = [
        (await gatherer.gather(BTC, Interval.H1, start=FIRST + n * HOUR, end=FIRST + (n + 1) * HOUR)).new
        for n in range(60, 65)
    ]

    assert new == [0, 0, 0, 4, 1]
    assert (await shelf.stored("BTC-USD", Interval.H1)).height == 65


@pytest.mark.parametrize(("told", "believed"), [("USD", True), (None, True), ("EUR", False)])
async def test_prices_in_another_currency_than_the_symbols_are_set_aside(told: str | None, *, believed: bool) -> None:
    gatherer = Gatherer(teller=Jumping(1_000, currency=told), calendars=ComputedCalendars(), shelf=MemoryShelf())

    found = await gatherer.gather(BTC, Interval.H1, start=FIRST, end=FIRST + 50 * HOUR)

    assert (found.new, found.set_aside) == ((50, 0) if believed else (0, 50))
