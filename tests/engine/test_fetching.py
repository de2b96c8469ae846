"""Fetching by hand: window by window, from where it was broken off, and twice is once."""

from datetime import UTC, datetime, timedelta

from evil2root.domain.core.instrument import Instrument, instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable
from evil2root.domain.market.sources import Heard
from evil2root.engine.fetching import WINDOW_BARS, Fetcher, Progress
from evil2root.engine.gathering import OVERLAP_BARS, Gatherer
from tests.fakes.sources import SteppedClock
from tests.fakes.telling import ComputedCalendars, Market, MemoryShelf

NOW = datetime(2026, 6, 1, 15, 20, tzinfo=UTC)
START = NOW - timedelta(hours=2_500)
BARS = 2_499
"""The first hour began before the start, and the last is not over."""
BTC = instrument_for("BTC-USD")


class World:
    def __init__(self) -> None:
        self.clock, self.shelf, self.told = SteppedClock(NOW), MemoryShelf(), list[Progress]()
        self.market = Market(self.clock)
        self.asked: list[tuple[datetime, datetime]] = []
        self.problems: dict[int, BarsUnavailable] = {}
        """What goes wrong, by the number of the question."""

    async def heard(self, symbol: str, interval: Interval, *, start: datetime, end: datetime, **_: object) -> Heard:
        self.asked.append((start, end))
        if problem := self.problems.pop(len(self.asked), None):
            raise problem
        return await self.market.heard(symbol, interval, start=start, end=end)

    async def fetch(self, *, end: datetime = NOW, again: bool = False, instrument: Instrument = BTC) -> Progress:
        calendars = ComputedCalendars()
        gatherer = Gatherer(teller=self, calendars=calendars, shelf=self.shelf)
        fetcher = Fetcher(gatherer, calendars=calendars, clock=self.clock, sleep=self.clock.sleep)
        return await fetcher.fetch(instrument, Interval.H1, start=START, end=end, again=again, tell=self.told.append)


async def test_every_bar_of_the_stretch_that_is_over_is_fetched_in_windows() -> None:
    world = World()

    made = await world.fetch()

    assert (made.new, made.done, made.windows, made.problem) == (BARS, 3, 3, "")
    joined = [WINDOW_BARS, WINDOW_BARS + OVERLAP_BARS, 499 + OVERLAP_BARS]
    assert [(end - start) / timedelta(hours=1) for start, end in world.asked] == joined
    assert [one.done for one in world.told] == [0, 1, 2, 3]


async def test_a_symbol_whose_market_has_no_calendar_says_so() -> None:
    world = World()

    made = await world.fetch(instrument=instrument_for("IBM"))

    assert (made.problem, made.windows, world.asked) == ("IBM can't be traded: it needs a calendar.", 0, [])
    assert world.told == [made]


async def test_fetching_twice_asks_for_nothing_and_adds_nothing() -> None:
    world = World()
    await world.fetch()
    world.asked.clear()

    made = await world.fetch()

    assert (made.new, made.stored, world.asked) == (0, 3, [])


async def test_asking_again_adds_nothing_either() -> None:
    world = World()
    await world.fetch()

    made = await world.fetch(again=True)

    assert (made.new, made.told, len(world.asked)) == (0, BARS + 2 * OVERLAP_BARS, 6)


async def test_what_was_broken_off_goes_on_where_it_was() -> None:
    world = World()
    world.problems = {2: BarsUnavailable("the line is dead")}
    broken = await world.fetch()
    world.asked.clear()

    made = await world.fetch()

    assert (broken.problem, broken.new) == ("the line is dead", WINDOW_BARS)
    assert (made.new, made.stored, len(world.asked)) == (BARS - WINDOW_BARS, 1, 2)


async def test_a_window_with_a_hole_is_asked_for_again() -> None:
    world = World()
    hole = START + timedelta(hours=1_500)
    hole = hole.replace(minute=0)
    world.market.holes = {("BTC-USD", hole)}
    await world.fetch()
    world.market.holes.clear()
    world.asked.clear()

    made = await world.fetch()

    assert (made.new, len(world.asked)) == (1, 1)


async def test_a_source_asked_too_often_is_waited_for_and_the_waiting_is_told() -> None:
    world = World()
    world.problems = {1: AskedTooOften("slowly", retry_after_s=20.0)}

    made = await world.fetch()

    assert (made.new, made.problem, world.clock.slept_s) == (BARS, "", [20.0])
    assert [one.waits_s for one in world.told][:3] == [0.0, 20.0, 0.0]


async def test_one_that_wants_to_be_left_alone_for_an_hour_is_given_up() -> None:
    world = World()
    world.problems = {1: AskedTooOften("not today", retry_after_s=3_600.0)}

    assert (await world.fetch()).problem == "not today"
    assert world.clock.slept_s == []


async def test_a_stretch_without_bars_is_no_problem() -> None:
    made = await World().fetch(end=START)

    assert (made.windows, made.problem) == (0, "")


async def test_a_stretch_of_which_nothing_is_told_does_not_end_as_if_all_were_well() -> None:
    world = World()
    world.market.holes = {("BTC-USD", NOW.replace(minute=0) - timedelta(hours=n)) for n in range(2_501)}
    world.market.holes |= {("BTC-USD", START + timedelta(hours=n)) for n in range(2_501)}

    made = await world.fetch()

    assert (made.new, made.done, made.expected, made.lacking) == (0, 3, BARS, BARS)
    assert made.problem == "none of the 2,499 bars the calendar has was told"
    assert world.told[-1] == made


async def test_bars_nobody_tells_are_counted_beside_those_that_are_there() -> None:
    world = World()
    world.market.holes = {("BTC-USD", NOW.replace(minute=0) - timedelta(hours=n)) for n in range(10, 15)}

    made = await world.fetch()

    assert (made.new, made.lacking, made.problem) == (BARS - 5, 5, "")
