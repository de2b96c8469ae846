from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.connection import connected
from evil2root.adapters.postgres.dsn import plain_dsn, sqlalchemy_dsn
from evil2root.adapters.postgres.engine import make_engine, make_sessions, to_json

SHOWN = ("application_name", "search_path", "TimeZone", "statement_timeout", "idle_in_transaction_session_timeout")


@pytest.mark.postgres
class TestMakeEngine:
    async def test_sets_every_session_up_alike(self, engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            shown = [await connection.scalar(text(f"SHOW {name}")) for name in SHOWN]

        assert shown == ["evil2root", "evil2root", "UTC", "30s", "1min"]

    async def test_lends_a_live_connection_after_the_server_dropped_the_pooled_one(
        self, engine: AsyncEngine, database: str
    ) -> None:
        async with engine.connect() as connection:
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        async with connected(database) as outside:
            await outside.execute("SELECT pg_terminate_backend($1, 5000)", pid)

        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT pg_backend_pid()")) != pid

    async def test_for_reading_refuses_to_write(self, database: str) -> None:
        engine = make_engine(database, read_only=True)

        try:
            async with engine.begin() as connection:
                with pytest.raises(DBAPIError, match="read-only transaction"):
                    await connection.execute(text("CREATE TABLE written (n int)"))
        finally:
            await engine.dispose()

    async def test_ends_a_statement_at_its_limit_and_keeps_its_parameters_to_itself(self, database: str) -> None:
        engine = make_engine(database, statement_timeout=timedelta(milliseconds=50))

        try:
            async with engine.connect() as connection:
                with pytest.raises(DBAPIError, match="statement timeout") as ended:
                    await connection.execute(text("SELECT pg_sleep(5), CAST(:word AS text)"), {"word": "hush"})
        finally:
            await engine.dispose()
        assert "hush" not in str(ended.value)

    async def test_brings_floats_back_to_the_last_bit_and_decimals_as_strings(self, engine: AsyncEngine) -> None:
        stored = {"p": 0.1 + 0.2, "tiny": 5e-324, "price": Decimal("1.10"), "none": None}

        async with make_sessions(engine)() as session:
            found = await session.scalar(text("SELECT CAST(:stored AS jsonb)"), {"stored": to_json(stored)})

        assert found == {"p": 0.30000000000000004, "tiny": 5e-324, "price": "1.10", "none": None}


@given(st.sampled_from(["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"]), st.text(max_size=30))
def test_one_address_has_two_spellings(scheme: str, rest: str) -> None:
    address = f"{scheme}://{rest}"

    assert sqlalchemy_dsn(address) == f"postgresql+asyncpg://{rest}"
    assert plain_dsn(address) == f"postgresql://{rest}"
    assert plain_dsn(sqlalchemy_dsn(address)) == plain_dsn(address)


@pytest.mark.parametrize("address", ["mysql://u:hush@h/d", "hush@host", ""])
def test_another_kind_of_address_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(ValueError, match=r"starts with postgresql\+asyncpg://") as refused:
        sqlalchemy_dsn(address)

    assert "hush" not in str(refused.value)


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="not JSON serializable: set"):
        to_json({"tags": {"a"}})
