"""Users, sessions, keys and failed sign-ins in PostgreSQL; each change and its audit line are one transaction."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evil2root.adapters.postgres.audit import LOCK_KEY, audit
from evil2root.adapters.postgres.tables import api_keys, login_failures, sessions, users
from evil2root.engine.identity import ApiKey, NameTaken, Note, Role, Scope, Session, User

FAILURES_KEPT = timedelta(days=1)
"""Much longer than any window that counts them; the audit log keeps them for good."""


class PostgresAccess:
    """Fits `engine.identity.AccessStore`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # A look-up is one query: without a BEGIN and a ROLLBACK around it, it is one round trip.
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def note(self, note: Note) -> None:
        """Write an audit line by itself."""
        async with self._engine.begin() as connection:
            await _audit(connection, note)

    async def user(self, name: str) -> User | None:
        """Return a user by name."""
        row = await self._first(select(users).where(users.c.name == name))
        return None if row is None else _user(row)

    async def users(self) -> tuple[User, ...]:
        """Return all users by name."""
        async with self._reading.connect() as connection:
            rows = (await connection.execute(select(users).order_by(users.c.name))).mappings().all()
        return tuple(_user(dict(row)) for row in rows)

    async def add_user(self, user: User, *, note: Note) -> None:
        """Add a user; raises `NameTaken`."""
        row = {
            "name": user.name, "role": user.role.value, "password_hash": user.password_hash,
            "disabled": user.disabled, "created_at": user.created_at, "locale": user.locale,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            added = await connection.execute(upsert(users).values(row).on_conflict_do_nothing().returning(users.c.name))
            if added.first() is None:
                msg = f"There is a user {user.name!r} already: choose another name."
                raise NameTaken(msg)
            await _audit(connection, note)

    async def change_user(self, user: User, *, note: Note) -> None:
        """Replace a user's row and end all their sessions."""
        changes = {
            "role": user.role.value, "password_hash": user.password_hash, "disabled": user.disabled,
            "locale": user.locale,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(update(users).where(users.c.name == user.name).values(changes))
            await connection.execute(delete(sessions).where(sessions.c.name == user.name))
            await _audit(connection, note)

    async def failures(self, origin: str, *, since: datetime) -> tuple[tuple[str, datetime], ...]:
        """Return (name, time) of failed sign-ins from an origin after `since`, oldest first."""
        query = (
            select(login_failures.c.name, login_failures.c.at)
            .where(login_failures.c.origin == origin, login_failures.c.at > since)
            .order_by(login_failures.c.at)
        )
        async with self._reading.connect() as connection:
            return tuple((row.name, row.at) for row in await connection.execute(query))

    async def add_failure(self, name: str, origin: str, *, note: Note) -> None:
        """Write a failed sign-in down, and forget old ones."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(login_failures).where(login_failures.c.at < note.at - FAILURES_KEPT))
            await connection.execute(insert(login_failures).values(name=name, origin=origin, at=note.at))
            await _audit(connection, note)

    async def add_session(self, session: Session, *, note: Note) -> None:
        """Add a session; forget the failures of its name and origin, and the sessions that have expired."""
        row = {
            "token_hash": session.token_hash, "name": session.name, "created_at": session.created_at,
            "seen_at": session.seen_at, "expires_at": session.expires_at, "origin": session.origin,
        }  # fmt: skip
        same = (login_failures.c.name == session.name) & (login_failures.c.origin == session.origin)
        async with self._engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= session.created_at))
            await connection.execute(delete(login_failures).where(same))
            await connection.execute(insert(sessions).values(row))
            await _audit(connection, note)

    async def session(self, token_hash: str) -> tuple[Session, User] | None:
        """Return a session with its user."""
        query = (
            select(sessions, users.c.role, users.c.password_hash, users.c.disabled, users.c.locale,
                   users.c.created_at.label("user_created_at"))
            .join_from(sessions, users, sessions.c.name == users.c.name)
            .where(sessions.c.token_hash == token_hash)
        )  # fmt: skip
        row = await self._first(query)
        if row is None:
            return None
        session = Session(
            token_hash=row["token_hash"], name=row["name"], created_at=row["created_at"], seen_at=row["seen_at"],
            expires_at=row["expires_at"], origin=row["origin"],
        )  # fmt: skip
        return session, _user({**row, "created_at": row["user_created_at"]})

    async def use_session(self, token_hash: str, *, seen_at: datetime, expires_at: datetime) -> None:
        """Move a session's end."""
        change = update(sessions).where(sessions.c.token_hash == token_hash)
        async with self._engine.begin() as connection:
            await connection.execute(change.values(seen_at=seen_at, expires_at=expires_at))

    async def end_session(self, token_hash: str, *, note: Note) -> None:
        """Forget a session."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))
            await _audit(connection, note)

    async def add_key(self, key: ApiKey, *, key_hash: str, note: Note) -> None:
        """Add a key; raises `NameTaken` while an unrevoked key has its name."""
        row = {
            "id": key.id, "name": key.name, "role": key.role.value, "scopes": [s.value for s in key.scopes],
            "key_hash": key_hash, "created_at": key.created_at, "expires_at": key.expires_at,
            "revoked_at": key.revoked_at, "last_used_at": key.last_used_at,
        }  # fmt: skip
        same = select(api_keys.c.id).where(api_keys.c.name == key.name, api_keys.c.revoked_at.is_(None))
        async with self._engine.begin() as connection:
            # The audit's lock, taken early: two keys of one name asked for at once come one after the other.
            await connection.execute(select(func.pg_advisory_xact_lock(LOCK_KEY)))
            if (await connection.execute(same)).first() is not None:
                msg = f"There is a key {key.name!r} already: revoke it, or choose another name."
                raise NameTaken(msg)
            await connection.execute(insert(api_keys).values(row))
            await _audit(connection, note)

    async def key(self, key_hash: str) -> ApiKey | None:
        """Return a key by the hash of what was shown once."""
        row = await self._first(select(api_keys).where(api_keys.c.key_hash == key_hash))
        return None if row is None else _key(row)

    async def keys(self) -> tuple[ApiKey, ...]:
        """Return all keys, newest first."""
        query = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        async with self._reading.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(_key(dict(row)) for row in rows)

    async def use_key(self, key_id: str, *, at: datetime) -> None:
        """Remember when a key was last used."""
        async with self._engine.begin() as connection:
            await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=at))

    async def revoke_key(self, key_id: str, *, note: Note) -> bool:
        """Revoke a key; false when there is no such unrevoked one."""
        change = (
            update(api_keys)
            .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=note.at)
            .returning(api_keys.c.id)
        )
        async with self._engine.begin() as connection:
            found = (await connection.execute(change)).first() is not None
            if found:
                await _audit(connection, note)
        return found

    async def _first(self, query: Any) -> Mapping[str, Any] | None:
        async with self._reading.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else dict(row)


async def _audit(connection: AsyncConnection, note: Note) -> None:
    await audit(
        connection, at=note.at, actor=note.actor, origin=note.origin, action=note.action, subject=note.object,
        before=note.before, after=note.after,
    )  # fmt: skip


def _user(row: Mapping[str, Any]) -> User:
    return User(
        name=row["name"], role=Role(row["role"]), password_hash=row["password_hash"], disabled=row["disabled"],
        created_at=row["created_at"], locale=row["locale"],
    )  # fmt: skip


def _key(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(
        id=row["id"], name=row["name"], role=Role(row["role"]), scopes=tuple(Scope(s) for s in row["scopes"]),
        created_at=row["created_at"], expires_at=row["expires_at"], revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )  # fmt: skip
