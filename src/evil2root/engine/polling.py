"""Live bars by asking: after each close the calendars name, until it is there or the wait for it is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.adjust import adjusted
from evil2root.domain.market.bars import AskedTooOften, Bar, BarsUnavailable
from evil2root.domain.market.calendars import Calendars, NoCalendar
from evil2root.domain.market.sessions import DAY, EPOCH, MICROSECOND, Sessions, moment
from evil2root.domain.market.sources import BarGroup
from evil2root.engine.gathering import Gatherer
from evil2root.engine.observe import bars_of

log = structlog.get_logger()

AT_ONCE = 4
"""Questions under way at the same time: sources bear few, and answers are cleaned on the same machine that trades."""

NOT_BELIEVED = "no source told a bar that could be believed"

LOOK_AHEAD = 15 * DAY
"""How far ahead the next close is looked for, microseconds: longer than any market stays shut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When a bar is asked for."""

    after_close: timedelta = timedelta(seconds=5)
    """Sources need a moment to make a bar."""
    again: timedelta = timedelta(seconds=15)
    """Between questions for one that is missing."""
    most: timedelta = timedelta(minutes=2)
    """After its close a group goes without the symbols still missing."""
    idle: timedelta = timedelta(minutes=1)
    """Longest sleep: a machine that was suspended notices soon."""

    @classmethod
    def of(cls, interval: Interval) -> "Patience":
        """Return the patience that suits an interval: who waits for one symbol must not make the others' bars old."""
        usual = cls()
        return cls(
            after_close=min(usual.after_close, interval.length / 20), again=min(usual.again, interval.length / 12),
            most=min(usual.most, interval.length / 3),
        )  # fmt: skip


class PolledFeed:
    """A `BarFeed` of stored bars that were gathered just before.

    A group holds every watched symbol whose bar closed then, or those that were there when patience ended; each symbol
    left out is reported. A moment nobody has a bar of makes no group and is asked for again, so that an outage of all
    sources is caught up. What comes for a moment already told is stored, and told no more: the next group names the
    symbol as renewed, as it does after a split or dividend, which changes the factors of all bars before it.
    """

    def __init__(  # noqa: PLR0913 - who asks, what for, and when
        self,
        instruments: Sequence[Instrument],
        interval: Interval,
        *,
        gatherer: Gatherer,
        calendars: Calendars,
        clock: Clock,
        starts_after: datetime,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`starts_after`: cursor of a fresh account."""
        self._watched = {instrument.symbol: instrument for instrument in instruments}
        self._interval, self._gatherer, self._clock, self._sleep = interval, gatherer, clock, sleep
        self._calendars, self._patience = calendars, patience or Patience()
        self.starts_after = starts_after
        self.missing: dict[str, str] = {}
        """Symbols without their newest bar, and why: for the pages."""
        self._renewed: set[str] = set()

    async def groups(self, after: datetime | None) -> AsyncIterator[BarGroup]:
        """Yield the groups that close after `after`, oldest first, for ever."""
        cursor = self.starts_after if after is None else after
        while True:
            now = self._clock.now()
            due = self._due(cursor, now - self._patience.after_close)
            if not due:
                await self._wait_for_close(cursor, now)
                continue
            there, why = await self._there(due, now)
            passed_over: dict[datetime, list[str]] = {}
            for closed_at, symbols in due.items():
                bars = [there[symbol][closed_at] for symbol in symbols if closed_at in there.get(symbol, {})]
                absent = [symbol for symbol in symbols if closed_at not in there.get(symbol, {})]
                if absent and now < closed_at + self._patience.most:
                    break
                passed_over[closed_at] = absent
                if not bars:
                    self._note(absent, why)
                    continue
                self._report(passed_over, why, told=[bar.symbol for bar in bars])
                cursor, passed_over = closed_at, {}
                renewed, self._renewed = frozenset(self._renewed), set()
                yield BarGroup(closed_at=closed_at, bars=tuple(bars), renewed=renewed)
            if self._due(cursor, now - self._patience.after_close):
                await self._sleep(self._patience.again.total_seconds())

    def overdue_since(self) -> datetime | None:
        """Return the newest close that should have been told by now, patience included; none where no table reaches."""
        at = self._clock.now() - self._patience.after_close - self._patience.most
        sessions = {made.name: made for symbol in self._watched if (made := self._sessions(symbol)) is not None}
        return max((c for s in sessions.values() if (c := s.last_close(self._interval, at=at))), default=None)

    def _due(self, cursor: datetime, until: datetime) -> dict[datetime, list[str]]:
        """Return the closes in `(cursor, until]`, oldest first, each with the symbols that have one, in their order."""
        found: dict[datetime, list[str]] = {}
        for symbol in self._watched:
            for _, closed_at in self._grid(symbol, cursor, until):
                if cursor < closed_at <= until:
                    found.setdefault(closed_at, []).append(symbol)
        return dict(sorted(found.items()))

    def _grid(self, symbol: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Return bars that may close in `(start, end]`: a bar is shorter than two days."""
        sessions = self._sessions(symbol)
        if sessions is None:
            return []
        first, last = ((at - EPOCH) // MICROSECOND for at in (start, end))
        opened, closed = sessions.grid(self._interval, start=first - 2 * DAY, end=last)
        return [(moment(int(o)), moment(int(c))) for o, c in zip(opened, closed, strict=True) if c > first]

    def _sessions(self, symbol: str) -> Sessions | None:
        """None where nobody knows when its market is open; the pages say why, and the other symbols are traded."""
        try:
            found = self._calendars.sessions(self._watched[symbol])
        except NoCalendar as problem:
            self.missing[symbol] = str(problem)
            return None
        if self._clock.now() >= found.covers[1]:
            self.missing[symbol] = f"the calendar {found.name} ends on {found.covers[1].date()}: no bar is expected"
        return found

    async def _wait_for_close(self, cursor: datetime, now: datetime) -> None:
        end = max(cursor, now) + timedelta(microseconds=LOOK_AHEAD)
        ahead = [
            c for symbol in self._watched for _, c in self._grid(symbol, max(cursor, now - self._patience.most), end)
        ]
        coming = min((c for c in ahead if c > cursor), default=end) + self._patience.after_close - now
        await self._sleep(min(max(coming, timedelta(milliseconds=1)), self._patience.idle).total_seconds())

    async def _there(
        self, due: Mapping[datetime, Sequence[str]], now: datetime
    ) -> tuple[dict[str, dict[datetime, Bar]], dict[str, str]]:
        """Return the bars of the closes that are due, stored or gathered now, and why symbols were not to be had."""
        first, last = min(due) - MICROSECOND, max(due)
        slots, why = asyncio.Semaphore(AT_ONCE), dict[str, str]()
        there: dict[str, dict[datetime, Bar]] = {}
        turned_away: set[str] = set()
        anybody_told = False

        async def bring(symbol: str) -> None:
            nonlocal anybody_told
            wanted = {closed_at for closed_at, symbols in due.items() if symbol in symbols}
            start = min(o for o, c in self._grid(symbol, first, last) if c in wanted)
            async with slots:
                try:
                    there[symbol] = before = await self._stored(symbol, start, last)
                    if wanted - before.keys():
                        got = await self._gatherer.gather(self._watched[symbol], self._interval, start=start, end=now)
                        anybody_told = True
                        there[symbol] = await self._stored(symbol, start, last)
                        if got.changed or got.new > len(there[symbol].keys() - before.keys()):
                            self._renewed.add(symbol)
                    why.pop(symbol, None)
                except AskedTooOften as problem:
                    why[symbol] = str(problem)
                    turned_away.add(symbol)
                except BarsUnavailable as problem:
                    why[symbol] = str(problem)

        async def bring_all(symbols: Iterable[str]) -> None:
            async with asyncio.TaskGroup() as tasks:
                for symbol in symbols:
                    tasks.create_task(bring(symbol))

        await bring_all(dict.fromkeys(symbol for symbols in due.values() for symbol in symbols))
        if anybody_told and turned_away:
            # A source that was left alone is tried with one question. It works again: so the others may be put too,
            # lest their symbols are passed over for every close since it failed.
            await bring_all([symbol for symbol in self._watched if symbol in turned_away])
        return there, why

    async def _stored(self, symbol: str, start: datetime, until: datetime) -> dict[datetime, Bar]:
        stored = await self._gatherer.shelf.stored(symbol, self._interval, start=start)
        frame = adjusted(stored.drop("factor"), factor=stored["factor"])
        bars = bars_of(frame, symbol=symbol, interval=self._interval)
        return {bar.closed_at: bar for bar in bars if bar.closed_at <= until}

    def _note(self, absent: Sequence[str], why: Mapping[str, str]) -> None:
        for symbol in absent:
            self.missing[symbol] = why.get(symbol, NOT_BELIEVED)

    def _report(self, absent: Mapping[datetime, Sequence[str]], why: Mapping[str, str], *, told: Sequence[str]) -> None:
        for symbol in told:
            self.missing.pop(symbol, None)
        for closed_at, symbols in absent.items():
            self._note(symbols, why)
            for symbol in symbols:
                log.warning("feed.bar_missing", symbol=symbol, closed_at=closed_at, why=self.missing[symbol])
