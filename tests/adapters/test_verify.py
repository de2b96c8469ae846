"""`ledger verify` finds each broken invariant and names the table and the row."""

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.verify import first_breach
from tests.adapters.held_books import keep_nine_days

pytestmark = pytest.mark.postgres

SHORT = {
    "<entry>": "(SELECT transaction_id FROM ledger_entries WHERE ref LIKE '%' || <fill>)",
    "<order>": "(SELECT client_order_id FROM fills WHERE execution_id = <fill>)",
    "<fill>": "(SELECT execution_id FROM fills ORDER BY number LIMIT 1)",
}

BREAKS = {
    "a changed amount": (
        "UPDATE ledger_entries SET amount = amount + 0.0000001 WHERE line = 3 AND transaction_id IN <entry>",
        "ledger_entries", "SELECT DISTINCT transaction_id FROM ledger_entries WHERE transaction_id IN <entry>",
        "sums to 0.0000001 USD",
    ),
    "money from nowhere": (
        "INSERT INTO ledger_entries VALUES ('paper', 'x', 1, 'cash', 'USD', 5, now(), 'gift'), ('paper', 'x', 2, 'capital', 'USD', -5, now(), 'gift')",
        "ledger_entries", "SELECT 'x line 1'", "gift is no fill that was kept, no deposit",
    ),
    "a fill that vanished": (
        "DELETE FROM fills WHERE execution_id = <fill>",
        "ledger_entries",
        "SELECT transaction_id || ' line 1' FROM ledger_entries e WHERE ref LIKE 'fill:%' AND NOT EXISTS (SELECT FROM fills WHERE e.ref LIKE '%' || execution_id) LIMIT 1",
        "is no fill that was kept",
    ),
    "two currencies": (
        "UPDATE ledger_entries SET unit = 'EUR' WHERE ref LIKE 'deposit:%'",
        "ledger_entries", "SELECT 'paper'", "in EUR and in USD",
    ),
    "a fill without its order": (
        "UPDATE fills SET client_order_id = 'nobody' WHERE execution_id = <fill>",
        "fills", "SELECT <fill>", "There is no order nobody",
    ),
    "an order without its decision": (
        "UPDATE orders SET decision_id = 'D-9999' WHERE number = (SELECT min(number) FROM orders)",
        "orders", "SELECT client_order_id FROM orders ORDER BY number LIMIT 1", "decision D-9999 does not exist",
    ),
    "a wrong filled quantity": (
        "UPDATE orders SET filled_quantity = 9 WHERE client_order_id = <order>",
        "orders", "SELECT <order>", "says 9 filled, its fills sum to 10",
    ),
    "a wrong average price": (
        "UPDATE orders SET average_price = average_price + 0.0001 WHERE client_order_id = <order>",
        "orders", "SELECT <order>", "an average price of",
    ),
    "a booking that is not the fill's": (
        "UPDATE ledger_entries SET amount = amount * 2 WHERE unit = 'USD' AND account NOT IN ('fees') AND line < 5 AND transaction_id IN <entry>",
        "fills", "SELECT <fill>", "missing USD",
    ),
    "a booking that is missing": (
        "DELETE FROM ledger_entries WHERE transaction_id IN <entry>",
        "fills", "SELECT <fill>", "missing AAPL 10 into position:AAPL",
    ),
    "a lost line of history": (
        "DELETE FROM order_events WHERE seq = 2 AND client_order_id = <order>",
        "order_events", "SELECT <order>", "one is missing",
    ),
    "an illegal move": (
        "UPDATE order_events SET state = 'REJECTED' WHERE seq = 2 AND client_order_id = <order>",
        "order_events", "SELECT <order> || ' seq 3'", "from REJECTED to FILLED",
    ),
    "a state its history does not know": (
        "UPDATE orders SET state = 'CANCELED' WHERE client_order_id = <order>",
        "orders", "SELECT <order>", "It is CANCELED, the last line of its history says FILLED",
    ),
    "a wrong position": (
        "UPDATE positions SET quantity = quantity + 1 WHERE symbol = 'MSFT'",
        "positions", "SELECT 'MSFT'", "positions says 11, the ledger sums to 10",
    ),
    "a forgotten position": (
        "DELETE FROM positions WHERE symbol = 'MSFT'",
        "positions", "SELECT 'MSFT'", "positions says 0, the ledger sums to 10",
    ),
    "a position nobody decided": (
        "UPDATE positions SET decision_id = 'D-9999' WHERE symbol = 'MSFT'",
        "positions", "SELECT 'MSFT'", "decision D-9999 that opened it",
    ),
    "another capital": (
        "UPDATE account_state SET carry = jsonb_set(carry::jsonb, '{capital}', '\"60000\"')",
        "account_state", "SELECT 'paper'", "capital of 60000, the ledger sums to 50000",
    ),
    "a lost price": (
        "UPDATE account_state SET carry = carry::jsonb #- '{marks,MSFT}'",
        "account_state", "SELECT 'paper'", "no last price of MSFT",
    ),
    "a lost decision": (
        "DELETE FROM decisions WHERE sequence = 1",
        "account_state", "SELECT 'paper'", "17 are kept, numbered up to 18",
    ),
    "a changed audit line": (
        "UPDATE audit_log SET after = 'other' WHERE seq = 2",
        "audit_log", "SELECT '2'", "one of the two was changed",
    ),
    "a lost audit line": (
        "DELETE FROM audit_log WHERE seq = 2",
        "audit_log", "SELECT '2'", "Line 2 is missing",
    ),
}  # fmt: skip
"""What is done by hand; then the table, the query for the row, and a part of what must be said."""


def spelled_out(query: str) -> str:
    for short, long in SHORT.items():
        query = query.replace(short, long)
    return query


@pytest.fixture
async def books(engine: AsyncEngine) -> AsyncEngine:
    """Books of nine days, sound, with two positions held."""
    await keep_nine_days(engine)
    return engine


async def test_sound_books_have_no_breach(books: AsyncEngine) -> None:
    assert await first_breach(books) is None


async def test_empty_books_have_no_breach(engine: AsyncEngine) -> None:
    assert await first_breach(engine) is None


RESEAL = "DELETE FROM seals; INSERT INTO seals SELECT * FROM seals_now"
"""What somebody does who knows of the seals: then the sums and the histories must tell."""


@pytest.mark.parametrize("what", BREAKS)
async def test_each_breach_is_found_and_named(books: AsyncEngine, connection: asyncpg.Connection, what: str) -> None:
    done, table, row, says = (spelled_out(part) for part in BREAKS[what])
    expected = None if "NOT EXISTS" in row else await connection.fetchval(row)
    await connection.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
    await connection.execute(done)
    await connection.execute(RESEAL)
    expected = expected or await connection.fetchval(row)

    breach = await first_breach(books)

    assert breach is not None
    assert (breach.table, breach.row) == (table, expected)
    assert says in breach.says
