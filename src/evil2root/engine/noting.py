"""Answers that were none, among the oddities of their series: each once a day, however often it is asked."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Silence, Why
from evil2root.domain.market.quality import Issue
from evil2root.domain.market.sources import Fetched

AGAIN_AFTER = timedelta(days=1)
"""The same source silent about the same series is another issue after that; a feed asks every few seconds."""
NOTED_MAX = 10_000
"""Issues that are remembered as noted; the oldest are forgotten beyond, and may be noted again."""
NOTED = (Why.AWAY, Why.UNREADABLE)
"""To be asked less, or not to have a symbol, is nothing odd about the data."""


class Keeper(Protocol):
    """Where oddities are kept. Raises `BarsUnavailable` while it is away."""

    async def note(self, issue: Issue, *, symbol: str, interval: Interval, source: str, at: datetime) -> None:
        """Keep an oddity of an answer that brought no rows; the same one twice is one."""
        ...


class Notes:
    """Notes silence where the calendar has bars. What it has no bars of may well be silent."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._noted: dict[tuple[str, Interval, str, str], datetime] = {}

    async def silent(
        self, silences: Iterable[Silence], symbol: str, interval: Interval, expected: Sequence[datetime]
    ) -> None:
        """Note those that were asked for bars and gave no answer, or none that can be read."""
        for one in silences:
            if one.why in NOTED:
                issue = _issue(one.why.value, expected, one.says) if expected else None
                await self._note(issue, symbol, interval, one.source, one.at)

    async def empty(self, told: Fetched, expected: Sequence[datetime]) -> None:
        """Note an answer without a row."""
        issue = _issue("empty", expected, "it answered, and had no rows") if expected else None
        await self._note(issue, told.symbol, told.interval, told.source, told.fetched_at)

    async def _note(self, issue: Issue | None, symbol: str, interval: Interval, source: str, at: datetime) -> None:
        if issue is None:
            return
        key = (symbol, interval, source, issue.kind)
        before = self._noted.get(key)
        if before is not None and at - before < AGAIN_AFTER:
            return
        await self._keeper.note(issue, symbol=symbol, interval=interval, source=source, at=at)
        self._noted.pop(key, None)
        self._noted[key] = at
        while len(self._noted) > NOTED_MAX:
            del self._noted[next(iter(self._noted))]


def _issue(kind: str, expected: Sequence[datetime], says: str) -> Issue:
    return Issue(
        kind=kind, start=expected[0], end=expected[-1], rows=len(expected), action="passed_over", detail=says
    )  # fmt: skip
