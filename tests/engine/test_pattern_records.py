"""The record of each kind of pattern over all that is watched: what it counts, and when it looks again."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
import pytest

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.signals.patterns.candles import candlesticks
from evil2root.domain.signals.patterns.detect import patterns
from evil2root.domain.signals.patterns.outcomes import outcome
from evil2root.engine import pattern_records
from evil2root.engine.pattern_records import REST, PatternRecords
from tests.domain.market.series import a_series, poisoned
from tests.fakes.desk import FakeDesk, FakeReads, a_desk

ROWS = 500
WATCHED = ("AAPL", "IBM")


@dataclass
class SetTime:
    """Seconds that pass when told; each reading takes a millisecond."""

    at_s: float = 0.0

    def __call__(self) -> float:
        self.at_s += 0.001
        return self.at_s


@dataclass(slots=True, kw_only=True)
class CountingReads(FakeReads):
    """Keeps in mind whose bars were read, and with which limit."""

    read: list[tuple[str, int]] = field(default_factory=list)

    async def bars(
        self, symbol: str, interval: Interval, *, start: datetime | None, until: datetime | None, limit: int
    ) -> pl.DataFrame:
        self.read.append((symbol, limit))
        return await FakeReads.bars(self, symbol, interval, start=start, until=until, limit=limit)


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    return {symbol: a_series(ROWS, seed=seed) for seed, symbol in enumerate(WATCHED)}


def a_watching_desk(frames: dict[str, pl.DataFrame], *, shown: int = ROWS) -> tuple[FakeDesk, CountingReads]:
    desk = a_desk(bars=0, symbols=WATCHED)
    reads = CountingReads(book=desk.book, frames=frames)
    desk.reads = reads
    show(desk, shown)
    return desk, reads


def show(desk: FakeDesk, rows: int) -> None:
    desk.status_changes["now"] = desk.reads.frames[WATCHED[0]]["closed_at"][rows - 1]


def counted(frames: dict[str, pl.DataFrame]) -> dict[str, Counter[bool | None]]:
    """The same without any cache: every pattern of every symbol, one after the other."""
    counts: dict[str, Counter[bool | None]] = {}
    for symbol, bars in frames.items():
        for pattern in patterns(bars, symbol=symbol, interval=Interval.D1):
            counts.setdefault(pattern.kind, Counter())[outcome(pattern, bars)] += 1
    return counts


def told(realised: pattern_records.Realised) -> dict[str, Counter[bool | None]]:
    return {
        kind: +Counter({True: record.reached, False: record.failed, None: record.undecided})
        for kind, record in realised.by_kind.items()
    }


class TestARecord:
    async def test_counts_every_watched_symbol(self, frames: dict[str, pl.DataFrame]) -> None:
        desk, _ = a_watching_desk(frames)

        known = await PatternRecords().known(desk, Interval.D1, until=desk.status().now)

        assert told(known) == counted(frames)
        assert sum(sum(each.values()) for each in told(known).values()) > 15
        assert (known.symbols, known.bars, known.until) == (2, 2 * ROWS, frames["AAPL"]["closed_at"][-1])
        assert known.of("no such kind").decided == 0
        assert all(record.chance is None or 0.0 < record.chance < 1.0 for record in known.by_kind.values())

    @pytest.mark.parametrize("rows", [60, 250, 400])
    async def test_knows_nothing_that_came_after_the_time_asked_for(
        self, frames: dict[str, pl.DataFrame], rows: int
    ) -> None:
        until = frames["AAPL"]["closed_at"][rows - 1]
        spoiled = {symbol: poisoned(bars, since=rows, factor=1e3) for symbol, bars in frames.items()}

        known = [
            await PatternRecords().known(a_watching_desk(some)[0], Interval.D1, until=until)
            for some in (frames, spoiled)
        ]

        assert told(known[0]) == told(known[1]) == counted({s: bars.head(rows) for s, bars in frames.items()})
        assert known[0].bars == 2 * rows
        assert known[0].until == until

    async def test_of_candlesticks_counts_them(self, frames: dict[str, pl.DataFrame]) -> None:
        desk, reads = a_watching_desk(frames)

        known = await PatternRecords().known(desk, Interval.D1, until=desk.status().now, candles=True)

        found = [p for s, bars in frames.items() for p in candlesticks(bars, symbol=s, interval=Interval.D1)]
        assert {kind: sum(n.values()) for kind, n in told(known).items()} == Counter(p.kind for p in found)
        assert {limit for _, limit in reads.read} == {pattern_records.CANDLE_BARS_MAX}

    async def test_of_an_interval_without_bars_is_empty(self, frames: dict[str, pl.DataFrame]) -> None:
        desk, _ = a_watching_desk(frames)

        known = await PatternRecords().known(desk, Interval.H1, until=desk.status().now)

        assert (dict(known.by_kind), known.symbols, known.bars) == ({}, 0, 0)


class TestLookingAgain:
    async def test_happens_only_for_a_symbol_with_a_new_bar(self, frames: dict[str, pl.DataFrame]) -> None:
        late = {"AAPL": frames["AAPL"], "IBM": frames["IBM"].head(ROWS - 2)}
        desk, reads = a_watching_desk(late, shown=ROWS - 2)
        clock = SetTime()
        kept = PatternRecords(now_s=clock)
        await kept.known(desk, Interval.D1, until=desk.status().now)
        await kept.known(desk, Interval.D1, until=desk.status().now)
        first = list(reads.read)

        show(desk, ROWS)
        clock.at_s += 100.0
        known = await kept.known(desk, Interval.D1, until=desk.status().now)

        assert [symbol for symbol, _ in first] == ["AAPL", "IBM"]
        assert [symbol for symbol, _ in reads.read[2:]] == ["AAPL"]
        assert told(known) == counted(late)

    async def test_rests_so_that_a_quick_replay_costs_little(self, frames: dict[str, pl.DataFrame]) -> None:
        desk, reads = a_watching_desk(frames, shown=ROWS - 5)
        clock = SetTime()
        kept = PatternRecords(now_s=clock)
        before = await kept.known(desk, Interval.D1, until=desk.status().now)
        show(desk, ROWS)

        at_once = await kept.known(desk, Interval.D1, until=desk.status().now)
        clock.at_s += REST * 0.004
        rested = await kept.known(desk, Interval.D1, until=desk.status().now)

        assert at_once.until == before.until < rested.until
        assert len(reads.read) == 4

    async def test_is_done_once_for_all_who_ask_at_the_same_time(self, frames: dict[str, pl.DataFrame]) -> None:
        desk, reads = a_watching_desk(frames)
        kept = PatternRecords()

        answers = await asyncio.gather(*(kept.known(desk, Interval.D1, until=desk.status().now) for _ in range(4)))

        assert len(reads.read) == len(WATCHED)
        assert all(told(answer) == counted(frames) for answer in answers)

    async def test_is_bounded_in_symbols(
        self, frames: dict[str, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pattern_records, "SYMBOLS_MAX", 1)
        desk, reads = a_watching_desk(frames)

        known = await PatternRecords().known(desk, Interval.D1, until=desk.status().now)

        assert reads.read == [("AAPL", pattern_records.BARS_MAX)]
        assert known.symbols == 1

    async def test_starts_anew_for_another_desk(self, frames: dict[str, pl.DataFrame]) -> None:
        kept = PatternRecords(now_s=SetTime())
        desk, _ = a_watching_desk(frames)
        await kept.known(desk, Interval.D1, until=desk.status().now)
        other = {symbol: a_series(ROWS, seed=seed) for seed, symbol in enumerate(WATCHED, start=7)}
        desk, _ = a_watching_desk(other)

        assert told(await kept.known(desk, Interval.D1, until=desk.status().now)) == counted(other)
