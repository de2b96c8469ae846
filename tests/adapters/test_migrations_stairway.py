"""Every revision goes up, down and up again, and what it leaves is what tables.py says."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.engine import make_engine
from evil2root.adapters.postgres.migrate import SCHEMA, VERSION_TABLE, run_alembic, scripts_folder
from evil2root.adapters.postgres.tables import metadata

pytestmark = pytest.mark.postgres

CONTRACT = {
    "v_orders": "client_order_id broker_order_id decision_id symbol side kind quantity filled_quantity average_price "
    "state attempt epoch created_at sent_at updated_at",
    "v_order_events": "client_order_id seq state reason epoch at",
    "v_fills": "venue account execution_id client_order_id symbol side quantity price fee at booked_at",
    "v_postings": "transaction_id account unit amount at ref",
    "v_positions": "symbol quantity average_price stop target unprotected_since",
    "v_leader": "epoch holder since",
    "v_halt": "active scope reason by at",
    "v_parked": "kind reason payload at",
    "v_audit": "seq at actor origin action object before after hash",
}


def revisions() -> list[str]:
    return [script.revision for script in reversed(list(ScriptDirectory(str(scripts_folder())).walk_revisions()))]


def leftovers(connection: Connection) -> list[str]:
    found = connection.execute(
        text(
            "SELECT relname FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace) AND relname NOT LIKE "
            "'%alembic_version%' UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = CAST(:schema AS regnamespace)"
        ),
        {"schema": SCHEMA},
    )
    return sorted(found.scalars())


def differences(connection: Connection) -> list[Any]:
    def ours(_item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        return not (kind == "table" and name == VERSION_TABLE)

    options = {"compare_type": True, "compare_server_default": True, "include_object": ours}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_each_revision_goes_up_down_and_up_again(blank_database: str) -> None:
    engine = make_engine(blank_database)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
            for revision in revisions():
                await connection.run_sync(run_alembic, target=revision)
                await connection.run_sync(run_alembic, target="-1")
                await connection.run_sync(run_alembic, target=revision)
            assert await connection.run_sync(differences) == []

            await connection.run_sync(run_alembic, target="base")

            assert await connection.run_sync(leftovers) == []
    finally:
        await engine.dispose()


@pytest.mark.parametrize("view", CONTRACT)
async def test_each_view_has_the_columns_of_the_contract(engine: AsyncEngine, view: str) -> None:
    async with engine.connect() as connection:
        found = (await connection.execute(text(f"SELECT * FROM {view}"))).keys()  # noqa: S608 - our own names

    assert set(CONTRACT[view].split()) <= set(found)


async def test_series_that_are_stored_already_get_a_mark_each(blank_database: str) -> None:
    engine = make_engine(blank_database)
    bar = (
        "INSERT INTO bars (symbol, interval, opened_at, closed_at, open, high, low, close, volume, source) SELECT "
        "s, i, at, at + interval '1 minute', 1, 1, 1, 1, 0, 'a test' FROM unnest(ARRAY['AAPL', 'MSFT', 'Z']) s, "
        "unnest(ARRAY['1d', '1m']) i, generate_series('2020-01-01Z'::timestamptz, '2020-01-05Z', '1 day') at"
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
            await connection.run_sync(run_alembic, target="0011")
            await connection.execute(text(bar))
            await connection.run_sync(run_alembic, target="0012")
            marks = (await connection.execute(text("SELECT symbol, interval, mark FROM bar_series"))).all()
    finally:
        await engine.dispose()

    assert sorted((row.symbol, row.interval) for row in marks) == [
        (symbol, interval) for symbol in ("AAPL", "MSFT", "Z") for interval in ("1d", "1m")
    ]
    assert len({row.mark for row in marks}) == 6
