"""The replay feed: recorded history, told bar by bar as if it were happening."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from evil2root.adapters.market_data.files import read_folder
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Bar, BarsUnavailable
from evil2root.domain.market.history import History
from evil2root.domain.market.importing import span
from evil2root.domain.market.sources import BarGroup

WARM_UP_BARS = 320
"""Bars of the longest series that a fresh account is given as history: the 300 a decision asks for, and some room."""

Keep = Callable[[Sequence[History]], Awaitable[None]]
"""Writes histories down, so that what is told can be looked up; writing the same bars twice adds nothing."""


async def keep_nothing(histories: Sequence[History]) -> None:
    """Write nothing down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """Rows of the series that close together: (place of the symbol, row), in the order of the watchlist."""

    closed_at: datetime
    rows: tuple[tuple[int, int], ...]


_Columns = tuple[list[datetime], list[datetime], list[float], list[float], list[float], list[float], list[float]]
"""Columns of bars in the order of `Bar`'s fields, as plain values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """Histories as plain values, in the order they are told. Roughly 4 us a bar to make."""

    columns: tuple[_Columns, ...]
    moments: tuple[_Moment, ...]

    @classmethod
    def of(cls, histories: Sequence[History]) -> "_Told":
        return cls(
            columns=tuple(_columns(history.adjusted) for history in histories), moments=tuple(_moments(histories))
        )


class ReplayFeed:
    """Tells recorded bars, adjusted, at `speed` bars a second per symbol; waits for whoever reads it.

    With `loop` the history starts again when it ends, every time later by whole weeks, so that weekdays stay and no
    bar has the time of another. The hour of the day is then off by one where summer time falls otherwise.
    """

    name = "replay"

    def __init__(
        self, histories: Mapping[str, History], *, speed: float = 1.0, loop: bool = False, keep: Keep = keep_nothing
    ) -> None:
        """Take histories in the order of the watchlist, all of one interval, each with at least one bar."""
        if not histories or not all(history.stored.height for history in histories.values()):
            msg = "A replay needs at least one bar of every symbol it is to tell."
            raise BarsUnavailable(msg)
        if not speed >= 0:
            msg = f"The replay's speed is {speed}; it must be 0 (as fast as possible) or more bars a second."
            raise ValueError(msg)
        self.histories = tuple(histories.values())
        self.speed = speed
        self.loop = loop
        self._keep = keep
        self._told: _Told | None = None
        bounds = [span(history) for history in self.histories]
        length = max(last for _, last in bounds) - min(first for first, _ in bounds)
        self.round_length = timedelta(weeks=length // timedelta(weeks=1) + 1)
        """By how much each round of a loop is later than the one before."""

    @property
    def origin(self) -> str:
        """Where the bars come from and their dates, one part a source."""
        return "; ".join(dict.fromkeys(f"{_names(self.histories, h.origin)}: {h.origin}" for h in self.histories))

    @property
    def starts_after(self) -> datetime:
        """Cursor of a fresh account: what closed until then is history, so that first decisions are not all warm-up.

        A history shorter than twice the warm-up keeps its second half to be told.
        """
        longest = max((history.stored["closed_at"] for history in self.histories), key=len)
        return longest[min(WARM_UP_BARS, len(longest) // 2) - 1] if len(longest) > 1 else _just_before(longest[0])

    def total(self, after: datetime | None = None) -> int | None:
        """Count the bars that close after a cursor; none when the replay loops."""
        if self.loop:
            return None
        cursor = self.starts_after if after is None else after
        return sum(int((history.stored["closed_at"] > cursor).sum()) for history in self.histories)

    def history(self, until: datetime) -> dict[str, pl.DataFrame]:
        """Return raw bars and factors (`STORED_SCHEMA`) of the first round that closed at or before `until`."""
        return {h.symbol: h.stored.filter(pl.col("closed_at") <= until) for h in self.histories}

    async def groups(self, after: datetime | None) -> AsyncIterator[BarGroup]:
        """Yield the groups that close after `after` (none: all but the warm-up), oldest first."""
        cursor = self.starts_after if after is None else after
        if self._told is None:  # not before: 0.3 s for 90,000 bars that a start need not wait for
            self._told = await asyncio.to_thread(_Told.of, self.histories)
        told = self._told
        pace = _Pace(self.speed, len(self.histories))
        number = max(0, (cursor - told.moments[0].closed_at) // self.round_length)
        while True:
            shift = number * self.round_length
            if number:
                await self._keep([_shifted(history, shift) for history in self.histories])
            for moment in told.moments:
                if moment.closed_at + shift > cursor:
                    await pace.wait(moment.rows)
                    yield self._group(told, moment, shift)
            number += 1
            if not self.loop:
                return

    def _group(self, told: "_Told", moment: _Moment, shift: timedelta) -> BarGroup:
        return BarGroup(closed_at=moment.closed_at + shift, bars=tuple(self._bars(told, moment, shift)))

    def _bars(self, told: "_Told", moment: _Moment, shift: timedelta) -> Iterator[Bar]:
        for place, row in moment.rows:
            opened, closed, open_, high, low, close, volume = told.columns[place]
            history = self.histories[place]
            yield Bar(
                symbol=history.symbol, interval=history.interval, opened_at=opened[row] + shift,
                closed_at=closed[row] + shift, open=open_[row], high=high[row], low=low[row], close=close[row],
                volume=volume[row],
            )  # fmt: skip


class _Pace:
    """Makes each symbol's bars at least 1 / speed seconds apart. Time lost to a slow reader is not caught up."""

    def __init__(self, speed: float, symbols: int) -> None:
        self._step = 1.0 / speed if speed else 0.0
        self._due = [0.0] * symbols

    async def wait(self, rows: tuple[tuple[int, int], ...]) -> None:
        """Sleep until all symbols of a group are due."""
        loop = asyncio.get_running_loop()
        if self._step:
            await asyncio.sleep(max(0.0, max(self._due[place] for place, _ in rows) - loop.time()))
        else:
            await asyncio.sleep(0)  # lets the rest of the program run
        for place, _ in rows:
            self._due[place] = loop.time() + self._step


def load_histories(
    *, path: Path | None, watchlist: Sequence[str], interval: Interval, now: datetime
) -> dict[str, History]:
    """Read the packaged history, or the folder at `path`, for the watchlist (empty: every symbol it has).

    Raises `BarsUnavailable` for a symbol or interval it does not have, `BadTable` for a file that can't be taken in.
    """
    found = packaged(interval) if path is None else read_folder(path, wanted=interval, now=now)
    missing = [symbol for symbol in watchlist if symbol not in found]
    if missing:
        where = "The packaged history" if path is None else f"The folder {path}"
        msg = (
            f"{where} has no {interval} bars of {', '.join(missing)}; it has {', '.join(found)}. "
            "Change EVIL2ROOT_WATCHLIST or EVIL2ROOT_INTERVAL, or set EVIL2ROOT_REPLAY__PATH to a folder that has them."
        )
        raise BarsUnavailable(msg)
    return {symbol: found[symbol] for symbol in watchlist or found}


def _moments(histories: Sequence[History]) -> list[_Moment]:
    rows: dict[datetime, list[tuple[int, int]]] = {}
    for place, history in enumerate(histories):
        for row, closed in enumerate(history.stored["closed_at"].to_list()):
            rows.setdefault(closed, []).append((place, row))
    return [_Moment(closed_at=closed, rows=tuple(rows[closed])) for closed in sorted(rows)]


def _columns(frame: pl.DataFrame) -> _Columns:
    opened, closed = frame["opened_at"].to_list(), frame["closed_at"].to_list()
    open_, high, low, close, volume = (frame[name].to_list() for name in ("open", "high", "low", "close", "volume"))
    return opened, closed, open_, high, low, close, volume


def _shifted(history: History, shift: timedelta) -> History:
    moved = history.stored.with_columns(pl.col("opened_at") + shift, pl.col("closed_at") + shift)
    return History(symbol=history.symbol, interval=history.interval, stored=moved, origin=history.origin)


def _names(histories: Sequence[History], origin: str) -> str:
    return ", ".join(history.symbol for history in histories if history.origin == origin)


def _just_before(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=1)
