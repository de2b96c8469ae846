"""Hearing of bars before they are asked for: a stream only cuts the waiting short, it tells nobody anything."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from numpy.random import Generator, default_rng

from evil2root.domain.market.bars import BarsUnavailable, NotCovered
from evil2root.domain.market.streams import Happening, QuoteStream, Tick

log = structlog.get_logger()

AGAIN_S, AGAIN_MOST_S = 1.0, 300.0
"""Before a stream that ended is opened anew: doubled each time it ends without having told anything."""
LEAST_S = 0.25
"""Least time a sleep takes, however much is told: each of its ends is a question to somebody."""


NOT_YET = "nobody listens before this process leads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What is heard of a stream: for people to look at, never to trade on."""

    name: str
    is_listened_to: bool
    says: str
    """Why it is not, or why its last opening ended; empty while all is well."""
    symbols: int
    """Of how many symbols it told something since the start."""
    last: Tick | None
    """The newest it told, by the exchange's time; none while it told nothing."""


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
        self._is_running, self._says = False, NOT_YET

    @property
    def hearing(self) -> Hearing:
        """Return whether it is listened to, and what it told last."""
        last = max(self.newest.values(), key=lambda tick: tick.at, default=None)
        return Hearing(
            name=self._stream.name,
            is_listened_to=self._is_running,
            says=self._says,
            symbols=len(self.newest),
            last=last,
        )

    async def run(self) -> None:
        """Listen for ever, opening the stream anew when it ends; not to one that tells of none of the symbols."""
        self._is_running, self._says = True, ""
        try:
            await self._listen()
        except Exception as problem:
            self._says = f"it broke: {type(problem).__name__}; the log says more"
            raise
        finally:
            self._is_running = False

    async def _listen(self) -> None:
        wait = AGAIN_S
        while True:
            try:
                async with aclosing(self._stream.ticks(self._symbols)) as ticks:  # type: ignore[type-var] # a generator
                    async for tick in ticks:
                        wait = AGAIN_S
                        self._heard(tick)
            except NotCovered as problem:
                log.info("stream.of_no_use", source=self._stream.name, problem=str(problem))
                self._says = str(problem)
                return
            except BarsUnavailable as problem:
                log.info("stream.lost", source=self._stream.name, problem=str(problem), retry_in_s=wait)
                self._says = str(problem)
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
        self._says = ""
        before = self.newest.get(tick.symbol)
        if before is None or tick.at >= before.at:
            self.newest[tick.symbol] = tick
        if tick.what is Happening.BAR:
            self._bar.set()
