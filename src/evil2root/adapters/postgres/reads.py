"""The read side over PostgreSQL: every look-up is bounded and served by an index."""

from time import perf_counter

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.codec import AUDIT_LINE, DRILL, PARKED_LINE
from evil2root.adapters.postgres.paging import page
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.adapters.postgres.reads_books import BookReads
from evil2root.adapters.postgres.reads_decisions import DecisionReads
from evil2root.adapters.postgres.reads_market import MarketReads
from evil2root.adapters.postgres.verify import first_breach
from evil2root.domain.market.calendars import Calendars
from evil2root.engine.drilled import DrillResult
from evil2root.engine.hot import HotWindows
from evil2root.engine.reads import AuditLine, Breach, DatabaseHealth, Page, ParkedLine

_HEALTH = text(
    "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size, "
    "(SELECT version_num FROM alembic_version) AS revision"
)


class PostgresReads(BookReads, DecisionReads, MarketReads):
    """Look-ups of one account, as `Reads` says; for a replica too."""

    def __init__(
        self, engine: AsyncEngine, *, account: str, calendars: Calendars | None = None, hot: HotWindows | None = None
    ) -> None:
        self._whole = engine
        # One query a transaction: without a BEGIN and a ROLLBACK around each, a look-up is one round trip.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._account = account
        self._bars = PostgresBars(self._engine)
        self._quality = PostgresQuality(self._engine)
        self._calendars = calendars
        self._hot = hot

    async def audit(self, *, limit: int, cursor: str | None) -> Page[AuditLine]:
        """Return the audit log, newest first."""
        log = tables.audit_log
        async with self._engine.connect() as connection:
            return await page(
                connection, select(log), key=log.c.seq, limit=limit, cursor=cursor, value=AUDIT_LINE.value
            )  # fmt: skip

    async def parked(self, *, limit: int) -> tuple[ParkedLine, ...]:
        """Return the newest parked events, newest first."""
        event = tables.parked_events
        query = select(event).where(event.c.account == self._account).order_by(event.c.number.desc()).limit(limit)
        async with self._engine.connect() as connection:
            return tuple(PARKED_LINE.value(row) for row in (await connection.execute(query)).mappings())

    async def drills(self, *, limit: int) -> tuple[DrillResult, ...]:
        """Return what the newest drills showed, newest first."""
        drill = tables.drills
        query = select(drill).where(drill.c.account == self._account).order_by(drill.c.number.desc()).limit(limit)
        async with self._engine.connect() as connection:
            return tuple(DRILL.value(row) for row in (await connection.execute(query)).mappings())

    async def verify(self) -> Breach | None:
        """Recompute every balance and invariant from the journal; the first breach, or none."""
        return await first_breach(self._whole)

    async def health(self) -> DatabaseHealth:
        """Return how the database is, and how long it takes to answer."""
        async with self._engine.connect() as connection:
            began = perf_counter()
            row = (await connection.execute(_HEALTH)).one()
            took = perf_counter() - began
        return DatabaseHealth(
            version=row.version, schema=row.revision or "", size_bytes=row.size, round_trip_ms=1000 * took
        )
