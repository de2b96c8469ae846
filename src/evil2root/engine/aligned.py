"""Recent closes of a watchlist in step: the same rows for a whole backtest and for the last bar of a live feed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Bar
from evil2root.domain.risk.recent import PERIODS, Floats, Recent

TAIL_BARS = 2 * PERIODS + 8
"""Bars a symbol that cover the periods looked back on: two a period at most (a session's last half hour), one before."""

ROOM = 512
"""Rows that a live table has free when it is made anew."""

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Aligned:
    """Closes, volumes and log returns by close time (rows) and symbol (columns).

    Making it costs bars once; `recent` gives views. Rows written are never changed, so views stay what they were.
    """

    def __init__(self, frames: Mapping[str, pl.DataFrame], *, symbols: Sequence[str], interval: Interval) -> None:
        self.symbols = tuple(symbols)
        self._place = {symbol: n for n, symbol in enumerate(self.symbols)}
        self._length = interval.length // MICROSECOND
        series = [frames.get(symbol) for symbol in self.symbols]
        times = [_times(frame) for frame in series]
        closed = np.unique(np.concatenate(times)) if times else np.empty(0, np.int64)
        self._count = len(closed)
        self._closed = closed
        self._periods, self._ranks = self._numbered(closed)
        self._tables = np.full((3, len(closed), len(self.symbols)), np.nan)
        self._last = np.full(len(self.symbols), np.nan)
        for place, (frame, at) in enumerate(zip(series, times, strict=True)):
            if frame is not None and len(at):
                self._lay(place, frame, np.searchsorted(closed, at))

    @classmethod
    def live(cls, frames: Mapping[str, pl.DataFrame], *, symbols: Sequence[str], interval: Interval) -> "Aligned":
        """Take from each series only the bars that what comes next looks back on."""
        return cls({s: f.tail(TAIL_BARS) for s, f in frames.items()}, symbols=symbols, interval=interval)

    def add(self, bars: Sequence[Bar]) -> None:
        """Add the bars that closed together, after all others."""
        closed = np.array([(bars[0].closed_at - EPOCH) // MICROSECOND])
        if self._count == len(self._closed):
            self._make_room()
        row = self._count
        period = self._numbered(closed)[0]
        same = row > 0 and period[0] == self._periods[row - 1]
        self._closed[row], self._periods[row] = closed[0], period[0]
        self._ranks[row] = 0 if row == 0 else self._ranks[row - 1] + (0 if same else 1)
        returns, closes, volumes = self._tables[:, row]
        returns[:] = np.where(np.isnan(self._last), np.nan, 0.0)
        places = [self._place[bar.symbol] for bar in bars]
        now = np.array([bar.close for bar in bars])
        returns[places] = np.log(now) - np.log(self._last[places])
        closes[places] = self._last[places] = now
        volumes[places] = [bar.volume for bar in bars]
        self._count += 1

    def recent(self, at: datetime) -> Recent:
        """Return the rows of the last periods that were known at `at`, as views."""
        end = int(np.searchsorted(self._closed[: self._count], (at - EPOCH) // MICROSECOND, side="right"))
        start = self._start(end)
        returns, closes, volumes = self._tables[:, start:end]
        return Recent(
            symbols=self.symbols, periods=self._periods[start:end], returns=returns, closes=closes, volumes=volumes
        )

    def _start(self, end: int) -> int:
        """Return the first row of the periods that end with row `end - 1`."""
        if end == 0:
            return 0
        return int(np.searchsorted(self._ranks[:end], self._ranks[end - 1] - PERIODS + 1))

    def _numbered(self, closed: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the period of each close, and how many periods with a close came before it."""
        periods = (closed - 1) // self._length
        return periods, np.cumsum(np.diff(periods, prepend=periods[:1]) != 0)

    def _lay(self, place: int, frame: pl.DataFrame, rows: npt.NDArray[np.intp]) -> None:
        close = np.ascontiguousarray(frame["close"].to_numpy())
        logs = np.log(close)
        returns, closes, volumes = self._tables[:, :, place]
        returns[rows[0] + 1 :] = 0.0
        returns[rows[1:]] = logs[1:] - logs[:-1]
        closes[rows], volumes[rows] = close, frame["volume"].to_numpy()
        self._last[place] = close[-1]

    def _make_room(self) -> None:
        """Move what is still looked back on into a new table: what was handed out keeps the old one."""
        start = self._start(self._count)
        kept = self._count - start
        tables: Floats = np.full((3, 2 * kept + ROOM, len(self.symbols)), np.nan)
        tables[:, :kept] = self._tables[:, start : self._count]
        self._tables = tables
        for name in ("_closed", "_periods", "_ranks"):
            longer = np.zeros(2 * kept + ROOM, np.int64)
            longer[:kept] = getattr(self, name)[start : self._count]
            setattr(self, name, longer)
        self._count = kept


def _times(frame: pl.DataFrame | None) -> npt.NDArray[np.int64]:
    """Closes in microseconds from 1970."""
    empty = np.empty(0, np.int64)
    return empty if frame is None or not frame.height else frame["closed_at"].to_physical().to_numpy()
