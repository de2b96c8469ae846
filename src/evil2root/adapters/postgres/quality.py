"""Rows set aside, oddities, marks of bars, and what bars said before."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import polars as pl
from sqlalchemy import Executable, Row, Text, and_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.failures import GONE, first_line
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.cleaning import QUARANTINE_SCHEMA, Cleaned
from evil2root.domain.market.passport import LOOKBACK, MARKS_SCHEMA
from evil2root.domain.market.quality import Issue

BATCH = 1_000
"""Rows of one statement."""

ISSUES_MAX = 1_000
"""Oddities of one series that a report takes from the store; the newest."""


class PostgresQuality:
    """Keeps what cleaning found. Keeping the same answer twice adds nothing but the time it was last seen."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, cleaned: Cleaned, *, on: AsyncConnection | None = None) -> None:
        """Keep the rows set aside, the issues and the marks of an answer; the bars themselves are stored elsewhere.

        `on` an open connection it is part of that transaction: the one that stored the bars, which tells those that
        changed by their `stored_at`.
        """
        if on is not None:
            await self._keep(on, cleaned)
            return
        async with self._engine.begin() as connection:
            await self._keep(connection, cleaned)

    async def note(self, issue: Issue, *, symbol: str, interval: Interval, source: str, at: datetime) -> None:
        """Keep an oddity of an answer that had no rows at all: none came, or it could not be read."""
        async with self._engine.begin() as connection:
            await self._note(connection, [issue], symbol=symbol, interval=interval, source=source, at=at)

    async def _keep(self, connection: AsyncConnection, cleaned: Cleaned) -> None:
        whose = {"symbol": cleaned.symbol, "interval": cleaned.interval.value}
        rows = [
            {"key": _key(cleaned.symbol, cleaned.interval, cleaned.source, *row.values()), **whose,
             "source": cleaned.source, "fetched_at": cleaned.fetched_at, **row}
            for row in cleaned.quarantined.iter_rows(named=True)
        ]  # fmt: skip
        for batch in _batches(rows):
            await connection.execute(insert(tables.quarantined_rows).values(batch).on_conflict_do_nothing())
        await self._note(
            connection, cleaned.issues, symbol=cleaned.symbol, interval=cleaned.interval, source=cleaned.source,
            at=cleaned.fetched_at,
        )  # fmt: skip
        if cleaned.good.height:
            span = {"first": cleaned.good["opened_at"][0], "last": cleaned.good["opened_at"][-1]}
            await connection.execute(_UNMARK, {**whose, **span})
        marks = [
            {**whose, "opened_at": at, "repaired": at in cleaned.repaired, "agreed": at in cleaned.agreed}
            for at in sorted(cleaned.repaired | cleaned.agreed)
        ]
        for batch in _batches(marks):
            given = insert(tables.bar_marks).values(batch)
            changes = {name: given.excluded[name] for name in ("repaired", "agreed")}
            await connection.execute(
                given.on_conflict_do_update(index_elements=["symbol", "interval", "opened_at"], set_=changes)
            )

    async def _note(  # noqa: PLR0913 - whose the issues are
        self, connection: AsyncConnection, issues: Iterable[Issue], *, symbol: str, interval: Interval, source: str,
        at: datetime,
    ) -> None:  # fmt: skip
        rows = {}
        for one in issues:
            key = _key(symbol, interval, source, one.kind, one.start, one.end, one.rows, one.action, one.detail)
            rows[key] = {
                "key": key, "symbol": symbol, "interval": interval.value, "source": source, "kind": one.kind,
                "start": one.start, "end": one.end, "rows": one.rows, "action": one.action, "detail": one.detail,
                "first_seen": at, "last_seen": at,
            }  # fmt: skip
        for batch in _batches(list(rows.values())):
            given = insert(tables.data_issues).values(batch)
            await connection.execute(
                given.on_conflict_do_update(index_elements=["key"], set_={"last_seen": given.excluded.last_seen})
            )

    async def issues(self, symbol: str, interval: Interval, *, until: datetime | None = None) -> list[Issue]:
        """Return what cleaning found odd, oldest first, the newest `ISSUES_MAX`; gaps are left to whoever has the bars.

        `until`: only what begins before.
        """
        issue = tables.data_issues
        query = (
            select(issue)
            .where(issue.c.symbol == symbol, issue.c.interval == interval.value, issue.c.kind != "gap")
            .order_by(issue.c.start.desc(), issue.c.key)
            .limit(ISSUES_MAX)
        )
        if until is not None:
            query = query.where(issue.c.start <= until)
        found = [
            Issue(kind=r.kind, start=r.start, end=r.end, rows=r.rows, action=r.action, detail=f"{r.source}: {r.detail}")
            for r in await self._rows(query)
        ]
        return found[::-1]

    async def series(self) -> list[tuple[str, Interval]]:
        """Return the series that cleaning found something odd in."""
        issue = tables.data_issues
        rows = await self._rows(select(issue.c.symbol, issue.c.interval).distinct().order_by(issue.c.symbol))
        return [(row.symbol, Interval(row.interval)) for row in rows]

    async def quarantined(self, symbol: str, interval: Interval, *, limit: int = 200) -> pl.DataFrame:
        """Return the rows set aside last, `QUARANTINE_SCHEMA`, newest first."""
        row = tables.quarantined_rows
        query = (
            select(*(row.c[name] for name in QUARANTINE_SCHEMA))
            .where(row.c.symbol == symbol, row.c.interval == interval.value)
            .order_by(row.c.fetched_at.desc(), row.c.opened_at.desc(), row.c.key)
            .limit(limit)
        )
        rows = [tuple(found) for found in await self._rows(query)]
        return pl.DataFrame(rows, schema=QUARANTINE_SCHEMA, orient="row")

    async def newest(self, opened: Mapping[str, datetime], interval: Interval) -> Mapping[str, pl.DataFrame]:
        """Return what passports look back on, of all bars by one question: see `BarMarks`."""
        asked = {"symbols": list(opened), "openings": list(opened.values()), "interval": interval.value}
        rows = [tuple(found) for found in await self._rows(_NEWEST_MARKS, asked)]
        table = pl.DataFrame(rows, schema={"symbol": pl.String(), **MARKS_SCHEMA}, orient="row")
        return {
            str(key[0]): part for key, part in table.partition_by("symbol", as_dict=True, include_key=False).items()
        }

    async def marks(self, symbol: str, interval: Interval) -> pl.DataFrame:
        """Return the marks of all stored bars, `MARKS_SCHEMA`, oldest first."""
        bar, mark = tables.bars, tables.bar_marks
        same = [bar.c[name] == mark.c[name] for name in ("symbol", "interval", "opened_at")]
        query = (
            select(
                bar.c.opened_at, bar.c.source, func.coalesce(mark.c.repaired, False).label("repaired"),
                func.coalesce(mark.c.agreed, False).label("agreed"),
            )
            .select_from(bar.outerjoin(mark, and_(*same)))
            .where(bar.c.symbol == symbol, bar.c.interval == interval.value)
            .order_by(bar.c.opened_at)
        )  # fmt: skip
        return pl.DataFrame([tuple(found) for found in await self._rows(query)], schema=MARKS_SCHEMA, orient="row")

    async def _rows(self, query: Executable, asked: Mapping[str, object] | None = None) -> list[Row[Any]]:
        try:
            async with self._engine.connect() as connection:
                return list((await connection.execute(query, asked)).all())
        except (SQLAlchemyError, OSError, *GONE) as error:
            msg = f"What is known of the bars' quality can't be read: {first_line(error)}"
            raise BarsUnavailable(msg) from error


_NEWEST_MARKS = text(
    "SELECT asked.symbol, newest.opened_at, newest.source, newest.repaired, newest.agreed "  # noqa: S608 - our own number
    "FROM unnest(:symbols, :openings) AS asked (symbol, opened_at), LATERAL ("
    "SELECT b.opened_at, b.source, coalesce(m.repaired, false) AS repaired, coalesce(m.agreed, false) AS agreed FROM ("
    "SELECT symbol, interval, opened_at, source FROM bars WHERE symbol = asked.symbol AND interval = :interval "
    f"AND opened_at <= asked.opened_at ORDER BY opened_at DESC LIMIT {4 * LOOKBACK}) AS b "
    "LEFT JOIN bar_marks m USING (symbol, interval, opened_at)) AS newest "
    "WHERE newest.opened_at = asked.opened_at OR newest.repaired ORDER BY asked.symbol, newest.opened_at"
).bindparams(
    bindparam("symbols", type_=ARRAY(Text)), bindparam("openings", type_=ARRAY(TIMESTAMP(timezone=True)))
)  # fmt: skip
"""Of the bars before one only the repaired ones are brought: nothing else is asked of them."""


_UNMARK = text(
    "UPDATE bar_marks m SET repaired = false, agreed = false FROM bars b WHERE b.symbol = m.symbol "
    "AND b.interval = m.interval AND b.opened_at = m.opened_at AND b.stored_at = now() AND (m.repaired OR m.agreed) "
    "AND m.symbol = :symbol AND m.interval = :interval AND m.opened_at BETWEEN :first AND :last"
).bindparams(bindparam("first", type_=TIMESTAMP(timezone=True)), bindparam("last", type_=TIMESTAMP(timezone=True)))
"""What was said of a bar was said of its former values. One that is told again as it is stored keeps its marks, also
when the source that confirmed it is silent this time; one that was set aside this time was not replaced."""


def _key(*parts: object) -> str:
    """Name a row by its contents: told again it is the same one."""
    return sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]


def _batches(rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
