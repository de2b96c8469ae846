"""What changed, for pages that are being looked at."""

import asyncio
from collections import deque
from datetime import datetime

from evil2root.engine.desk import Change

CHANGES_MAX = 500
"""Changes remembered for readers that come back; who is further behind loads everything again."""


class ChangeLog:
    """Bounded log of changes with one condition for all readers."""

    def __init__(self) -> None:
        self._log: deque[Change] = deque(maxlen=CHANGES_MAX)
        self._grew = asyncio.Condition()
        self._last = 0

    @property
    def last(self) -> int:
        """Sequence of the newest change; 0 before the first."""
        return self._last

    async def add(self, topics: frozenset[str], at: datetime) -> None:
        """Remember a change and wake the readers."""
        async with self._grew:
            self._last += 1
            self._log.append(Change(sequence=self._last, topics=topics, at=at))
            self._grew.notify_all()

    async def after(self, sequence: int, *, timeout_s: float) -> tuple[Change, ...] | None:
        """Return what came after `sequence`, waiting for it; empty on time-out, none when too far back."""
        if sequence > self._last or (self._log and sequence < self._log[0].sequence - 1):
            return None
        try:
            async with asyncio.timeout(timeout_s), self._grew:
                await self._grew.wait_for(lambda: self._last > sequence)
        except TimeoutError:
            return ()
        return tuple(change for change in self._log if change.sequence > sequence)
