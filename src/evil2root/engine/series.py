"""The bars of a watchlist up to now: what the live engine decides on at each close."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.frame import BARS_SCHEMA
from evil2root.domain.market.sources import BarStore
from evil2root.domain.risk.recent import Recent
from evil2root.domain.signals.standing import STANDING, Standings, with_standings
from evil2root.engine.aligned import Aligned
from evil2root.engine.observe import bars_of

_SCHEMA = {**BARS_SCHEMA, STANDING: pl.Float64()}
_NOTHING = pl.DataFrame()

CHUNKS_MAX = 64
"""Pieces a series may lie in: copying all of it for each new bar would cost more than all else that is done with it."""


class Series:
    """Whole series by symbol, each bar with its standing among those `compared`, and the recent closes of all in step."""

    def __init__(self, store: BarStore, *, symbols: Iterable[str], compared: Sequence[str], interval: Interval) -> None:
        self._store, self._symbols, self._interval = store, tuple(symbols), interval
        self._compared = tuple(compared)
        self._frames: dict[str, pl.DataFrame] = {}
        self._standings = Standings({}, symbols=self._compared)
        self._aligned = Aligned({}, symbols=self._symbols, interval=interval)

    async def load(
        self, until: datetime, symbols: Iterable[str] | None, *, forget: Callable[[Iterable[str]], None]
    ) -> None:
        """Load the bars that closed by `until`, of all symbols or some.

        Other bars of one symbol can move the standings of all: `forget` is told whose series are other ones now.
        """
        frames = {symbol: frame.select(BARS_SCHEMA.names()) for symbol, frame in self._frames.items()}
        for symbol in self._symbols if symbols is None else symbols:
            frames[symbol] = await self._store.series(symbol, self._interval, until=until)
        ranked = await asyncio.to_thread(with_standings, frames, among=self._compared)
        before, self._frames = self._frames, ranked
        self._standings = Standings(self._frames, symbols=self._compared)
        self._aligned = Aligned.live(self._frames, symbols=self._symbols, interval=self._interval)
        forget(s for s, frame in self._frames.items() if not frame.equals(before.get(s, _NOTHING)))

    def add(self, bars: Sequence[Bar]) -> list[pl.DataFrame]:
        """Add bars that closed together and return the whole series of each, in their order."""
        rows = _rows(bars, self._standings.of(bars))
        grown = [_with(self._frames.get(bar.symbol), rows.slice(place, 1)) for place, bar in enumerate(bars)]
        self._frames.update(zip((bar.symbol for bar in bars), grown, strict=True))
        self._standings.add(bars)
        self._aligned.add(bars)
        return grown

    def recent(self, at: datetime) -> Recent:
        """Return what the market did in the last periods up to `at`."""
        return self._aligned.recent(at)

    def last_bar(self, symbol: str) -> tuple[Bar | None, int]:
        """Return the last bar of a symbol and its place in the series, counted from 1; none and 0 without one."""
        frame = self._frames.get(symbol)
        if frame is None or not frame.height:
            return None, 0
        return bars_of(frame.tail(1), symbol=symbol, interval=self._interval)[0], frame.height


def _rows(bars: Sequence[Bar], standings: Sequence[float | None]) -> pl.DataFrame:
    """One row a bar: made together, since a table of one costs as much as a table of hundreds."""
    columns: dict[str, list[object]] = {name: [getattr(bar, name) for bar in bars] for name in BARS_SCHEMA}
    return pl.DataFrame({**columns, STANDING: standings}, schema_overrides=_SCHEMA)


def _with(frame: pl.DataFrame | None, row: pl.DataFrame) -> pl.DataFrame:
    if frame is None or not frame.height:
        return row
    grown = frame.vstack(row)
    return grown.rechunk() if grown.n_chunks() > CHUNKS_MAX else grown
