# ruff: noqa: S608 - the names in the queries are the tests' own
"""Whatever is done behind the bot's back to one row of its books, `ledger verify` names the row."""

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.verify import first_breach
from evil2root.adapters.postgres.verify_rules import SEALED
from tests.adapters.held_books import keep_nine_days

pytestmark = pytest.mark.postgres

NAMES = {
    "fills": "execution_id", "ledger_entries": "transaction_id || ' line ' || line",
    "order_events": "client_order_id || ' seq ' || seq", "breaker_events": "number::text",
    "parked_events": "number::text",
}  # fmt: skip
"""How a row of each table is called."""

WRITTEN = dict.fromkeys(("fills", "breaker_events", "parked_events"), "number")
PLACES = {"first": "{w}, {n} LIMIT 1", "newest": "{w} DESC, {n} DESC LIMIT 1",
          "middle": "{w}, {n} OFFSET (SELECT count(*) / 2 FROM {t}) LIMIT 1"}  # fmt: skip
CHANGES = {
    "text": "coalesce({c}, '') || 'x'", "timestamp with time zone": "{c} + interval '1 microsecond'",
    "numeric": "{c} + 0.0000000001", "bigint": "{c} + 1000", "integer": "{c} + 1000",
}  # fmt: skip
"""The smallest change of each type that a person may not see."""


@pytest.fixture
async def books(engine: AsyncEngine, connection: asyncpg.Connection) -> AsyncEngine:
    """Books in which every table has rows, and no trigger stands in the way any more."""
    await keep_nine_days(engine)
    three = "FROM generate_series(1, 3) AS i"
    await connection.execute(
        f"INSERT INTO breaker_events (account, state, reason, by, at) SELECT 'paper', 'HALTED', 'r', 'a', now() {three}"
    )
    await connection.execute(
        "INSERT INTO parked_events (account, kind, reason, payload, at, key) "
        f"SELECT 'paper', 'fill', 'r', 'p', now(), 'k' || i {three}"
    )
    assert await first_breach(engine) is None
    await connection.execute("SET session_replication_role = replica")
    return engine


async def columns_of(connection: asyncpg.Connection, table: str) -> dict[str, str]:
    """Every column that can be changed by hand, and its type."""
    found = await connection.fetch(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'evil2root' AND table_name = $1 AND is_identity = 'NO'", table,
    )  # fmt: skip
    return {row["column_name"]: row["data_type"] for row in found}


def chosen(table: str, place: str) -> str:
    order = PLACES[place].format(w=WRITTEN.get(table, "at"), n=NAMES[table], t=table)
    return f"(SELECT ctid FROM {table} ORDER BY {order})"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("table", SEALED)
async def test_a_row_that_was_changed_is_named_whatever_its_column(
    books: AsyncEngine, connection: asyncpg.Connection, table: str, place: str
) -> None:
    columns = await columns_of(connection, table)
    assert len(columns) > 4

    for column, kind in columns.items():
        await connection.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table} WHERE ctid = {chosen(table, place)}")
        before = await connection.fetchval(f"SELECT {NAMES[table]} FROM kept")
        after = await connection.fetchval(
            f"UPDATE {table} SET {column} = {CHANGES[kind].format(c=column)} WHERE {NAMES[table]} = $1 "
            f"RETURNING {NAMES[table]}", before,
        )  # fmt: skip

        breach = await first_breach(books)

        assert breach is not None, column
        assert breach.table == table, column
        assert breach.row in (before, after), column
        await connection.execute(f"DELETE FROM {table} WHERE {NAMES[table]} = $1", after)
        await connection.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept")
        await connection.execute("DROP TABLE kept")
        assert await first_breach(books) is None


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("table", SEALED)
async def test_a_row_that_was_taken_out_is_named(
    books: AsyncEngine, connection: asyncpg.Connection, table: str, place: str
) -> None:
    name = await connection.fetchval(
        f"DELETE FROM {table} WHERE ctid = {chosen(table, place)} RETURNING {NAMES[table]}"
    )

    breach = await first_breach(books)

    assert breach is not None
    assert (breach.table, breach.row, breach.says) == (table, name, "It was written, and is gone.")


@pytest.mark.parametrize("table", SEALED)
async def test_a_row_that_was_put_in_is_named(books: AsyncEngine, connection: asyncpg.Connection, table: str) -> None:
    await connection.execute(f"CREATE TEMP TABLE made AS SELECT * FROM {table} WHERE ctid = {chosen(table, 'first')}")
    one = {"fills": "execution_id = 'X'", "ledger_entries": "line = 9", "order_events": "seq = 9",
           "breaker_events": "number = 99", "parked_events": "number = 99, key = 'other'"}[table]  # fmt: skip
    await connection.execute(f"UPDATE made SET {one}")
    name = await connection.fetchval(f"SELECT {NAMES[table]} FROM made")
    await connection.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM made")

    breach = await first_breach(books)

    assert breach is not None
    assert (breach.table, breach.row, breach.says) == (table, name, "It was not written by the bot: it has no seal.")


async def test_a_seal_that_was_taken_away_gives_its_row_away(
    books: AsyncEngine, connection: asyncpg.Connection
) -> None:
    name = await connection.fetchval("DELETE FROM seals WHERE relation = 'fills' RETURNING row")

    breach = await first_breach(books)

    assert breach is not None
    assert (breach.table, breach.says) == ("fills", "It was not written by the bot: it has no seal.")
    assert await connection.fetchval("SELECT EXISTS (SELECT FROM fills WHERE execution_id = $1)", name)


@pytest.mark.usefixtures("books")
async def test_the_time_zone_of_who_looks_changes_nothing(connection: asyncpg.Connection) -> None:
    await connection.execute("SET timezone = 'Asia/Tokyo'")
    told = "SELECT count(*) FROM seals JOIN seals_now USING (relation, scope, row, digest)"

    assert await connection.fetchval(told) == await connection.fetchval("SELECT count(*) FROM seals") > 0
