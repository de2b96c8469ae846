"""A source of bars that says what it is told to, and remembers what it was asked."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

MONDAY = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


class SteppedClock:
    """Moves only when somebody sleeps by it."""

    def __init__(self, at: datetime = MONDAY) -> None:
        self.at = at
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class FakeSource:
    """Answers with `closes`, one bar after another from `start`; first it raises its `problems`, one a question."""

    def __init__(
        self,
        name: str,
        *,
        problems: Sequence[BaseException] = (),
        closes: Sequence[float] = (10.0,),
        tells_of: str | None = None,
        hangs: bool = False,
    ) -> None:
        self.name = name
        self.problems = list(problems)
        self.closes = closes
        self.tells_of = tells_of
        self.hangs = hangs
        self.asked: list[str] = []

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        self.asked.append(symbol)
        if self.hangs:
            await asyncio.Event().wait()
        if self.problems:
            raise self.problems.pop(0)
        opened = [start + interval.length * i for i in range(len(self.closes))]
        rows = [(at, c, c, c, c, 1.0, None) for at, c in zip(opened, self.closes, strict=True) if at < end]
        frame = pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")
        return Fetched(
            symbol=self.tells_of or symbol, interval=interval, rows=frame, source=self.name, fetched_at=MONDAY
        )
