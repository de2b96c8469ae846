"""The stores of access in PostgreSQL, driven by what uses them."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.passwords import Argon2Hasher
from evil2root.adapters.postgres.access import PostgresAccess
from evil2root.adapters.postgres.idempotency import PostgresOnce
from evil2root.engine.access import (
    FAILURES_MAX,
    IDLE_MAX,
    Access,
    Identity,
    LoggedIn,
    NameTaken,
    NotThere,
    Refused,
    Role,
    Scope,
)
from evil2root.engine.idempotency import KEPT_FOR, Again, Asked, Clash, First, Once
from tests.fakes.access import SECRET, QuickHasher, SetClock

pytestmark = pytest.mark.postgres

PASSWORD = "correct horse battery"
HERE = "127.0.0.1"


@pytest.fixture
async def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def access(engine: AsyncEngine, clock: SetClock) -> Access:
    made = Access(PostgresAccess(engine), hasher=QuickHasher(), clock=clock, secret=SECRET)
    await made.add_user("ada", role=Role.TRADER, password=PASSWORD, by="system", origin="test")
    return made


async def rows(connection: asyncpg.Connection, query: str) -> list[Mapping[str, Any]]:
    return [dict(row) for row in await connection.fetch(query)]


class TestPostgresAccess:
    async def test_keeps_a_session_without_its_token(self, access: Access, connection: asyncpg.Connection) -> None:
        answer = await access.login("ada", PASSWORD, origin=HERE)
        assert isinstance(answer, LoggedIn)

        assert await access.session(answer.token) == Identity(name="ada", role=Role.TRADER, via="session")
        assert answer.token not in str(await rows(connection, "SELECT * FROM sessions"))

    async def test_slides_and_ends_a_session(self, access: Access, clock: SetClock) -> None:
        answer = await access.login("ada", PASSWORD, origin=HERE)
        assert isinstance(answer, LoggedIn)
        for _ in range(3):
            clock.forward(IDLE_MAX - timedelta(minutes=1))
            assert await access.session(answer.token) is not None

        await access.set_password("ada", "another password", by="ada", origin=HERE)

        assert await access.session(answer.token) is None

    async def test_counts_and_forgets_failures(self, access: Access, connection: asyncpg.Connection) -> None:
        for _ in range(FAILURES_MAX - 1):
            assert isinstance(await access.login("ada", "wrong password", origin=HERE), Refused)
        assert isinstance(await access.login("ada", PASSWORD, origin=HERE), LoggedIn)
        assert await rows(connection, "SELECT * FROM login_failures") == []
        for _ in range(FAILURES_MAX):
            await access.login("ada", "wrong password", origin=HERE)

        shut = await access.login("ada", PASSWORD, origin=HERE)

        assert isinstance(shut, Refused)
        assert shut.locked_until is not None

    async def test_keeps_a_key_without_itself(self, access: Access, connection: asyncpg.Connection) -> None:
        made = await access.add_key(
            "robot", role=Role.ADMIN, scopes=[Scope.TRADE, Scope.READ], expires_at=None, by="ada", origin=HERE
        )

        identity = await access.key(made.raw)
        (kept,) = await access.keys()

        assert identity == Identity(
            name="key:robot", role=Role.ADMIN, via="apikey", scopes=frozenset({Scope.READ, Scope.TRADE})
        )
        assert kept.last_used_at is not None
        assert made.raw not in str(await rows(connection, "SELECT * FROM api_keys"))

    async def test_revokes_a_key_once(self, access: Access) -> None:
        made = await access.add_key("robot", role=Role.VIEWER, scopes=[], expires_at=None, by="ada", origin=HERE)

        await access.revoke_key(made.key.id, by="ada", origin=HERE)

        assert await access.key(made.raw) is None
        with pytest.raises(NotThere):
            await access.revoke_key(made.key.id, by="ada", origin=HERE)

    async def test_makes_one_of_two_keys_of_one_name_asked_for_at_once(self, access: Access) -> None:
        answers = await asyncio.gather(
            *(
                access.add_key("robot", role=Role.VIEWER, scopes=[], expires_at=None, by="ada", origin=HERE)
                for _ in range(4)
            ),
            return_exceptions=True,
        )

        assert sum(isinstance(a, NameTaken) for a in answers) == 3

    async def test_adds_a_name_once_and_leaves_no_note_of_the_second_try(
        self, access: Access, connection: asyncpg.Connection
    ) -> None:
        with pytest.raises(NameTaken):
            await access.add_user("ada", role=Role.ADMIN, password=PASSWORD, by="ada", origin=HERE)

        assert [r["action"] for r in await rows(connection, "SELECT action FROM audit_log ORDER BY seq")] == [
            "user.added"
        ]

    async def test_notes_who_did_what(self, access: Access, connection: asyncpg.Connection) -> None:
        await access.login("ada", "wrong password", origin="10.0.0.9")
        await access.disable_user("ada", by="root", origin=HERE)

        found = await rows(connection, "SELECT actor, origin, action, object FROM audit_log ORDER BY seq")

        assert [tuple(r.values()) for r in found] == [
            ("system", "test", "user.added", "user:ada"),
            ("ada", "10.0.0.9", "login.refused", "user:ada"),
            ("root", HERE, "user.disabled", "user:ada"),
        ]

    async def test_begins_with_one_admin_however_many_processes_start(self, engine: AsyncEngine) -> None:
        doors = [
            Access(PostgresAccess(engine), hasher=QuickHasher(), clock=SetClock(), secret=SECRET) for _ in range(4)
        ]

        drawn = await asyncio.gather(*(door.ensure_admin(None) for door in doors))

        assert sum(password is not None for password in drawn) == 1


class TestArgon2Hasher:
    async def test_takes_the_right_password_only(self) -> None:
        hasher = Argon2Hasher(time_cost=1, memory_kib=64)
        stored = await hasher.hash(PASSWORD)

        assert stored.startswith("$argon2id$")
        assert await hasher.verify(stored, PASSWORD)
        assert not await hasher.verify(stored, "wrong password")
        assert not await hasher.verify(None, PASSWORD)
        assert not await hasher.verify(stored, "\ud800")

    async def test_does_not_call_a_damaged_row_a_wrong_password(self) -> None:
        with pytest.raises(ValueError, match="user passwd"):
            await Argon2Hasher().verify("damaged", PASSWORD)


class TestPostgresOnce:
    ASKED = Asked(key="k1", actor="ada", path="POST /api/v1/halt", body_hash="ab")

    async def test_lets_one_of_many_through(self, engine: AsyncEngine, clock: SetClock) -> None:
        once = Once(PostgresOnce(engine), clock=clock)

        answers = await asyncio.gather(*(once.begin(self.ASKED) for _ in range(8)))

        assert sum(isinstance(a, First) for a in answers) == 1
        assert sum(isinstance(a, Clash) for a in answers) == 7

    async def test_gives_the_first_answer_again_for_a_day(self, engine: AsyncEngine, clock: SetClock) -> None:
        once = Once(PostgresOnce(engine), clock=clock)
        await once.begin(self.ASKED)
        await once.finish(self.ASKED, status=200, answer='{"done":true}')

        assert await once.begin(self.ASKED) == Again(status=200, answer='{"done":true}')
        clock.forward(KEPT_FOR + timedelta(seconds=1))
        assert await once.begin(self.ASKED) == First()
