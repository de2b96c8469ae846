"""The audit log: who did what, each line chained to the one before by its hash."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evil2root.adapters.postgres.failures import first_line
from evil2root.adapters.postgres.tables import audit_log

LOCK_KEY = 0x6532725F61756474
"""Names the lock under which lines are appended, one after the other: the bytes of "e2r_audt"."""

GENESIS = "0" * 64
"""The hash before the first line."""


class PostgresAudit:
    """Appends lines, each in a transaction of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def write(  # noqa: PLR0913 - the columns of the log
        self, *, at: datetime, actor: str, origin: str, action: str, subject: str, before: str | None, after: str | None
    ) -> None:
        """Append a line; durable when it returns. Raises `ConnectionError` when it can't be written now."""
        try:
            async with self._engine.begin() as connection:
                await audit(
                    connection, at=at, actor=actor, origin=origin, action=action, subject=subject, before=before, after=after
                )  # fmt: skip
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            msg = f"The audit log can't be written: {first_line(error)}"
            raise ConnectionError(msg) from error


async def audit(  # noqa: PLR0913 - the columns of the log
    connection: AsyncConnection, *, at: datetime, actor: str, origin: str, action: str, subject: str,
    before: str | None, after: str | None,
) -> int:  # fmt: skip
    """Append a line within the caller's transaction, and give its number.

    Whoever appends waits for the transaction of who appended before: call it last, and commit soon.
    """
    await connection.execute(select(func.pg_advisory_xact_lock(LOCK_KEY)))
    newest = select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)
    last = (await connection.execute(newest)).first()
    line: dict[str, Any] = {
        "seq": 1 if last is None else last.seq + 1, "at": at, "actor": actor, "origin": origin, "action": action,
        "object": subject, "before": before, "after": after,
    }  # fmt: skip
    line = {name: value.replace("\x00", "\ufffd") if isinstance(value, str) else value for name, value in line.items()}
    line["hash"] = chained(GENESIS if last is None else last.hash, line)
    await connection.execute(insert(audit_log).values(line))
    return int(line["seq"])


def chained(previous: str, line: Mapping[Any, Any]) -> str:
    """Hash a line together with the hash of the line before: a change anywhere breaks the chain from there on."""
    said = {name: line[name] for name in ("seq", "actor", "origin", "action", "object", "before", "after")}
    said["at"] = line["at"].astimezone(UTC).isoformat(timespec="microseconds")
    spelled = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(f"{previous}{spelled}".encode()).hexdigest()
