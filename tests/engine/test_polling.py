"""Live bars by asking: complete ones, in order, once, and nobody waits for ever for somebody else's."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.sources import BarGroup, Fetched
from evil2root.engine.asking import Manners
from evil2root.engine.fail_over import FailOver, Plan
from evil2root.engine.gathering import Gatherer, Teller
from evil2root.engine.polling import Patience, PolledFeed
from tests.fakes.sources import SteppedClock
from tests.fakes.telling import ComputedCalendars, Market, MemoryShelf

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOTH = ["BTC-USD", "ETH-USD"]


class World:
    def __init__(self, at: datetime = NOON + timedelta(minutes=20)) -> None:
        self.clock, self.shelf = SteppedClock(at), MemoryShelf()
        self.market = Market(self.clock)
        self.teller: Teller = self.market

    def feed(self, symbols: Sequence[str] = tuple(BOTH)) -> PolledFeed:
        calendars = ComputedCalendars()
        gatherer = Gatherer(teller=self.teller, calendars=calendars, shelf=self.shelf)
        return PolledFeed(
            [instrument_for(symbol) for symbol in symbols], Interval.H1, gatherer=gatherer, calendars=calendars,
            clock=self.clock, starts_after=NOON, sleep=self.clock.sleep,
        )  # fmt: skip

    async def told(self, count: int, *, after: datetime | None = None) -> list[BarGroup]:
        found: list[BarGroup] = []
        async for group in self.feed().groups(after):
            found.append(group)
            if len(found) == count:
                break
        return found


class Slow:
    """A source that takes a moment, in which others may ask."""

    name = "slow"

    def __init__(self, market: Market) -> None:
        self._market = market

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        await asyncio.sleep(0)
        return (await self._market.heard(symbol, interval, start=start, end=end)).answer


def names(group: BarGroup) -> list[str]:
    return [bar.symbol for bar in group.bars]


async def test_each_close_is_told_once_in_order_and_only_when_it_is_over() -> None:
    world, seen = World(), []

    async for group in world.feed().groups(None):
        assert world.clock.now() > group.closed_at
        assert world.clock.now() < group.closed_at + timedelta(minutes=1)
        seen.append(group)
        if len(seen) == 3:
            break

    assert [group.closed_at for group in seen] == [NOON + n * HOUR for n in (1, 2, 3)]
    assert all(names(group) == BOTH for group in seen)


async def test_the_running_bar_is_neither_told_nor_kept() -> None:
    world = World()

    await world.told(1)

    for symbol in BOTH:
        assert (await world.shelf.stored(symbol, Interval.H1))["closed_at"].max() == NOON + HOUR


async def test_a_restart_goes_on_behind_the_last_group_and_catches_up() -> None:
    world = World()
    before = await world.told(2)
    world.clock.pass_by(5 * 3600)

    after = await world.told(5, after=before[-1].closed_at)

    assert [group.closed_at for group in after] == [NOON + n * HOUR for n in (3, 4, 5, 6, 7)]


async def test_a_symbol_nobody_has_is_reported_and_the_others_go_on() -> None:
    world = World()
    world.market.away = {"BTC-USD"}

    with capture_logs() as lines:
        (group,) = await world.told(1)

    assert names(group) == ["ETH-USD"]
    assert world.clock.now() >= NOON + HOUR + timedelta(minutes=2), "it was waited for"
    missing = [line for line in lines if line["event"] == "feed.bar_missing"]
    assert [(line["symbol"], line["why"]) for line in missing] == [("BTC-USD", "No source has BTC-USD.")]


async def test_who_reads_that_a_bar_was_not_believed_reads_the_ways_out() -> None:
    world = World()
    world.market.rubbish = {NOON}

    with capture_logs() as lines:
        await world.told(1)

    why = {line["why"] for line in lines if line["event"] == "feed.bar_missing"}
    assert len(why) == 1
    assert "a second source" in min(why)
    assert "`evil2root data import FILE --as-is`" in min(why)


async def test_a_bar_that_comes_within_patience_is_waited_for() -> None:
    world = World()
    world.market.holes = {("BTC-USD", NOON)}
    sleep = world.clock.sleep

    async def sleep_until_it_comes(seconds: float) -> None:
        await sleep(seconds)
        if world.clock.now() > NOON + HOUR + timedelta(seconds=50):
            world.market.holes.clear()

    world.clock.sleep = sleep_until_it_comes  # type: ignore[method-assign]

    (group,) = await world.told(1)

    assert names(group) == BOTH


async def test_an_outage_of_everything_is_caught_up_and_nothing_is_made_up_meanwhile() -> None:
    world = World()
    world.market.away = set(BOTH)
    sleep = world.clock.sleep

    async def sleep_until_they_are_back(seconds: float) -> None:
        await sleep(seconds)
        if world.clock.now() > NOON + timedelta(hours=3, minutes=30):
            world.market.away = set()

    world.clock.sleep = sleep_until_they_are_back  # type: ignore[method-assign]

    groups = await world.told(3)

    assert [group.closed_at for group in groups] == [NOON + n * HOUR for n in (1, 2, 3)]
    assert all(names(group) == BOTH for group in groups)


async def test_an_outage_is_caught_up_for_every_symbol_though_the_source_is_tried_with_one_question() -> None:
    world = World()
    manners = Manners(requests_a_minute=6_000, left_alone=timedelta(minutes=1))
    source = Slow(world.market)
    world.teller = FailOver(
        [source], clock=world.clock, plan=Plan(manners={source.name: manners}), sleep=world.clock.sleep
    )
    world.market.away = set(BOTH)
    sleep = world.clock.sleep

    async def sleep_until_they_are_back(seconds: float) -> None:
        await sleep(max(seconds, 100))
        if world.clock.now() > NOON + timedelta(hours=2, minutes=3):
            world.market.away = set()

    world.clock.sleep = sleep_until_they_are_back  # type: ignore[method-assign]

    groups = await world.told(2)

    assert [group.closed_at for group in groups] == [NOON + n * HOUR for n in (1, 2)]
    assert all(names(group) == BOTH for group in groups)


async def test_a_moment_nobody_ever_tells_is_passed_over_and_reported() -> None:
    world = World()
    world.market.holes = {(symbol, NOON) for symbol in BOTH}

    with capture_logs() as lines:
        (group,) = await world.told(1)

    assert group.closed_at == NOON + 2 * HOUR
    missing = {(line["symbol"], line["closed_at"]) for line in lines if line["event"] == "feed.bar_missing"}
    assert missing == {(symbol, NOON + HOUR) for symbol in BOTH}


async def test_a_bar_that_comes_after_its_moment_is_told_of_with_the_next_group() -> None:
    world = World()
    world.market.holes = {("BTC-USD", NOON + HOUR)}
    sleep = world.clock.sleep

    async def sleep_until_it_comes(seconds: float) -> None:
        await sleep(seconds)
        if world.clock.now() > NOON + 2 * HOUR + timedelta(minutes=30):
            world.market.holes.clear()

    world.clock.sleep = sleep_until_it_comes  # type: ignore[method-assign]

    groups = await world.told(4)

    assert [names(group) for group in groups] == [BOTH, ["ETH-USD"], BOTH, BOTH]
    assert [group.renewed for group in groups] == [frozenset(), frozenset(), frozenset({"BTC-USD"}), frozenset()]
    assert NOON + HOUR in (await world.shelf.stored("BTC-USD", Interval.H1))["opened_at"].to_list()


async def test_during_an_outage_of_everything_every_symbol_is_named_with_its_reason() -> None:
    world = World()
    world.market.away = set(BOTH)
    feed, sleep = world.feed(), world.clock.sleep

    class EnoughError(Exception):
        pass

    async def sleep_for_an_hour(seconds: float) -> None:
        await sleep(seconds)
        if world.clock.now() > NOON + timedelta(hours=1, minutes=30):
            raise EnoughError

    feed._sleep = sleep_for_an_hour
    with pytest.raises(EnoughError):
        await anext(feed.groups(None))

    assert feed.missing == {"BTC-USD": "No source has BTC-USD.", "ETH-USD": "No source has ETH-USD."}


async def test_a_symbol_whose_market_has_no_calendar_is_named_and_the_others_are_told() -> None:
    world = World()
    feed = world.feed(["BTC-USD", "IBM"])

    groups = feed.groups(NOON - HOUR)
    first, second = await anext(groups), await anext(groups)  # the second one has to be waited for

    assert names(first) == names(second) == ["BTC-USD"]
    assert feed.missing == {"IBM": "IBM can't be traded: it needs a calendar."}
    assert feed.overdue_since() == NOON


async def test_a_symbol_whose_calendar_has_ended_is_named() -> None:
    world = World(datetime(2041, 1, 1, tzinfo=UTC))
    feed = world.feed(["BTC-USD"])

    assert feed.overdue_since() is None
    assert feed.missing == {"BTC-USD": "the calendar 24/7 ends on 2040-01-01: no bar is expected"}


async def test_the_newest_close_that_should_be_told_is_the_calendars_with_patience() -> None:
    world = World(NOON + HOUR + timedelta(minutes=2))
    feed = world.feed()

    before = feed.overdue_since()
    world.clock.pass_by(10)

    assert (before, feed.overdue_since()) == (NOON, NOON + HOUR)


def test_patience_is_shorter_where_bars_are() -> None:
    assert Patience.of(Interval.D1) == Patience()
    assert Patience.of(Interval.M1).after_close + Patience.of(Interval.M1).most < timedelta(seconds=30)
