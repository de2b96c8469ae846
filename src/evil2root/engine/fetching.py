"""A stretch of history by hand: window by window, each kept whole or not at all, so that it can be broken off."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable
from evil2root.domain.market.calendars import Calendars, NoCalendar
from evil2root.domain.market.sessions import EPOCH, MICROSECOND, Sessions, moment
from evil2root.engine.gathering import Gatherer

WINDOW_BARS = 1_000
"""Bars of one question: what providers answer on a page or two, and what is lost when it is broken off."""

WAIT_MOST_S = 120.0
"""Longest wait for a source that was asked too often; longer than a minute's budget takes to be there again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a symbol is, or what came of it."""

    symbol: str
    windows: int
    done: int = 0
    """Windows asked for, or found stored."""
    stored: int = 0
    """Windows of which every bar was stored already: they were not asked for."""
    new: int = 0
    told: int = 0
    set_aside: int = 0
    expected: int = 0
    """Bars the calendar has in the windows that were asked for."""
    lacking: int = 0
    """Those of them that nobody told, now or before."""
    waits_s: float = 0.0
    """Seconds until the source may be asked again; 0 while it may."""
    problem: str = ""
    """Why it was given up; what was fetched until then is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of the stretch: from its first bar's opening to its last one's close."""

    start: datetime
    end: datetime
    bars: frozenset[datetime]
    """Openings the calendar has in it."""


class Fetcher:
    """Fetches what is not stored of a stretch. Doing it again asks only for windows with holes, and adds nothing."""

    def __init__(
        self, gatherer: Gatherer, *, calendars: Calendars, clock: Clock,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._gatherer, self._calendars, self._clock, self._sleep = gatherer, calendars, clock, sleep

    async def fetch(  # noqa: PLR0913 - a stretch of a series, and who is told
        self, instrument: Instrument, interval: Interval, *, start: datetime, end: datetime,
        again: bool = False, tell: Callable[[Progress], None] = lambda _: None,
    ) -> Progress:  # fmt: skip
        """Bring the bars that open in `[start, end)` and are over; `again` asks for stored ones too, to hear restatements.

        Never raises for a source: the answer says why it was given up.
        """
        now = self._clock.now()
        try:
            sessions = self._calendars.sessions(instrument)
        except NoCalendar as problem:
            so_far = Progress(symbol=instrument.symbol, windows=0, problem=str(problem))
            tell(so_far)
            return so_far
        parts = list(windows(sessions, interval, start=start, end=min(end, now), now=now))
        so_far = Progress(symbol=instrument.symbol, windows=len(parts))
        tell(so_far)
        for part in parts:
            try:
                if not again and await self._is_stored(instrument.symbol, interval, part):
                    so_far = replace(so_far, done=so_far.done + 1, stored=so_far.stored + 1)
                else:
                    so_far = await self._gathered(instrument, interval, part, so_far, tell)
            except BarsUnavailable as problem:
                so_far = replace(so_far, problem=str(problem), waits_s=0.0)
                tell(so_far)
                return so_far
            tell(so_far)
        if 0 < so_far.expected == so_far.lacking and not so_far.stored:
            aside = f"; {so_far.set_aside:,} rows were set aside" if so_far.set_aside else ""
            so_far = replace(so_far, problem=f"none of the {so_far.expected:,} bars the calendar has was told{aside}")
            tell(so_far)
        return so_far

    async def _is_stored(self, symbol: str, interval: Interval, part: Window) -> bool:
        stored = await self._gatherer.shelf.stored(symbol, interval, start=part.start, until=part.end)
        return part.bars <= set(stored["opened_at"].to_list())

    async def _gathered(
        self, instrument: Instrument, interval: Interval, part: Window, so_far: Progress,
        tell: Callable[[Progress], None],
    ) -> Progress:  # fmt: skip
        while True:
            try:
                made = await self._gatherer.gather(instrument, interval, start=part.start, end=part.end)
            except AskedTooOften as problem:
                if problem.retry_after_s is None or problem.retry_after_s > WAIT_MOST_S:
                    raise
                tell(replace(so_far, waits_s=problem.retry_after_s))
                await self._sleep(max(problem.retry_after_s, 0.1))
            else:
                return replace(
                    so_far, done=so_far.done + 1, new=so_far.new + made.new, told=so_far.told + made.told,
                    set_aside=so_far.set_aside + made.set_aside, expected=so_far.expected + len(part.bars),
                    lacking=so_far.lacking + made.lacking,
                )  # fmt: skip


def windows(
    sessions: Sessions, interval: Interval, *, start: datetime, end: datetime, now: datetime
) -> Iterator[Window]:
    """Cut `[start, end)` into windows of up to `WINDOW_BARS` bars that are over; none where no bar lies."""
    first, last, present = ((at - EPOCH) // MICROSECOND for at in (start, end, now))
    opened, closed = sessions.grid(interval, start=first, end=max(first, last))
    over = closed <= present
    opened, closed = opened[over], closed[over]
    for place in range(0, len(opened), WINDOW_BARS):
        part = opened[place : place + WINDOW_BARS]
        ends = moment(int(closed[place + len(part) - 1]))
        yield Window(start=moment(int(part[0])), end=ends, bars=frozenset(moment(int(at)) for at in part))
