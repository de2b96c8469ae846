"""How each kind of pattern did on what is stored of all watched symbols, kept at hand and renewed with new bars.

Cost, measured: 3.3 s of one core for 25 symbols of 5,000 bars (candlesticks 0.9 s for 1,000 bars each), once; from then
on only symbols with a new bar are looked over again, at most for a part of the time (`REST`), and counting takes 10 ms.
All of it happens in a thread. What is kept are the endings, some hundred rows a symbol (candlesticks 1,600).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Bar
from evil2root.domain.signals.patterns.candles import candlesticks
from evil2root.domain.signals.patterns.detect import patterns
from evil2root.domain.signals.patterns.outcomes import ENDINGS_SCHEMA, Record, endings, records
from evil2root.engine.desk import Desk
from evil2root.engine.reads import Reads

SYMBOLS_MAX = 25
"""Symbols looked at, in the order of the watchlist."""
BARS_MAX = 5_000
"""Newest bars of each: twenty years of days."""
CANDLE_BARS_MAX = 1_000
"""For candlesticks, of which every bar has about two."""
REST = 20.0
"""After looking bars over it rests for so many times as long: a replay that shows bars by the second costs 5 % of a core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """How patterns ended on a universe, as known at a time."""

    by_kind: Mapping[str, Record]
    symbols: int
    bars: int
    """Of all symbols together."""
    until: datetime
    """Nothing that closed later was looked at."""

    def of(self, kind: str) -> Record:
        """The record of a kind; an empty one where none was ever found."""
        return self.by_kind.get(kind) or Record(kind=kind, reached=0, failed=0, undecided=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was found in one symbol's bars."""

    newest: Bar
    closed_at: pl.Series
    endings: pl.DataFrame


@dataclass(slots=True)
class _Shelf:
    """What is kept of one interval, of shapes or of candlesticks."""

    seen: dict[str, _Seen] = field(default_factory=dict)
    rests_until_s: float = 0.0


class PatternRecords:
    """The records of every interval that was asked for; one desk's."""

    def __init__(self, *, now_s: Callable[[], float] | None = None) -> None:
        self._now_s = now_s or _steady
        self._lock = asyncio.Lock()
        self._reads: Reads | None = None
        self._shelves: dict[tuple[Interval, bool], _Shelf] = {}

    async def known(self, desk: Desk, interval: Interval, *, until: datetime, candles: bool = False) -> Realised:
        """Return the records as they were known at `until`: nothing that was confirmed or ended later is counted.

        While they are being renewed, others who ask get those from before; only the very first have to wait.
        """
        if self._reads is not desk.reads:  # another desk has another history
            self._reads, self._shelves = desk.reads, {}
        shelf = self._shelves.setdefault((interval, candles), _Shelf())
        if not (shelf.seen and self._lock.locked()):
            async with self._lock:
                await self._renew(desk, interval, shelf, candles=candles)
        watched = _watched(desk)
        seen = [one for symbol, one in shelf.seen.items() if symbol in watched]
        return await asyncio.to_thread(_realised, seen, until)

    async def _renew(self, desk: Desk, interval: Interval, shelf: _Shelf, *, candles: bool) -> None:
        if self._now_s() < shelf.rests_until_s:
            return
        now = desk.status().now
        newest = await desk.reads.last_bars(_watched(desk), interval, until=now)
        fresh = {}
        began = self._now_s()
        for symbol, bar in newest.items():
            # A split or dividend comes with a bar of its day; a late bar among older ones waits for the next.
            if symbol not in shelf.seen or shelf.seen[symbol].newest != bar:
                limit = CANDLE_BARS_MAX if candles else BARS_MAX
                frame = await desk.reads.bars(symbol, interval, start=None, until=now, limit=limit)
                fresh[symbol] = await asyncio.to_thread(_looked_over, frame, bar, candles=candles)
        if fresh:
            ended = self._now_s()
            shelf.seen = {**shelf.seen, **fresh}  # at once: nobody is told of half of them
            shelf.rests_until_s = ended + REST * (ended - began)


def _watched(desk: Desk) -> list[str]:
    return list(desk.policy.traded[:SYMBOLS_MAX])


def _looked_over(frame: pl.DataFrame, newest: Bar, *, candles: bool) -> _Seen:
    find = candlesticks if candles else patterns
    found = find(frame, symbol=newest.symbol, interval=newest.interval)
    return _Seen(newest=newest, closed_at=frame["closed_at"], endings=endings(found, frame))


def _realised(seen: list[_Seen], until: datetime) -> Realised:
    table = pl.concat([one.endings for one in seen]) if seen else pl.DataFrame(schema=ENDINGS_SCHEMA)
    shown = [int(one.closed_at.search_sorted(until, side="right")) for one in seen]
    newest = [one.newest.closed_at for one in seen]
    return Realised(
        by_kind=records(table, until=until), symbols=sum(bars > 0 for bars in shown), bars=sum(shown),
        until=min(until, max(newest, default=until)),
    )  # fmt: skip


def _steady() -> float:
    return asyncio.get_running_loop().time()
