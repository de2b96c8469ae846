"""What is asked joins what is stored, so that a price that jumped between two questions is believed once it stays."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched, Heard
from evil2root.engine.gathering import OVERLAP_BARS, Gathered, Gatherer
from tests.fakes.telling import ComputedCalendars, MemoryShelf

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
BTC = instrument_for("BTC-USD")


class Jumping:
    """A calm market that is 10 % higher from one hour on."""

    def __init__(self, jump: int, *, currency: str | None = None) -> None:
        self.currency = currency
        self.jump, self.asked = jump, list[tuple[datetime, datetime]]()

    async def heard(self, symbol: str, interval: Interval, *, start: datetime, end: datetime, **_: object) -> Heard:
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
        FIRST, FIRST + (50 - OVERLAP_BARS) * HOUR, FIRST + 190 * 24 * HOUR,  # none of it told: nothing to join
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


class SplitInAPause:
    """Something that is not traded for nine days and comes back two for one."""

    def __init__(self, *, tells_factors: bool) -> None:
        self.tells_factors, self.now = tells_factors, PAUSE_FROM
        self.forgets: datetime | None = None
        self.later = "x"

    async def heard(self, symbol: str, interval: Interval, *, start: datetime, end: datetime, **_: object) -> Heard:
        if self.forgets is not None and start < self.forgets:
            msg = f"x has no {interval} bars before {self.forgets}."
            raise BarsUnavailable(msg)
        rows = []
        for hour in (*range(40), *range(40 + PAUSE, 80 + PAUSE)):
            at, is_before = FIRST + hour * HOUR, hour < 40
            close = (100 + hour % 5 / 10) * (1.0 if is_before else 0.5)
            factor = (0.5 if is_before and self.now > PAUSE_FROM else 1.0) if self.tells_factors else None
            if start <= at < min(end, self.now):
                rows.append((at, close, close, close, close, 5.0 + hour % 3, factor))
        frame = pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")
        back = FIRST + (40 + PAUSE) * HOUR
        source = self.later if start >= back else "x"
        splits = ((back, 2.0),) if start <= back < end else ()
        answer = Fetched(
            symbol=symbol, interval=interval, rows=frame, source=source, fetched_at=self.now, splits=splits
        )
        return Heard(answer=answer)


PAUSE = 9 * 24
PAUSE_FROM = FIRST + 40 * HOUR
BACK = PAUSE_FROM + PAUSE * HOUR


async def after_the_pause(market: SplitInAPause) -> tuple[Gathered, list[float]]:
    shelf = MemoryShelf()
    gatherer = Gatherer(teller=market, calendars=ComputedCalendars(), shelf=shelf)
    await gatherer.gather(BTC, Interval.H1, start=FIRST, end=PAUSE_FROM)
    market.now = BACK + HOUR
    found = await gatherer.gather(BTC, Interval.H1, start=BACK, end=market.now)
    return found, (await shelf.stored("BTC-USD", Interval.H1))["factor"].to_list()


@pytest.mark.parametrize("tells_factors", [True, False])
async def test_a_split_at_the_first_bar_after_a_long_pause_adjusts_all_bars_before(*, tells_factors: bool) -> None:
    found, factors = await after_the_pause(SplitInAPause(tells_factors=tells_factors))

    assert factors == [0.5] * 40 + [1.0]
    assert (found.new, found.changed) == (1, 40)


async def test_bars_go_on_where_those_before_a_long_pause_are_told_no_more() -> None:
    market = SplitInAPause(tells_factors=False)
    shelf = MemoryShelf()
    gatherer = Gatherer(teller=market, calendars=ComputedCalendars(), shelf=shelf)
    await gatherer.gather(BTC, Interval.H1, start=FIRST, end=PAUSE_FROM)
    market.now, market.forgets = BACK + HOUR, BACK

    found = await gatherer.gather(BTC, Interval.H1, start=BACK, end=market.now)

    assert (found.new, found.changed) == (1, 0)


async def test_bars_before_a_long_pause_are_not_mixed_with_those_of_another_source() -> None:
    market = SplitInAPause(tells_factors=True)
    market.later = "y"

    found, factors = await after_the_pause(market)

    assert (found.changed, set(factors)) == (0, {1.0})
