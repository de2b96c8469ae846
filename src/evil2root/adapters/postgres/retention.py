"""Takes away what is older than was asked to be kept, in small steps, each a transaction of its own."""

import asyncio
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.audit import PostgresAudit
from evil2root.adapters.postgres.bar_series import changed
from evil2root.adapters.postgres.bars import driver
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.keeping import Removed, Retention, intraday

STEP_ROWS = 5_000
"""Rows of one step: some 30 ms of locks that nobody else wants."""

PAUSE_S = 0.05
"""Between steps, so that trading and pages come first."""

_DECIDED = text("SELECT DISTINCT interval FROM decisions")
_SERIES = text("SELECT symbol, interval FROM bar_series WHERE interval = ANY(:intervals) ORDER BY symbol, interval")
_BARS = (
    "DELETE FROM bars WHERE symbol = $1 AND interval = $2 AND opened_at = ANY (ARRAY("
    "SELECT opened_at FROM bars WHERE symbol = $1 AND interval = $2 AND opened_at < $3 ORDER BY opened_at LIMIT $4))"
)
_MARKS = (
    "DELETE FROM bar_marks m WHERE symbol = $1 AND interval = $2 AND opened_at < $3 AND NOT EXISTS ("
    "SELECT FROM bars b WHERE b.symbol = m.symbol AND b.interval = m.interval AND b.opened_at = m.opened_at)"
)
_OLD_BARS = (
    "SELECT coalesce(sum((SELECT count(*) FROM bars b WHERE b.symbol = s.symbol AND b.interval = s.interval "
    "AND b.opened_at < $1)), 0)::bigint FROM bar_series s WHERE s.interval = ANY ($2::text[])"
)
_OLD_COPIES = {
    "versions": "SELECT count(*) FROM bar_versions WHERE replaced_at < $1 AND interval <> ALL ($2::text[])",
    "set_aside": "SELECT count(*) FROM quarantined_rows WHERE fetched_at < $1 AND interval <> ALL ($2::text[])",
}
_COPIES = {
    "versions": "DELETE FROM bar_versions WHERE ctid = ANY (ARRAY("
    "SELECT ctid FROM bar_versions WHERE replaced_at < $1 AND interval <> ALL ($3::text[]) LIMIT $2))",
    "set_aside": "DELETE FROM quarantined_rows WHERE ctid = ANY (ARRAY("
    "SELECT ctid FROM quarantined_rows WHERE fetched_at < $1 AND interval <> ALL ($3::text[]) LIMIT $2))",
}


class PostgresRetention:
    """Applies a retention. Interrupted anywhere, the next round goes on."""

    def __init__(self, engine: AsyncEngine, *, step_rows: int = STEP_ROWS, pause_s: float = PAUSE_S) -> None:
        self._engine, self._step_rows, self._pause_s = engine, step_rows, pause_s

    async def apply(self, retention: Retention, *, traded: Interval, now: datetime) -> Removed:
        """Take away what is too old at `now`; the audit log says beforehand what that is."""
        kept = await self._kept(traded)
        bars_before = None if retention.intraday is None else now - retention.intraday
        copies_before = None if retention.copies is None else now - retention.copies
        old = await self._old(bars_before, copies_before, kept)
        if old.is_nothing:
            return old
        await PostgresAudit(self._engine).write(
            at=now, actor="retention", origin="bot", action="remove", subject="bars", before=None,
            after=f"{old.bars} bars opened before {bars_before}, {old.versions} former values and {old.set_aside} rows "
            f"set aside before {copies_before}; left whole: {', '.join(sorted(kept))}",
        )  # fmt: skip
        bars = 0 if bars_before is None else await self._bars(bars_before, kept)
        gone = dict.fromkeys(_COPIES, 0)
        if copies_before is not None:
            held = sorted(interval.value for interval in kept)
            for what, statement in _COPIES.items():
                gone[what] = await self._all(statement, copies_before, self._step_rows, held)
        return Removed(bars=bars, **gone)

    async def _old(
        self, bars_before: datetime | None, copies_before: datetime | None, kept: frozenset[Interval]
    ) -> Removed:
        held, counts = sorted(interval.value for interval in kept), dict.fromkeys(_COPIES, 0)
        async with self._engine.connect() as connection:
            raw = await driver(connection)
            bars = 0
            if bars_before is not None:
                intervals = [interval.value for interval in intraday(kept=kept)]
                bars = await raw.fetchval(_OLD_BARS, bars_before, intervals)
            if copies_before is not None:
                for what, statement in _OLD_COPIES.items():
                    counts[what] = await raw.fetchval(statement, copies_before, held)
        return Removed(bars=bars, **counts)

    async def _kept(self, traded: Interval) -> frozenset[Interval]:
        async with self._engine.connect() as connection:
            decided = (await connection.execute(_DECIDED)).scalars()
            return frozenset({traded, *(Interval(value) for value in decided)})

    async def _bars(self, before: datetime, kept: frozenset[Interval]) -> int:
        intervals = [interval.value for interval in intraday(kept=kept)]
        async with self._engine.connect() as connection:
            series = (await connection.execute(_SERIES, {"intervals": intervals})).all()
        count = 0
        for symbol, interval in series:
            gone = await self._all(_BARS, symbol, interval, before, self._step_rows, series=(symbol, interval))
            if gone:
                await self._step(_MARKS, symbol, interval, before)
            count += gone
        return count

    async def _all(self, statement: str, *given: Any, series: tuple[str, str] | None = None) -> int:
        count = 0
        while True:
            gone = await self._step(statement, *given, series=series)
            count += gone
            if gone < self._step_rows:
                return count
            await asyncio.sleep(self._pause_s)

    async def _step(self, statement: str, *given: Any, series: tuple[str, str] | None = None) -> int:
        async with self._engine.begin() as connection:
            await connection.exec_driver_sql("SELECT 1")  # SQLAlchemy begins with its own first statement
            raw: asyncpg.Connection[Any] = await driver(connection)
            gone = int((await raw.execute(statement, *given)).split()[-1])
            if gone and series is not None:
                await changed(raw, [series])
        return gone
