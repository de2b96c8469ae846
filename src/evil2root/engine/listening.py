"""Hearing of bars before they are asked for: a stream only cuts the waiting short, it tells nobody anything."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

import structlog
from numpy.random import Generator, default_rng

from evil2root.domain.market.bars import BarsUnavailable, NotCovered
from evil2root.domain.market.streams import Happening, QuoteStream, Tick

log = structlog.get_logger()

AGAIN_S, AGAIN_MOST_S = 1.0, 300.0
"""Before a stream that ended is opened anew: doubled each time it ends without having told anything."""
LEAST_S = 0.25
"""Least time a sleep takes, however much is told: each of its ends is a question to somebody."""


class Listener:
    """Listens to a stream for as long as it is run; its `sleep` ends early when a bar was told.

    Give `sleep` to a `PolledFeed`: it asks again as soon as there is something to ask for. A stream that is silent, gone
    or lies changes when it asks, not what it finds.
    """

    def __init__(
        self,
        stream: QuoteStream,
        symbols: Sequence[str],
        *,
        jitter: Generator | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._stream, self._symbols = stream, tuple(symbols)
        self._jitter, self._pause = jitter or default_rng(), pause
        self._bar = asyncio.Event()
        self.newest: dict[str, Tick] = {}
        """The newest by symbol: for people to look at, never to trade on."""

    async def run(self) -> None:
        """Listen for ever, opening the stream anew when it ends; not to one that tells of none of the symbols."""
        wait = AGAIN_S
        while True:
            try:
                async with aclosing(self._stream.ticks(self._symbols)) as ticks:  # type: ignore[type-var] # a generator
                    async for tick in ticks:
                        wait = AGAIN_S
                        self._heard(tick)
            except NotCovered as problem:
                log.info("stream.of_no_use", source=self._stream.name, problem=str(problem))
                return
            except BarsUnavailable as problem:
                log.info("stream.lost", source=self._stream.name, problem=str(problem), retry_in_s=wait)
            await self._pause(wait * self._jitter.uniform(0.5, 1.0))
            wait = min(2 * wait, AGAIN_MOST_S)

    async def sleep(self, seconds: float) -> None:
        """Sleep, or until a bar is told."""
        least = min(seconds, LEAST_S)
        await self._pause(least)
        try:
            async with asyncio.timeout(seconds - least):
                await self._bar.wait()
        except TimeoutError:
            pass
        self._bar.clear()

    def _heard(self, tick: Tick) -> None:
        before = self.newest.get(tick.symbol)
        if before is None or tick.at >= before.at:
            self.newest[tick.symbol] = tick
        if tick.what is Happening.BAR:
            self._bar.set()
