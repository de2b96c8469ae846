"""A symbol that is not answered, or badly, costs the others nothing but what patience is for."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import polars as pl
import pytest

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable, Unreadable
from evil2root.domain.market.sources import RAW_SCHEMA, BarGroup, Fetched
from evil2root.engine.asking import Manners
from evil2root.engine.fail_over import FailOver, Plan
from evil2root.engine.gathering import Gatherer
from evil2root.engine.polling import AT_ONCE, NOT_ASKED, PLACES_A_WAIT, UNDER_WAY, Patience, PolledFeed
from evil2root.main.sources import PROVIDERS
from tests.fakes.sources import SteppedClock
from tests.fakes.telling import ComputedCalendars, MemoryShelf

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
M1 = timedelta(minutes=1)
BAD = ("ETH-USD", "SOL-USD", "ADA-USD")
GOOD = ("BTC-USD", "LTC-USD")
PATIENCE = Patience.of(Interval.M1)


@dataclass
class Moody:
    """A source that answers some symbols, fails others, and lets those that hang wait until they are let go."""

    clock: SteppedClock
    fails: dict[str, BarsUnavailable] = field(default_factory=dict)
    hangs: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    name: str = "alpaca"

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        self.asked.append(symbol)
        await asyncio.sleep(0)
        if symbol in self.hangs:
            await self.hangs[symbol].wait()
        if symbol in self.fails:
            raise self.fails[symbol]
        rows = []
        for n in range((start - NOON) // M1, (min(end, self.clock.now()) - NOON) // M1 + 1):
            close = 100 + n % 7 / 100
            if (at := NOON + n * M1) >= start:
                rows.append((at, close, close + 1, close - 1, close, 5.0 + n % 11, 1.0))
        frame = pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")
        return Fetched(symbol=symbol, interval=interval, rows=frame, source=self.name, fetched_at=self.clock.now())


class World:
    """A minute's feed of one source with the manners of a real one."""

    def __init__(self, symbols: tuple[str, ...], manners: Manners = PROVIDERS["alpaca"].manners) -> None:
        self.clock, self.shelf = SteppedClock(NOON + timedelta(seconds=30)), MemoryShelf()
        self.source = Moody(self.clock)
        teller = FailOver(
            [self.source], clock=self.clock, plan=Plan(manners={"alpaca": manners}), sleep=self.clock.sleep
        )
        calendars = ComputedCalendars()
        self.feed = PolledFeed(
            [instrument_for(symbol) for symbol in symbols], Interval.M1,
            gatherer=Gatherer(teller=teller, calendars=calendars, shelf=self.shelf), calendars=calendars,
            clock=self.clock, starts_after=NOON, patience=PATIENCE, sleep=self.sleep, wait=self.wait,
        )  # fmt: skip

    async def sleep(self, seconds: float) -> None:
        """Let what is under way go on before time passes."""
        for _ in range(50):
            await asyncio.sleep(0)
        await self.clock.sleep(seconds)

    async def wait(self, tasks: Collection[asyncio.Task[None]], seconds: float) -> None:
        for _ in range(50):
            if any(task.done() for task in tasks):
                return
            await asyncio.sleep(0)
        self.clock.pass_by(seconds)

    async def groups(self, count: int) -> AsyncIterator[tuple[BarGroup, timedelta]]:
        """Yield groups, and how long after their close each is told."""
        groups = cast("aclosing[AsyncIterator[BarGroup]]", aclosing(self.feed.groups(None)))  # type: ignore[type-var]
        async with groups as told:
            async for group in told:
                yield group, self.clock.now() - group.closed_at
                count -= 1
                if not count:
                    return


def names(group: BarGroup) -> set[str]:
    return {bar.symbol for bar in group.bars}


@pytest.mark.parametrize("bad_first", [True, False])
@pytest.mark.parametrize(
    "problem", [Unreadable("it answered what is no JSON"), BarsUnavailable("status 500")], ids=["unreadable", "error"]
)
async def test_symbols_that_are_never_answered_do_not_keep_others_from_their_bars(
    problem: BarsUnavailable, *, bad_first: bool
) -> None:
    world = World((*BAD, *GOOD) if bad_first else (*GOOD, *BAD))
    world.source.fails = dict.fromkeys(BAD, problem)

    told = [(group, late) async for group, late in world.groups(12)]

    most = PATIENCE.most + PATIENCE.again
    in_time = [group for group, late in told if names(group) == set(GOOD) and late <= most]
    # Three errors in a row look like an outage until one of the others is answered, half a minute later.
    assert len(in_time) >= (12 if isinstance(problem, Unreadable) else 11)
    assert [group.closed_at for group, _ in told] == [NOON + n * M1 for n in range(1, 13)]
    assert sum(symbol in BAD for symbol in world.source.asked) < 10 * len(BAD), "they are left alone"


async def test_a_symbol_that_is_answered_again_comes_back_with_all_its_bars() -> None:
    world = World((*BAD, *GOOD))
    world.source.fails = dict.fromkeys(BAD, Unreadable("it answered what is no JSON"))
    seen: list[set[str]] = []

    async for group, _ in world.groups(9):
        seen.append(names(group))
        if len(seen) == 3:
            world.source.fails = {}

    assert seen[:3] == [set(GOOD)] * 3
    assert seen[-1] == {*BAD, *GOOD}
    kept = world.shelf.kept["ETH-USD", Interval.M1]["closed_at"].to_list()
    assert kept == [NOON + n * M1 for n in range(10 - len(kept), 10)]
    assert len(kept) >= 4, "a question joins what is stored, and begins where nothing is"


async def test_an_outage_of_the_source_stops_all_questions_and_one_trial_ends_it_for_all() -> None:
    world = World((*BAD, *GOOD))
    world.source.fails = dict.fromkeys((*BAD, *GOOD), BarsUnavailable("status 500"))
    sleep, ends = world.clock.sleep, NOON + 6 * M1
    asked_in_outage = 0

    async def sleep_until_it_is_over(seconds: float) -> None:
        nonlocal asked_in_outage
        await sleep(seconds)
        if world.source.fails and world.clock.now() > ends:
            world.source.fails, asked_in_outage = {}, len(world.source.asked)

    world.clock.sleep = sleep_until_it_is_over  # type: ignore[method-assign]

    told = [group async for group, _ in world.groups(8)]

    assert asked_in_outage < 15
    assert all(names(group) == {*BAD, *GOOD} for group in told)
    assert [group.closed_at for group in told] == [NOON + n * M1 for n in range(1, 9)]


@pytest.mark.parametrize("hanging", [1, AT_ONCE + 1])
async def test_a_question_that_hangs_delays_the_others_no_longer_than_patience(hanging: int) -> None:
    hung = ("ETH-USD", "SOL-USD", "ADA-USD", "DOT-USD", "XRP-USD")[:hanging]
    world = World((*hung, *GOOD))
    world.source.hangs = {symbol: asyncio.Event() for symbol in hung}

    told = [(group, late) async for group, late in world.groups(4)]

    assert [group.closed_at for group, _ in told] == [NOON + n * M1 for n in (1, 2, 3, 4)]
    assert all(names(group) == set(GOOD) and late <= PATIENCE.most for group, late in told)
    assert world.feed.missing == dict.fromkeys(hung, UNDER_WAY)
    assert [world.source.asked.count(symbol) for symbol in hung] == [1] * hanging, "each is asked for once at a time"
    assert not [task for task in asyncio.all_tasks() if "_gather" in repr(task)], "none goes on after the feed"
    world.source.hangs.clear()
    assert [names(group) async for group, _ in world.groups(1)] == [{*hung, *GOOD}], "and it may be read again"


async def test_a_bar_that_comes_after_its_group_is_stored_and_told_of_with_the_next() -> None:
    world = World(("ETH-USD", *GOOD))
    world.source.hangs = {"ETH-USD": asyncio.Event()}
    seen: list[tuple[set[str], frozenset[str]]] = []

    async for group, _ in world.groups(4):
        seen.append((names(group), group.renewed))
        if len(seen) == 2:
            world.source.hangs.pop("ETH-USD").set()

    assert seen[:2] == [(set(GOOD), frozenset())] * 2
    assert seen[2:] == [({"ETH-USD", *GOOD}, frozenset({"ETH-USD"})), ({"ETH-USD", *GOOD}, frozenset())]
    assert world.shelf.kept["ETH-USD", Interval.M1]["closed_at"].to_list() == [NOON + n * M1 for n in (1, 2, 3, 4)]
    assert world.feed.missing == {}


async def test_an_answer_that_comes_while_a_group_is_worked_through_is_part_of_the_next_or_renewed() -> None:
    world = World(("ETH-USD", *GOOD))
    world.source.hangs = {"ETH-USD": asyncio.Event()}
    world.clock.pass_by(150)  # three closes are due at once
    seen: list[tuple[set[str], frozenset[str]]] = []

    async for group, _ in world.groups(4):
        seen.append((names(group), group.renewed))
        if len(seen) == 1:
            world.source.hangs.pop("ETH-USD").set()
            await world.sleep(0)

    assert [told for told, _ in seen] == [set(GOOD), *[{"ETH-USD", *GOOD}] * 3]
    assert [renewed for _, renewed in seen] == [frozenset(), frozenset({"ETH-USD"}), frozenset(), frozenset()]


async def test_who_was_not_asked_for_in_time_is_the_first_next_time() -> None:
    many = tuple(f"A{n}-USD" for n in range(2 * AT_ONCE * PLACES_A_WAIT))
    hung = many[: AT_ONCE * PLACES_A_WAIT]
    world = World(many, Manners(requests_a_minute=10_000, failures_max=1_000, tries=1))
    world.source.hangs = {symbol: asyncio.Event() for symbol in hung}
    world.source.fails = dict.fromkeys(hung, BarsUnavailable("status 500"))
    missing: list[set[str]] = []

    async def sleep_and_let_go(seconds: float) -> None:
        """End the questions that hang, so that they are put again, and hang again."""
        missing.append({symbol for symbol, why in world.feed.missing.items() if why == NOT_ASKED})
        assert len(missing) < 5
        for symbol in hung:
            world.source.hangs.pop(symbol).set()
            world.source.hangs[symbol] = asyncio.Event()
        await world.sleep(seconds)

    world.feed._sleep = sleep_and_let_go

    (group,) = [group async for group, _ in world.groups(1)]

    assert any(set(many) - set(hung) <= one for one in missing)
    assert names(group) == set(many) - set(hung)
