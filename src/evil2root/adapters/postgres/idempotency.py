"""Requests that must not be carried out twice, in PostgreSQL."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.tables import idempotency
from evil2root.engine.idempotency import Asked, Kept


class PostgresOnce:
    """Fits `engine.idempotency.OnceStore`. Its table's key lets only one of two inserts through."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def begin(self, asked: Asked, *, at: datetime, forget_before: datetime) -> Kept | None:
        """Write a request down unless it is there: then return what is kept."""
        row = {"key": asked.key, "actor": asked.actor, "path": asked.path, "body_hash": asked.body_hash, "at": at}
        here = (idempotency.c.key == asked.key) & (idempotency.c.actor == asked.actor)
        async with self._engine.begin() as connection:
            await connection.execute(delete(idempotency).where(idempotency.c.at < forget_before))
            added = await connection.execute(
                insert(idempotency).values(row).on_conflict_do_nothing().returning(idempotency.c.key)
            )
            if added.first() is not None:
                return None
            found = (await connection.execute(select(idempotency).where(here))).mappings().one()
        return Kept(path=found["path"], body_hash=found["body_hash"], status=found["status"], answer=found["answer"])

    async def finish(self, asked: Asked, *, status: int, answer: str) -> None:
        """Keep the answer."""
        here = (idempotency.c.key == asked.key) & (idempotency.c.actor == asked.actor)
        async with self._engine.begin() as connection:
            await connection.execute(update(idempotency).where(here).values(status=status, answer=answer))
