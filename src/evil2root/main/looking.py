"""Are the sources of market data there? Each is asked one question, as the feed would ask it."""

import asyncio
from datetime import timedelta

from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered
from evil2root.domain.market.calendars import Calendars, sessions_or_nowhere
from evil2root.engine.warming import newest
from evil2root.main.feeds import watched
from evil2root.main.finding import Finding
from evil2root.main.sources import lacking, made
from evil2root.main.trading import calendars_of
from evil2root.settings import Settings, SettingsProblem

WITHIN_S = 15.0
"""How long a source may take: the doctor's reader waits."""
ASKED_BARS = 5


async def providers(settings: Settings) -> list[Finding]:
    """Return a line a source, in their order; `x` when none of them answers. Raises `Failure` when nothing is watched."""
    calendars = calendars_of(settings)
    found = await asyncio.gather(*(_provider(settings, name, calendars) for name in settings.market_data))
    if any(finding.state == "ok" for finding in found):
        return [*found]
    remedy = "see the lines above; nothing is traded without bars"
    return [*found, Finding(part="data", state="x", says="no source of market data answers", remedy=remedy)]


async def _provider(settings: Settings, name: str, calendars: Calendars) -> Finding:
    lacks = lacking(settings).get(name)
    if lacks is not None:
        return Finding(part=name, state="!", says=f"key or setting missing. {lacks}")
    symbol, interval, clock = watched(settings)[0], settings.interval, SystemClock()
    try:
        source = made(settings, name, clock=clock, calendars=calendars)
    except SettingsProblem as problem:
        return Finding(part=name, state="!", says=str(problem))
    now = clock.now()
    sessions = sessions_or_nowhere(calendars, instrument_for(symbol))
    opened = newest(sessions, interval, bars=ASKED_BARS, until=now)
    start = opened[0] if opened else now - timedelta(days=7)
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(WITHIN_S):
            fetched = await source.bars(symbol, interval, start=start, end=now)
    except TimeoutError:
        return Finding(part=name, state="!", says=f"no answer within {WITHIN_S:.0f} s")
    except NotCovered as problem:
        return Finding(part=name, state="ok", says=f"reachable, but it has no {symbol} {interval}: {problem}")
    except AskedTooOften as problem:
        wait = "" if problem.retry_after_s is None else f" for {problem.retry_after_s:.0f} s"
        return Finding(part=name, state="!", says=f"wants to be left alone{wait}: {problem}")
    except BarsUnavailable as problem:
        return Finding(part=name, state="!", says=f"not to be had: {problem}")
    finally:
        await source.close()
    took_ms = (asyncio.get_running_loop().time() - began) * 1_000
    return Finding(
        part=name, state="ok", says=f"reachable, {fetched.rows.height} {interval} bars of {symbol} in {took_ms:.0f} ms"
    )
