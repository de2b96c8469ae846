"""History before the first bar: what is missing is asked for, and nobody waits for ever."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl

from evil2root.domain.core.instrument import Instrument, instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften
from evil2root.domain.market.sessions import round_the_clock
from evil2root.domain.market.sources import Heard
from evil2root.engine.gathering import Gatherer
from evil2root.engine.warming import ONCE_MORE_S, WARM_UP_BARS, newest, warm_up
from tests.fakes.sources import SteppedClock
from tests.fakes.telling import ComputedCalendars, Market, MemoryShelf

NOON = datetime(2026, 1, 5, 12, 20, tzinfo=UTC)
COINS = [instrument_for(symbol) for symbol in ("BTC-USD", "ETH-USD")]


class World:
    def __init__(self) -> None:
        self.clock, self.shelf, self.said = SteppedClock(NOON), MemoryShelf(), list[str]()
        self.market = Market(self.clock)
        self.asked: list[str] = []
        self.too_often: list[float | None] = []
        self.wrong = 0
        """How many answers to come are of prices that are none."""
        self.since = datetime.min.replace(tzinfo=UTC)
        """Nobody has older bars."""

    async def heard(self, symbol: str, interval: Interval, *, start: datetime, end: datetime, **_: object) -> Heard:
        self.asked.append(symbol)
        if self.too_often:
            msg = "The budget is spent."
            raise AskedTooOften(msg, retry_after_s=self.too_often.pop(0))
        heard = await self.market.heard(symbol, interval, start=start, end=end)
        rows = heard.answer.rows.filter(pl.col("opened_at") >= self.since)
        if self.wrong:
            self.wrong -= 1
            rows = rows.with_columns(close=-pl.col("close"))
        return replace(heard, answer=replace(heard.answer, rows=rows))

    async def warm(self, instruments: Sequence[Instrument] = COINS) -> dict[str, str]:
        calendars = ComputedCalendars()
        return await warm_up(
            instruments, Interval.H1, gatherer=Gatherer(teller=self, calendars=calendars, shelf=self.shelf),
            calendars=calendars, clock=self.clock, say=self.said.append, sleep=self.clock.sleep,
        )  # fmt: skip

    async def stored(self, symbol: str) -> pl.DataFrame:
        return await self.shelf.stored(symbol, Interval.H1)


async def test_every_symbol_gets_its_last_bars_that_are_over() -> None:
    world = World()

    without = await world.warm()

    assert without == {}
    for coin in COINS:
        stored = await world.stored(coin.symbol)
        assert (stored.height, stored["closed_at"].max()) == (WARM_UP_BARS, datetime(2026, 1, 5, 12, tzinfo=UTC))
    assert world.said[-1] == "Gathering history: 2 of 2 symbols."


async def test_what_is_there_already_is_not_asked_for_again() -> None:
    world = World()
    await world.warm()
    world.asked.clear()

    await world.warm()

    assert world.asked == []


async def test_a_symbol_nobody_has_is_named_and_the_others_are_gathered() -> None:
    world = World()
    world.market.away = {"BTC-USD"}

    without = await world.warm()

    assert without == {"BTC-USD": "No source has BTC-USD."}
    assert (await world.stored("ETH-USD")).height == WARM_UP_BARS


async def test_a_symbol_whose_market_has_no_calendar_is_named_and_the_others_are_gathered() -> None:
    world = World()

    without = await world.warm([instrument_for("IBM"), *COINS])

    assert without == {"IBM": "IBM can't be traded: it needs a calendar."}
    assert set(world.asked) == {"BTC-USD", "ETH-USD"}


async def test_an_answer_that_is_refused_is_asked_for_once_more_after_a_pause() -> None:
    world = World()
    world.wrong = 1

    assert await world.warm(COINS[:1]) == {}
    assert (await world.stored("BTC-USD")).height == WARM_UP_BARS
    assert (len(world.asked), world.clock.slept_s) == (2, [ONCE_MORE_S])


async def test_a_symbol_of_which_nothing_is_believed_twice_is_named_with_why() -> None:
    world = World()
    world.wrong = 9

    without = await world.warm(COINS[:1])

    told = WARM_UP_BARS + 1
    assert list(without) == ["BTC-USD"]
    assert without["BTC-USD"].startswith(f"{WARM_UP_BARS} of {WARM_UP_BARS} bars of its history are lacking")
    assert f"{told} told ones were not believed" in without["BTC-USD"]
    assert len(world.asked) == 2


async def test_a_symbol_nobody_tells_a_bar_of_is_named_too() -> None:
    world = World()
    world.since = NOON

    assert "told none" in (await world.warm(COINS[:1]))["BTC-USD"]


async def test_a_young_symbol_lacks_what_nobody_has_and_is_asked_for_once() -> None:
    world = World()
    world.since = NOON - timedelta(hours=100)

    assert await world.warm(COINS[:1]) == {}
    assert (len(world.asked), world.clock.slept_s) == (1, [])


async def test_a_row_that_is_wrong_for_good_is_no_reason_to_ask_again() -> None:
    world = World()
    world.market.rubbish = {NOON.replace(minute=0) - timedelta(hours=50)}

    assert await world.warm(COINS[:1]) == {}
    assert (len(world.asked), (await world.stored("BTC-USD")).height) == (1, WARM_UP_BARS - 1)


async def test_a_budget_that_is_spent_is_waited_for() -> None:
    world = World()
    world.too_often = [7.0, 9.0]

    assert await world.warm() == {}
    assert world.clock.slept_s == [7.0, 9.0]


async def test_a_source_that_wants_to_be_left_alone_for_long_is_not_waited_for() -> None:
    world = World()
    world.too_often = [3_600.0, None]

    assert await world.warm() == {"BTC-USD": "The budget is spent.", "ETH-USD": "The budget is spent."}
    assert world.clock.slept_s == []


def test_a_young_market_has_fewer_bars() -> None:
    young = round_the_clock(datetime(2026, 1, 1, tzinfo=UTC).date())

    assert len(newest(young, Interval.D1, bars=10, until=NOON)) == 4
    assert newest(young, Interval.D1, bars=2, until=NOON)[-1] == datetime(2026, 1, 4, tzinfo=UTC)
    assert newest(young, Interval.D1, bars=2, until=NOON - timedelta(days=30)) == []
