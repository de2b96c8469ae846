"""Live bars by asking: after each close the calendars name, until it is there or the wait for it is over."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
PLACES_A_WAIT = 8
"""A question that takes longer than this part of the patience gives its place to the next, and goes on beside it."""

NOT_BELIEVED = (
    "no source told a bar that could be believed: name a second source, which may confirm it, or take bars you trust "
    "from a file with `evil2root data import FILE --as-is`"
)
UNDER_WAY = "it is asked for, and was not answered in time"
NOT_ASKED = "questions before its own took all the time there was"

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


async def until_one_is_done(tasks: Collection[asyncio.Task[None]], seconds: float) -> None:
    """Wait until one of them is done, or the time is over."""
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


class PolledFeed:
    """A `BarFeed` of stored bars that were gathered just before.

    A group holds every watched symbol whose bar closed then, or those that were there when patience ended; each symbol
    left out is reported. A moment nobody has a bar of makes no group and is asked for again, so that an outage of all
    sources is caught up. What comes for a moment already told is stored, and told no more: the next group names the
    symbol as renewed, as it does after a split or dividend, which changes the factors of all bars before it.

    A question that takes longer than the group may wait goes on beside it, and its symbol is not asked for again before
    it ends: at most one is under way for each symbol.
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
        wait: Callable[[Collection[asyncio.Task[None]], float], Awaitable[object]] = until_one_is_done,
    ) -> None:
        """`starts_after`: cursor of a fresh account."""
        self._watched = {instrument.symbol: instrument for instrument in instruments}
        self._interval, self._gatherer, self._clock, self._sleep = interval, gatherer, clock, sleep
        self._wait = wait
        self._calendars, self._patience = calendars, patience or Patience()
        self.starts_after = starts_after
        self.missing: dict[str, str] = {}
        """Symbols without their newest bar, and why: for the pages."""
        self._renewed: set[str] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}
        """Questions under way, some of them for a moment that was told without them."""
        self._there: dict[str, dict[datetime, Bar]] = {}
        """Bars as each symbol's last question found them."""
        self._why: dict[str, str] = {}
        self._turned_away: set[str] = set()
        self._left_out: set[str] = set()
        """Symbols that were not asked for when they were due: the first next time."""
        self._anybody_told = False
        self._cursor = starts_after

    async def groups(self, after: datetime | None) -> AsyncIterator[BarGroup]:
        """Yield the groups that close after `after`, oldest first, for ever."""
        self._cursor = self.starts_after if after is None else after
        try:
            while True:
                now = self._clock.now()
                due = self._due(self._cursor, now - self._patience.after_close)
                if not due:
                    await self._wait_for_close(self._cursor, now)
                    continue
                await self._bring(due, now)
                for group in self._complete(due, self._clock.now()):
                    yield group
                if self._due(self._cursor, now - self._patience.after_close):
                    await self._sleep(self._patience.again.total_seconds())
        finally:
            for task in self._asking.values():
                task.cancel()
            await asyncio.gather(*self._asking.values(), return_exceptions=True)
            self._asking.clear()

    def _complete(self, due: Mapping[datetime, Sequence[str]], now: datetime) -> Iterator[BarGroup]:
        """Yield the groups nobody is waited for any more. What comes meanwhile is part of them: nothing is looked up before."""
        passed_over: dict[datetime, list[str]] = {}
        for closed_at, symbols in due.items():
            bars = [there[closed_at] for one in symbols if closed_at in (there := self._there.get(one, {}))]
            absent = [symbol for symbol in symbols if closed_at not in self._there.get(symbol, {})]
            if absent and now < closed_at + self._patience.most:
                break
            passed_over[closed_at] = absent
            if not bars:
                self._note(absent)
                continue
            self._report(passed_over, told=[bar.symbol for bar in bars])
            self._cursor, passed_over = closed_at, {}
            renewed, self._renewed = frozenset(self._renewed), set()
            yield BarGroup(closed_at=closed_at, bars=tuple(bars), renewed=renewed)

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
        first = (cursor - EPOCH) // MICROSECOND
        end = (max(cursor, now) - EPOCH) // MICROSECOND + LOOK_AHEAD
        next_close = end
        for sessions in {
            made.name: made for one in self._watched if (made := self._sessions(one)) is not None
        }.values():
            # Days ahead are many bars of a minute: they stay numbers.
            _, closed = sessions.grid(self._interval, start=first - 2 * DAY, end=end)
            next_close = min([next_close, *closed[closed > first][:1].tolist()])
        coming = moment(next_close) + self._patience.after_close - now
        await self._sleep(min(max(coming, timedelta(milliseconds=1)), self._patience.idle).total_seconds())

    async def _bring(self, due: Mapping[datetime, Sequence[str]], now: datetime) -> None:
        """Ask for the bars of the closes that are due and are not stored, and wait for them as long as there is patience."""
        ends = now + self._left(due, now)
        wanted: dict[str, set[datetime]] = {}
        for closed_at, symbols in due.items():
            for symbol in symbols:
                wanted.setdefault(symbol, set()).add(closed_at)
        self._ended()
        self._why = dict.fromkeys(self._asking, UNDER_WAY)
        self._turned_away, self._anybody_told = set(), False
        await self._ask(wanted, ends)
        if self._anybody_told and self._turned_away:
            # A source that was left alone is tried with one question. It works again: so the others may be put too,
            # lest their symbols are passed over for every close since it failed.
            await self._ask({symbol: wanted[symbol] for symbol in wanted if symbol in self._turned_away}, ends)
        while (rest := [self._asking[one] for one in wanted if one in self._asking]) and (
            left := self._until(ends)
        ) > 0:
            await self._wait(rest, left)
            self._ended()

    async def _ask(self, wanted: Mapping[str, set[datetime]], ends: datetime) -> None:
        """Put the questions that are not under way yet, a few at a time, each until it is answered or lost its place."""
        now, most = self._clock.now(), self._patience.most.total_seconds() / PLACES_A_WAIT
        queue = deque(
            sorted((one for one in wanted if one not in self._asking), key=lambda one: one not in self._left_out)
        )
        placed = set[str]()
        while queue or placed:
            left = self._until(ends)
            if left <= 0:
                break
            while queue and len(placed) < AT_ONCE:
                symbol = queue.popleft()
                placed.add(symbol)
                self._asking[symbol] = asyncio.create_task(self._gather(symbol, wanted[symbol], now))
            await self._wait([self._asking[symbol] for symbol in placed], min(most, left))
            ended = self._ended() & placed
            placed = placed - ended if ended else set()
        self._left_out = set(queue)
        self._why.update(dict.fromkeys(queue, NOT_ASKED))

    async def _gather(self, symbol: str, wanted: set[datetime], now: datetime) -> None:
        """Find a symbol's bars in the store, or bring them there."""
        start = min(o for o, c in self._grid(symbol, min(wanted) - MICROSECOND, max(wanted)) if c in wanted)
        self._why[symbol] = UNDER_WAY
        try:
            self._there[symbol] = before = await self._stored(symbol, start)
            if wanted - before.keys():
                got = await self._gatherer.gather(self._watched[symbol], self._interval, start=start, end=now)
                self._anybody_told = True
                self._there[symbol] = there = await self._stored(symbol, start)
                fresh = there.keys() - before.keys()
                if got.changed or got.new > len(fresh) or any(closed_at <= self._cursor for closed_at in fresh):
                    self._renewed.add(symbol)
            self._why.pop(symbol, None)
        except AskedTooOften as problem:
            self._why[symbol] = str(problem)
            self._turned_away.add(symbol)
        except BarsUnavailable as problem:
            self._why[symbol] = str(problem)

    def _ended(self) -> set[str]:
        """Take the questions that have ended off the list, and return their symbols. What broke one is raised."""
        ended = {symbol: task for symbol, task in self._asking.items() if task.done()}
        for symbol, task in ended.items():
            del self._asking[symbol]
            task.result()
        return set(ended)

    def _until(self, ends: datetime) -> float:
        return (ends - self._clock.now()).total_seconds()

    def _left(self, due: Iterable[datetime], now: datetime) -> timedelta:
        """Return how long the newest close may be waited for; for one that is caught up on, as long as for any."""
        closes = list(due)
        is_catching_up = min(closes) + self._patience.most <= now
        return self._patience.most if is_catching_up else max(closes) + self._patience.most - now

    async def _stored(self, symbol: str, start: datetime) -> dict[datetime, Bar]:
        stored = await self._gatherer.shelf.stored(symbol, self._interval, start=start)
        frame = adjusted(stored.drop("factor"), factor=stored["factor"])
        bars = bars_of(frame, symbol=symbol, interval=self._interval)
        return {bar.closed_at: bar for bar in bars}

    def _note(self, absent: Sequence[str]) -> None:
        for symbol in absent:
            self.missing[symbol] = self._why.get(symbol, NOT_BELIEVED)

    def _report(self, absent: Mapping[datetime, Sequence[str]], *, told: Sequence[str]) -> None:
        for symbol in told:
            self.missing.pop(symbol, None)
        for closed_at, symbols in absent.items():
            self._note(symbols)
            for symbol in symbols:
                log.warning("feed.bar_missing", symbol=symbol, closed_at=closed_at, why=self.missing[symbol])
