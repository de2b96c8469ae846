"""Fetching history by hand, through the same sources and the same cleaning as the live feed."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from evil2root.adapters.postgres.intake import PostgresShelf
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import interval
from evil2root.engine.fetching import Fetcher, Progress
from evil2root.engine.gathering import Gatherer
from evil2root.main.commands import opened
from evil2root.main.failure import USAGE, Failure
from evil2root.main.feeds import check_unmixed, is_replay
from evil2root.main.sources import opened_sources
from evil2root.main.trading import calendars_of

AT_ONCE = 2
"""Symbols fetched at the same time: one is cleaned and stored while the next is asked for."""


async def fetch(  # noqa: PLR0913 - a stretch of several series, and who is told
    symbols: Sequence[str], *, step: str, start: datetime, end: datetime | None, again: bool,
    tell: Callable[[Progress], None],
) -> list[Progress]:  # fmt: skip
    """Fetch `[start, end)` of each symbol; a symbol that can't be had says why, and the others are fetched.

    Raises `Failure` for what is wrong with the question, `SettingsProblem` for a source that can't be made.
    """
    try:
        length, instruments = interval(step), [instrument_for(symbol.upper()) for symbol in dict.fromkeys(symbols)]
    except ValueError as problem:
        raise Failure(str(problem), code=USAGE) from problem
    clock = SystemClock()
    until = clock.now() if end is None else end
    if start >= until:
        text = f"--start {start.isoformat()} is not before --end {until.isoformat()}."
        raise Failure(text, code=USAGE)
    async with opened() as (settings, database):
        if is_replay(settings) or settings.unbuilt():
            text = (
                settings.unbuilt() or "EVIL2ROOT_MARKET_DATA is replay, which nobody is asked for: name a source of it."
            )
            raise Failure(text, code=USAGE)
        await check_unmixed(settings, database, [one.symbol for one in instruments], length)
        calendars = calendars_of(settings)
        async with opened_sources(settings, clock=clock, calendars=calendars) as live:
            gatherer = Gatherer(teller=live.sources, calendars=calendars, shelf=PostgresShelf(database))
            fetcher, slots = Fetcher(gatherer, calendars=calendars, clock=clock), asyncio.Semaphore(AT_ONCE)

            async def one(place: int) -> Progress:
                async with slots:
                    return await fetcher.fetch(
                        instruments[place], length, start=start, end=until, again=again, tell=tell
                    )  # fmt: skip

            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(one(place)) for place in range(len(instruments))]
            return [task.result() for task in running]
