"""History before the first live bar: gathered once, so that first decisions are not all warm-up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog

from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.sessions import DAY, EPOCH, MICROSECOND, Sessions, moment
from evil2root.engine.gathering import Gathered, Gatherer
from evil2root.engine.polling import AT_ONCE

log = structlog.get_logger()

WARM_UP_BARS = 500
"""At least 300 are asked for before an indicator counts; the rest is room for holes."""

WITHIN = timedelta(minutes=15)
"""Longest warm-up: a watchlist of 500 symbols at a provider of 60 requests a minute takes nine."""

ONCE_MORE_S = 5.0
"""Pause before a question is put again whose answer was not believed: one bad answer is no reason to begin without."""


async def warm_up(  # noqa: PLR0913 - who asks, what for, and when
    instruments: Sequence[Instrument],
    interval: Interval,
    *,
    gatherer: Gatherer,
    calendars: Calendars,
    clock: Clock,
    say: Callable[[str], None],
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> dict[str, str]:
    """Gather what is missing of each symbol's last `WARM_UP_BARS`; return the symbols that could not be had, and why.

    A source that is asked too often is waited for, up to `WITHIN` in all. Symbols without history are traded on as
    soon as their bars suffice.
    """
    until, slots = clock.now() + WITHIN, asyncio.Semaphore(AT_ONCE)
    without: dict[str, str] = {}
    done = 0

    async def bring(instrument: Instrument) -> None:
        nonlocal done
        async with slots:
            try:
                await _bring(instrument, until)
            except BarsUnavailable as problem:
                without[instrument.symbol] = str(problem)
                log.warning("history.unavailable", symbol=instrument.symbol, why=str(problem))
        done += 1
        say(f"Gathering history: {done} of {len(instruments)} symbols.")

    async def _bring(instrument: Instrument, until: datetime) -> None:
        now = clock.now()
        expected = newest(calendars.sessions(instrument), interval, bars=WARM_UP_BARS, until=now)
        if not expected:
            return
        stored = await gatherer.shelf.stored(instrument.symbol, interval, start=expected[0])
        missing = set(expected) - set(stored["opened_at"].to_list())
        again = False
        while missing:
            try:
                got = await gatherer.gather(instrument, interval, start=min(missing), end=now)
            except AskedTooOften as problem:
                wait = problem.retry_after_s
                if wait is None or clock.now() + timedelta(seconds=wait) > until:
                    raise
                await sleep(max(wait, 0.1))
            else:
                if not _is_refused(got):
                    return
                if again:
                    msg = f"{got.lacking:,} of {len(expected):,} bars of its history are lacking: {_why(got)}"
                    raise BarsUnavailable(msg)
                again = True
                await sleep(ONCE_MORE_S)

    say(f"Gathering history: 0 of {len(instruments)} symbols.")
    async with asyncio.TaskGroup() as tasks:
        for instrument in instruments:
            tasks.create_task(bring(instrument), name=f"history {instrument.symbol}")
    return without


def _is_refused(got: Gathered) -> bool:
    """Is history lacking because most of what was told was not believed, or nothing was told?

    A young symbol or a thin one lacks bars that nobody has, and of a long history some rows may be wrong for good.
    """
    return got.lacking > 0 and got.set_aside >= got.told


def _why(got: Gathered) -> str:
    return f"{got.set_aside:,} told ones were not believed" if got.set_aside else "sources answered, and told none"


def newest(sessions: Sessions, interval: Interval, *, bars: int, until: datetime) -> list[datetime]:
    """Return the openings of the last `bars` bars that closed at or before `until`, oldest first; fewer where none are."""
    end = (until - EPOCH) // MICROSECOND
    span = max(bars * (interval.length // MICROSECOND), 7 * DAY)
    first, _ = sessions.covers
    while True:
        opened, closed = sessions.grid(interval, start=end - span, end=end)
        over = opened[closed <= end]
        if len(over) >= bars or moment(end - span) < first:
            return [moment(int(at)) for at in over[-bars:]]
        span *= 2
