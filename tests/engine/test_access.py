"""Laws of the door: the same for the store in memory and for the one in PostgreSQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from evil2root.engine.access import (
    FAILURE_WINDOW,
    FAILURES_MAX,
    IDLE_MAX,
    ORIGIN_FAILURES_MAX,
    SESSION_MAX,
    Access,
    BadAccessRule,
    Identity,
    LoggedIn,
    NameTaken,
    NotThere,
    Refused,
    Role,
    Scope,
)
from tests.fakes.access import SECRET, MemoryAccess, QuickHasher, SetClock

PASSWORD = "correct horse battery"
HERE = "127.0.0.1"


@dataclass
class Door:
    access: Access
    clock: SetClock
    hasher: QuickHasher
    store: MemoryAccess

    async def actions(self) -> Sequence[str]:
        return [note.action for note in self.store.notes]

    async def login(self, name: str = "ada", password: str = PASSWORD, *, origin: str = HERE) -> LoggedIn | Refused:
        return await self.access.login(name, password, origin=origin)

    async def token(self) -> str:
        answer = await self.login()
        assert isinstance(answer, LoggedIn)
        return answer.token

    async def fail(self, times: int, *, name: str = "ada", origin: str = HERE) -> None:
        for _ in range(times):
            answer = await self.login(name, "wrong password", origin=origin)
            assert isinstance(answer, Refused)


@pytest.fixture
async def door() -> Door:
    clock, hasher, store = SetClock(), QuickHasher(), MemoryAccess()
    access = Access(store, hasher=hasher, clock=clock, secret=SECRET)
    await access.add_user("ada", role=Role.TRADER, password=PASSWORD, by="system", origin="test")
    return Door(access, clock, hasher, store)


class TestLogin:
    async def test_opens_a_session_for_the_right_password(self, door: Door) -> None:
        token = await door.token()

        assert await door.access.session(token) == Identity(name="ada", role=Role.TRADER, via="session")

    async def test_says_the_same_and_works_the_same_for_a_wrong_name_and_a_wrong_password(self, door: Door) -> None:
        before = door.hasher.worked
        wrong_password = await door.login("ada", "wrong password")
        after_first = door.hasher.worked
        wrong_name = await door.login("eve", "wrong password")

        assert wrong_password == wrong_name
        assert after_first - before == door.hasher.worked - after_first == 1

    async def test_is_shut_after_five_failures_and_says_until_when(self, door: Door) -> None:
        await door.fail(FAILURES_MAX)

        shut = await door.login()

        assert isinstance(shut, Refused)
        assert shut.locked_until == door.clock.at + FAILURE_WINDOW
        assert "2026-03-02 12:15:00 UTC" in shut.says

    async def test_works_nothing_while_shut(self, door: Door) -> None:
        await door.fail(FAILURES_MAX)
        worked = door.hasher.worked

        await door.login()

        assert door.hasher.worked == worked

    async def test_opens_again_when_the_window_is_over(self, door: Door) -> None:
        await door.fail(FAILURES_MAX)
        door.clock.forward(FAILURE_WINDOW)

        assert isinstance(await door.login(), LoggedIn)

    async def test_stays_open_for_the_same_name_from_elsewhere(self, door: Door) -> None:
        await door.fail(FAILURES_MAX, origin="10.0.0.9")

        assert isinstance(await door.login(origin=HERE), LoggedIn)

    async def test_is_shut_for_an_origin_that_guesses_many_names(self, door: Door) -> None:
        for number in range(ORIGIN_FAILURES_MAX):
            await door.fail(1, name=f"user{number}")

        assert isinstance(await door.login(), Refused)

    async def test_forgets_failures_of_who_came_in(self, door: Door) -> None:
        await door.fail(FAILURES_MAX - 1)
        await door.token()
        await door.fail(FAILURES_MAX - 1)

        assert isinstance(await door.login(), LoggedIn)

    async def test_counts_guesses_that_arrive_at_once(self, door: Door) -> None:
        guesses = await asyncio.gather(*(door.login("ada", f"guess number {n}") for n in range(50)))

        worked = [g for g in guesses if isinstance(g, Refused) and g.locked_until is None]
        assert len(worked) == FAILURES_MAX

    @pytest.mark.parametrize("name", ["", "Ada", "ada\x00", "a" * 500, "ada' --", "\ud800"])
    async def test_refuses_what_is_no_name(self, door: Door, name: str) -> None:
        assert isinstance(await door.login(name), Refused)

    @pytest.mark.parametrize("password", ["", "x" * 1_001, "\ud800" * 12])
    async def test_refuses_what_is_no_password(self, door: Door, password: str) -> None:
        assert isinstance(await door.login("ada", password), Refused)

    async def test_takes_an_accent_in_either_spelling(self, door: Door) -> None:
        await door.access.set_password("ada", "caf\u00e9 caf\u00e9 caf\u00e9", by="ada", origin=HERE)

        assert isinstance(await door.login("ada", "cafe\u0301 cafe\u0301 cafe\u0301"), LoggedIn)

    async def test_is_audited_either_way(self, door: Door) -> None:
        await door.fail(1)
        await door.token()

        assert list(await door.actions())[-2:] == ["login.refused", "login"]


class TestSession:
    async def test_lives_on_while_used(self, door: Door) -> None:
        token = await door.token()
        for _ in range(10):
            door.clock.forward(IDLE_MAX - timedelta(minutes=1))
            assert await door.access.session(token) is not None

    async def test_ends_when_unused(self, door: Door) -> None:
        token = await door.token()
        door.clock.forward(IDLE_MAX)

        assert await door.access.session(token) is None

    async def test_ends_at_its_limit_however_busy(self, door: Door) -> None:
        token = await door.token()
        step = IDLE_MAX / 2
        for _ in range(SESSION_MAX // step - 1):
            door.clock.forward(step)
            assert await door.access.session(token) is not None
        door.clock.forward(step)

        assert await door.access.session(token) is None

    async def test_ends_with_a_logout(self, door: Door) -> None:
        token = await door.token()

        await door.access.logout(token, by="ada", origin=HERE)

        assert await door.access.session(token) is None

    async def test_ends_with_a_new_password(self, door: Door) -> None:
        token = await door.token()

        await door.access.set_password("ada", "another password", by="root", origin=HERE)

        assert await door.access.session(token) is None
        assert isinstance(await door.login("ada", "another password"), LoggedIn)

    async def test_ends_when_the_user_is_disabled(self, door: Door) -> None:
        token = await door.token()

        await door.access.disable_user("ada", by="root", origin=HERE)

        assert await door.access.session(token) is None
        assert isinstance(await door.login(), Refused)

    @pytest.mark.parametrize("token", ["", "nonsense", "\x00", "\ud800"])
    async def test_is_none_for_what_is_no_token(self, door: Door, token: str) -> None:
        assert await door.access.session(token) is None


class TestCsrf:
    async def test_holds_for_its_own_token_only(self, door: Door) -> None:
        one, other = door.access.fresh_token(), door.access.fresh_token()

        assert door.access.csrf_holds(one, door.access.csrf(one))
        assert not door.access.csrf_holds(one, door.access.csrf(other))
        assert not door.access.csrf_holds(one, "")
        assert not door.access.csrf_holds(one, "\ud800")

    async def test_depends_on_the_secret(self, door: Door) -> None:
        other = Access(door.store, hasher=door.hasher, clock=door.clock, secret=b"another secret of many bytes")

        assert other.csrf("token") != door.access.csrf("token")


class TestKeys:
    async def make(self, door: Door, role: Role = Role.TRADER, *scopes: Scope, days: int | None = None) -> str:
        expires_at = None if days is None else door.clock.at + timedelta(days=days)
        made = await door.access.add_key(
            "robot", role=role, scopes=scopes, expires_at=expires_at, by="ada", origin=HERE
        )
        assert made.raw not in repr(made)
        return made.raw

    async def test_speaks_for_its_role(self, door: Door) -> None:
        raw = await self.make(door)

        identity = await door.access.key(raw)

        assert raw.startswith("e2r_")
        assert len(raw) >= 4 + 43
        assert identity is not None
        assert (identity.name, identity.role, identity.via) == ("key:robot", Role.TRADER, "apikey")

    async def test_may_only_what_it_was_made_for(self, door: Door) -> None:
        identity = await door.access.key(await self.make(door, Role.ADMIN, Scope.READ, Scope.ADMIN))

        assert identity is not None
        assert [identity.may(role) for role in Role] == [True, False, True]

    async def test_is_refused_a_scope_beyond_its_role(self, door: Door) -> None:
        with pytest.raises(BadAccessRule, match="may not have the scope admin"):
            await self.make(door, Role.TRADER, Scope.ADMIN)

    async def test_ends_with_its_date(self, door: Door) -> None:
        raw = await self.make(door, days=1)
        assert await door.access.key(raw) is not None

        door.clock.forward(timedelta(days=1))

        assert await door.access.key(raw) is None

    async def test_ends_when_revoked(self, door: Door) -> None:
        raw = await self.make(door)
        (key,) = await door.access.keys()

        await door.access.revoke_key(key.id, by="ada", origin=HERE)

        assert await door.access.key(raw) is None
        with pytest.raises(NotThere, match=key.id):
            await door.access.revoke_key(key.id, by="ada", origin=HERE)

    async def test_can_be_made_anew_under_its_name_once_revoked(self, door: Door) -> None:
        await self.make(door)
        with pytest.raises(NameTaken):
            await self.make(door)
        (key,) = await door.access.keys()

        await door.access.revoke_key(key.id, by="ada", origin=HERE)

        assert await door.access.key(await self.make(door)) is not None

    @pytest.mark.parametrize("raw", ["", "e2r_", "e2r_nonsense", "\ud800", "e2r_\x00"])
    async def test_is_none_for_what_is_no_key(self, door: Door, raw: str) -> None:
        assert await door.access.key(raw) is None


class TestUsers:
    @pytest.mark.parametrize("password", ["short", "x" * 11, "x" * 1_001])
    async def test_need_a_password_of_some_length(self, door: Door, password: str) -> None:
        with pytest.raises(BadAccessRule, match=f"has {len(password)} characters; use 12 to 1,000"):
            await door.access.add_user("bob", role=Role.VIEWER, password=password, by="ada", origin=HERE)

    @pytest.mark.parametrize("name", ["", "Bob", "<b>", "key:x", "-bob", "b" * 33])
    async def test_need_a_plain_name(self, door: Door, name: str) -> None:
        with pytest.raises(BadAccessRule, match="is no name for a user"):
            await door.access.add_user(name, role=Role.VIEWER, password=PASSWORD, by="ada", origin=HERE)

    async def test_are_added_once(self, door: Door) -> None:
        with pytest.raises(NameTaken, match="ada"):
            await door.access.add_user("ada", role=Role.ADMIN, password=PASSWORD, by="ada", origin=HERE)

    async def test_keep_their_last_admin(self, door: Door) -> None:
        await door.access.add_user("root", role=Role.ADMIN, password=PASSWORD, by="system", origin=HERE)

        with pytest.raises(BadAccessRule, match="last admin"):
            await door.access.disable_user("root", by="root", origin=HERE)

    async def test_begin_with_an_admin_whose_drawn_password_works(self) -> None:
        access = Access(MemoryAccess(), hasher=QuickHasher(), clock=SetClock(), secret=SECRET)

        drawn = await access.ensure_admin(None)

        assert drawn is not None
        assert isinstance(await access.login("admin", drawn, origin=HERE), LoggedIn)
        assert await access.ensure_admin(None) is None

    async def test_begin_with_the_password_that_was_given(self) -> None:
        access = Access(MemoryAccess(), hasher=QuickHasher(), clock=SetClock(), secret=SECRET)

        assert await access.ensure_admin(PASSWORD) is None
        assert isinstance(await access.login("admin", PASSWORD, origin=HERE), LoggedIn)

    async def test_leave_a_note_of_each_change(self, door: Door) -> None:
        await door.access.set_password("ada", "another password", by="ada", origin=HERE)
        await door.access.disable_user("ada", by="ada", origin=HERE)

        assert list(await door.actions())[-3:] == ["user.added", "user.password", "user.disabled"]
