"""What the first source leaves out of the calendar's bars is had from the next, and named by it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import nan

import polars as pl
import pytest

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable, NotCovered, Unreadable
from evil2root.domain.market.cleaning import Cleaned
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched
from evil2root.engine.asking import Manners
from evil2root.engine.fail_over import FailOver, Plan
from evil2root.engine.gathering import Gathered, Gatherer, Taken
from tests.fakes.sources import SteppedClock
from tests.fakes.telling import ComputedCalendars, MemoryShelf

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
START, NOW = FIRST + 40 * HOUR, FIRST + 60 * HOUR + timedelta(minutes=5)
BTC = instrument_for("BTC-USD")
HOURS = range(40, 60)
Row = tuple[datetime, float, float]
"""Opening, close and factor."""
Change = Callable[[list[Row]], list[Row]]


def close_of(hour: int) -> float:
    return 100 + hour % 5 / 10


@dataclass
class Teller:
    """Tells 60 hours, changed."""

    name: str
    change: Change = lambda rows: rows
    problem: BarsUnavailable | None = None
    asked: int = 0

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        rows = [(FIRST + n * HOUR, close_of(n), 1.0) for n in range(61) if start <= FIRST + n * HOUR < end]
        told = [(at, c, c, c, c, 5.0 + at.hour % 3, factor) for at, c, factor in self.change(rows)]
        frame = pl.DataFrame(told, schema=RAW_SCHEMA, orient="row")
        return Fetched(symbol=symbol, interval=interval, rows=frame, source=self.name, fetched_at=min(end, NOW))


@dataclass
class Shelf(MemoryShelf):
    """Forty hours are stored."""

    takes: list[Cleaned] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def take(self, cleaned: Cleaned) -> Taken:
        self.takes.append(cleaned)
        return await super().take(cleaned)


async def gathered(*sources: Teller, voices: int = 1, end: datetime = NOW) -> tuple[Gathered, Shelf]:
    clock, shelf = SteppedClock(NOW), Shelf()
    once = {source.name: Manners(tries=1) for source in sources}
    before = Gatherer(teller=FailOver([Teller("before")], clock=clock), calendars=ComputedCalendars(), shelf=shelf)
    await before.gather(BTC, Interval.H1, start=FIRST, end=START)
    teller = FailOver(sources, clock=clock, plan=Plan(manners=once, voices=voices), sleep=clock.sleep)
    gatherer = Gatherer(teller=teller, calendars=ComputedCalendars(), shelf=shelf)
    return await gatherer.gather(BTC, Interval.H1, start=START, end=end), shelf


def whose(shelf: Shelf) -> list[str]:
    """Return who told each of the hours in question."""
    return [shelf.sources.get(("BTC-USD", FIRST + n * HOUR), "") for n in HOURS]


def without(hours: range) -> Change:
    return lambda rows: [row for row in rows if (row[0] - FIRST) // HOUR not in hours]


def closes(change: Callable[[float], float], hours: range = range(61)) -> Change:
    return lambda rows: [
        (at, change(close) if (at - FIRST) // HOUR in hours else close, factor) for at, close, factor in rows
    ]


USELESS: dict[str, tuple[Change, range]] = {
    "empty": (lambda _: [], HOURS),
    "numbers that are none": (closes(lambda _: nan), HOURS),
    "a hundred times the prices": (closes(lambda close: 100 * close), HOURS),
    "a hundred times the prices from an hour on": (closes(lambda close: 100 * close, range(50, 61)), range(50, 60)),
    "the newest is no number": (closes(lambda _: nan, range(59, 60)), range(59, 60)),
    "ten hours behind": (without(range(50, 61)), range(50, 60)),
    "a hole": (without(range(45, 47)), range(45, 47)),
}


@pytest.mark.parametrize("voices", [1, 2])
@pytest.mark.parametrize("kind", USELESS)
async def test_bars_the_first_source_leaves_out_come_from_the_second(kind: str, voices: int) -> None:
    change, lacking = USELESS[kind]
    first, second, third = Teller("first", change), Teller("second"), Teller("third")

    found, shelf = await gathered(first, second, third, voices=voices)

    assert whose(shelf) == ["second" if n in lacking else "first" for n in HOURS]
    assert shelf.kept["BTC-USD", Interval.H1]["close"].to_list() == [close_of(n) for n in range(60)]
    assert (found.new, found.lacking) == (len(HOURS), 0)
    assert (first.asked, second.asked, third.asked) == (1, 1, 0)


async def test_each_source_is_asked_once_and_what_nobody_has_is_counted() -> None:
    holes = [Teller(f"s{n}", without(range(45, 47))) for n in range(4)]

    found, _ = await gathered(*holes)

    assert [source.asked for source in holes] == [1, 1, 1, 1]
    assert (found.new, found.lacking) == (18, 2)


async def test_a_source_that_leaves_nothing_out_is_asked_alone() -> None:
    second = Teller("second")

    found, _ = await gathered(Teller("first"), second)

    assert (found.new, second.asked) == (len(HOURS), 0)


async def test_a_bar_that_closed_just_now_is_left_to_the_first_source() -> None:
    first, second = Teller("first", without(range(59, 61))), Teller("second")

    await gathered(replace(first), second, end=FIRST + 60 * HOUR + timedelta(seconds=5))
    assert second.asked == 0

    await gathered(replace(first), second, end=FIRST + 60 * HOUR + timedelta(seconds=20))
    assert second.asked == 1


@pytest.mark.parametrize("voices", [1, 2])
async def test_what_two_sources_contradict_each_other_about_is_not_believed_of_the_second_either(voices: int) -> None:
    other = closes(lambda close: close * 1.01, range(50, 51))

    found, shelf = await gathered(Teller("first", other), Teller("second"), voices=voices)

    believed = FIRST + 50 * HOUR in shelf.kept["BTC-USD", Interval.H1]["opened_at"].to_list()
    assert believed == (voices == 1), "one voice is believed"
    assert found.lacking == voices - 1


async def test_a_third_source_decides_between_two() -> None:
    other = closes(lambda close: close * 1.01, range(50, 51))

    found, shelf = await gathered(Teller("first", other), Teller("second"), Teller("third"), voices=2)

    stored = shelf.kept["BTC-USD", Interval.H1].filter(pl.col("opened_at") == FIRST + 50 * HOUR)
    assert stored["close"].to_list() == [close_of(50)]
    assert (found.lacking, whose(shelf)[10]) == (0, "third")


async def test_a_bar_from_another_source_takes_its_factor_from_the_bars_both_tell() -> None:
    def halved(rows: list[Row]) -> list[Row]:
        return [(at, close, 0.9) for at, close, _ in rows]

    _, shelf = await gathered(Teller("first", without(range(45, 47))), Teller("second", halved))

    assert shelf.kept["BTC-USD", Interval.H1]["factor"].to_list() == pytest.approx([1.0] * 60)
    assert shelf.takes[-1].rescale == 1.0


async def test_an_answer_that_was_none_is_noted_with_its_bars_and_whoever_told_it() -> None:
    sources = [
        Teller("away", problem=BarsUnavailable("the line is dead")), Teller("garbled", problem=Unreadable("no JSON")),
        Teller("ignorant", problem=NotCovered("no such symbol")), Teller("empty", USELESS["empty"][0]), Teller("sound"),
    ]  # fmt: skip

    found, shelf = await gathered(*sources)

    noted = [(source, one.kind, one.detail) for _, _, source, _, one in shelf.notes]
    assert noted == [
        ("away", "silent", "the line is dead"), ("garbled", "unreadable", "no JSON"),
        ("empty", "empty", "it answered, and had no rows"),
    ]  # fmt: skip
    assert {(one.start, one.end, one.rows, one.action) for *_, one in shelf.notes} == {
        (START, FIRST + 59 * HOUR, len(HOURS), "passed_over")
    }
    assert [one.source for one in found.silent] == ["away", "garbled", "ignorant"]
    assert found.new == len(HOURS)


async def test_the_same_silence_is_noted_once_a_day_and_that_of_all_sources_too() -> None:
    clock, shelf = SteppedClock(NOW), Shelf()
    source = Teller("away", problem=Unreadable("no JSON"))
    manners = Manners(tries=1, failures_max=1_000)
    teller = FailOver([source], clock=clock, plan=Plan(manners={"away": manners}), sleep=clock.sleep)
    gatherer = Gatherer(teller=teller, calendars=ComputedCalendars(), shelf=shelf)

    for _ in range(50):
        with pytest.raises(BarsUnavailable, match="no JSON"):
            await gatherer.gather(BTC, Interval.H1, start=START, end=clock.now())
        clock.pass_by(3_600)

    assert [one.kind for *_, one in shelf.notes] == ["unreadable"] * 3
