"""A folder of `SYMBOL_INTERVAL.csv` or `.parquet` files as a source of bars; something else keeps writing them."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from evil2root.adapters.market_data.files import read_table
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import SYMBOL, instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable, NotCovered, Unreadable
from evil2root.domain.market.importing import FILE_NAME, BadTable
from evil2root.domain.market.leniently import raw_rows
from evil2root.domain.market.sources import Fetched

FILES_KEPT = 500
"""Tables held in memory, as many as a watchlist may name; the one asked for least lately goes first."""

SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A file as it was when it was read."""

    version: tuple[int, int]
    """When it was written, nanoseconds, and its bytes."""
    rows: pl.DataFrame


class FolderSource:
    """Tells what the files say, unchecked: values that are no numbers and times that are none become nulls.

    A file is read again when it changed. A plain date means that day's session; a time needs its zone.
    """

    name = "folder"

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._kept: dict[Path, _Read] = {}
        self._one_reads = asyncio.Lock()

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        """Return rows that open in `[start, end)`, and those whose time can't be read.

        Raises `NotCovered` without such a file, `BarsUnavailable` for a folder that is away or a file that is no table.
        """
        asked_at = self._clock.now()
        async with self._one_reads:
            rows = await asyncio.to_thread(self._rows, symbol, interval)
        at = pl.col("opened_at")
        asked = rows.filter(at.is_null() | ((at >= start) & (at < end)))
        return Fetched(symbol=symbol, interval=interval, rows=asked, source=self.name, fetched_at=asked_at)

    async def close(self) -> None:
        """Nothing is held open."""

    def _rows(self, symbol: str, interval: Interval) -> pl.DataFrame:
        path = self._path(symbol, interval)
        try:
            stat = path.stat()
            version = (stat.st_mtime_ns, stat.st_size)
            known = self._kept.pop(path, None)
            if known is None or known.version != version:
                known = _Read(version=version, rows=_read(path, symbol, interval))
        except OSError as problem:
            msg = f"{path.name} can't be read ({problem.strerror})."
            raise BarsUnavailable(msg) from problem
        except BadTable as problem:
            raise Unreadable(str(problem)) from problem
        while len(self._kept) >= FILES_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[path] = known
        return known.rows

    def _path(self, symbol: str, interval: Interval) -> Path:
        if not self._folder.is_dir():
            msg = f"{self._folder} is no folder, or is away: EVIL2ROOT_FOLDER__PATH names it."
            raise BarsUnavailable(msg)
        for suffix in SUFFIXES:
            # A symbol may hold a slash (BTC/USD); no file's name can, and no question may leave the folder.
            path = self._folder / f"{symbol.replace('/', '-')}_{interval}{suffix}"
            if path.is_file():
                return path
        msg = f"{self._folder} has no {symbol}_{interval}.csv or .parquet."
        raise NotCovered(msg)


def symbols_in(folder: Path, interval: Interval) -> list[str]:
    """Return the symbols a folder has bars of, by name; none when it is away."""
    if not folder.is_dir():
        return []
    names = (FILE_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted({m["symbol"] for m in names if m is not None and m["interval"] == interval.value
                   and SYMBOL.fullmatch(m["symbol"])})  # fmt: skip


def _read(path: Path, symbol: str, interval: Interval) -> pl.DataFrame:
    return raw_rows(read_table(path), instrument=instrument_for(symbol), interval=interval, where=path.name)
