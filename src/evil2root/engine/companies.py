"""Companies remembered for some hours: what they publish changes by the day, and sources bear few questions."""

import asyncio
from collections import OrderedDict
from datetime import timedelta

from evil2root.domain.core.clock import Clock
from evil2root.domain.market.fundamentals import Company, Fundamentals

KEPT = timedelta(hours=12)
"""An answer is asked for anew when it is older; `Company.told_at` says how old it is."""
KEPT_MAX = 600
"""Companies in memory, more than one process watches; the one longest not asked for goes first."""


class RememberedFundamentals:
    """A `Fundamentals` before another: one question a company under way, answers kept, failures not."""

    def __init__(self, source: Fundamentals, *, clock: Clock, kept: timedelta = KEPT) -> None:
        self._source, self._clock, self._kept = source, clock, kept
        self._companies: OrderedDict[str, Company] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}

    @property
    def name(self) -> str:
        """Return the name of the source behind."""
        return self._source.name

    async def company(self, symbol: str) -> Company:
        """Return what was told within the last hours, else ask. Raises as the source does."""
        async with self._asking.setdefault(symbol, asyncio.Lock()):
            try:
                known = self._companies.get(symbol)
                if known is None or self._clock.now() - known.told_at > self._kept:
                    known = self._companies[symbol] = await self._source.company(symbol)
            finally:
                self._asking.pop(symbol, None)
            self._companies.move_to_end(symbol)
            while len(self._companies) > KEPT_MAX:
                self._companies.popitem(last=False)
            return known
