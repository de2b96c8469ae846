"""The audit log: gapless, chained, whoever writes at the same time."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.audit import GENESIS, PostgresAudit, audit, chained

pytestmark = pytest.mark.postgres

AT = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


async def write(log: PostgresAudit, number: int) -> None:
    await log.write(
        at=AT + timedelta(seconds=number), actor="ann", origin="test", action="halt", subject="trading", before=None,
        after=f'reason "{number}"\n\x00 é',
    )  # fmt: skip


async def test_many_writers_at_once_leave_one_unbroken_chain(
    engine: AsyncEngine, connection: asyncpg.Connection
) -> None:
    await asyncio.gather(*(write(PostgresAudit(engine), number) for number in range(12)))

    rows = await connection.fetch("SELECT * FROM audit_log ORDER BY seq")
    previous = GENESIS
    for place, row in enumerate(rows, start=1):
        assert row["seq"] == place
        assert row["hash"] == chained(previous, row)
        previous = row["hash"]
    assert len({row["after"] for row in rows}) == 12


async def test_a_line_that_is_rolled_back_leaves_no_gap(engine: AsyncEngine, connection: asyncpg.Connection) -> None:
    async def failing() -> None:
        async with engine.begin() as transaction:
            await audit(
                transaction, at=AT, actor="ann", origin="test", action="halt", subject="trading", before=None, after="x"
            )
            msg = "something else went wrong"
            raise RuntimeError(msg)

    await write(PostgresAudit(engine), 1)
    with pytest.raises(RuntimeError):
        await failing()
    await write(PostgresAudit(engine), 2)

    assert [row["seq"] for row in await connection.fetch("SELECT seq FROM audit_log ORDER BY seq")] == [1, 2]


@pytest.mark.parametrize("field", ["seq", "at", "actor", "origin", "action", "object", "before", "after"])
def test_a_change_of_any_field_changes_the_hash(field: str) -> None:
    line = {
        "seq": 1, "at": AT, "actor": "a", "origin": "o", "action": "c", "object": "b", "before": None, "after": "z",
    }  # fmt: skip
    other = {"seq": 2, "at": AT + timedelta(microseconds=1)}.get(field, "other")

    assert chained(GENESIS, line | {field: other}) != chained(GENESIS, line)


def test_the_same_moment_in_another_zone_is_the_same_line() -> None:
    line = {"seq": 1, "actor": "a", "origin": "o", "action": "c", "object": "b", "before": None, "after": None}
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))

    assert chained(GENESIS, line | {"at": tokyo}) == chained(GENESIS, line | {"at": AT})
