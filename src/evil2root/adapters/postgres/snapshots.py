"""Series of bars as Parquet files in the data directory, for whoever reads whole series again and again: research.

A file is named by what it holds: the series, its mark in the database (another one after every change) and the hash of
its own bytes. One with another mark is old, one with another hash is damaged; both are made again. The database stays
the truth: no file is read without asking it for the mark.
"""

import asyncio
import io
import os
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import polars as pl
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA

log = structlog.get_logger()

HASH_LETTERS = 32
"""Of the hash in a file's name: 128 bits, far beyond any damage by chance."""


class Snapshots:
    """Reads whole series through files; the same bars as `PostgresBars.stored`, bit for bit."""

    def __init__(self, engine: AsyncEngine, folder: Path) -> None:
        self._engine, self._bars, self._folder = engine, PostgresBars(engine), folder

    async def stored(self, symbol: str, interval: Interval) -> pl.DataFrame:
        """Return raw bars with their factors, `STORED_SCHEMA`, oldest first; empty where there are none."""
        mark = await self._mark(symbol, interval)
        if mark is None:
            return await self._bars.stored(symbol, interval)
        stem = f"{quote(symbol, safe='')}_{interval.value}."
        kept = await asyncio.to_thread(self._read, stem, mark)
        if kept is not None:
            return kept
        # The mark was asked for first: bars that change meanwhile are kept under a mark that nobody asks for again.
        stored = await self._bars.stored(symbol, interval)
        await asyncio.to_thread(self._write, stem, mark, stored)
        return stored

    async def _mark(self, symbol: str, interval: Interval) -> str | None:
        series = tables.bar_series
        query = select(series.c.mark).where(series.c.symbol == symbol, series.c.interval == interval.value)
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    def _read(self, stem: str, mark: str) -> pl.DataFrame | None:
        for path in self._files(stem):
            told = path.name.removeprefix(stem).split(".")
            if told[:1] != [mark]:
                continue
            try:
                content = path.read_bytes()
                if [_hash(content), "parquet"] != told[1:]:
                    log.warning("snapshot.damaged", file=path.name)
                    return None
                frame = pl.read_parquet(io.BytesIO(content))
            except (OSError, pl.exceptions.PolarsError) as problem:
                log.warning("snapshot.unreadable", file=path.name, problem=str(problem))
                return None
            return frame if frame.schema == STORED_SCHEMA else None
        return None

    def _write(self, stem: str, mark: str, stored: pl.DataFrame) -> None:
        buffer = io.BytesIO()
        stored.write_parquet(buffer, compression="lz4")
        content = buffer.getvalue()
        half = self._folder / f".{stem}{os.getpid()}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            half.write_bytes(content)
            old = self._files(stem)
            fresh = half.replace(self._folder / f"{stem}{mark}.{_hash(content)}.parquet")
            for path in old:
                if path != fresh:
                    path.unlink(missing_ok=True)
        except OSError as problem:  # the bars are at hand without it
            log.warning("snapshot.unwritten", folder=str(self._folder), problem=str(problem))

    def _files(self, stem: str) -> list[Path]:
        """Files of one series. A glob would take brackets in names for patterns."""
        if not self._folder.is_dir():
            return []
        return [path for path in self._folder.iterdir() if path.name.startswith(stem) and path.suffix == ".parquet"]


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()[:HASH_LETTERS]
