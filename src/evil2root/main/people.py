"""Users and API keys, managed from the command line."""

import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from evil2root.adapters.passwords import Argon2Hasher
from evil2root.adapters.postgres.access import PostgresAccess
from evil2root.adapters.system_clock import SystemClock
from evil2root.engine.access import Access, Role, Scope
from evil2root.main.commands import opened
from evil2root.settings import read_secret


@asynccontextmanager
async def _door() -> AsyncIterator[Access]:
    async with opened() as (_, database):
        # No session is opened and no form is signed here: any secret does.
        yield Access(PostgresAccess(database), hasher=Argon2Hasher(), clock=SystemClock(), secret=bytes(32))


def operator() -> str:
    """Name whoever types the commands: the process's owner, whatever the environment calls itself."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user often has no name
        return f"uid-{uid}"


def actor() -> str:
    """Name them in the audit log, where the names of users have no colon."""
    return f"cli:{operator()}"


async def add_user(name: str, *, role: Role, password: str) -> None:
    """Add a user."""
    async with _door() as door:
        await door.add_user(name, role=role, password=password, by=actor(), origin="cli")


async def set_password(name: str, password: str) -> None:
    """Change a password; the user's sessions end."""
    async with _door() as door:
        await door.set_password(name, password, by=actor(), origin="cli")


async def disable_user(name: str) -> None:
    """Keep a user out."""
    async with _door() as door:
        await door.disable_user(name, by=actor(), origin="cli")


async def users() -> list[dict[str, Any]]:
    """Return all users."""
    async with _door() as door:
        return [
            {"name": u.name, "role": u.role.value, "disabled": u.disabled, "created_at": u.created_at}
            for u in await door.users()
        ]


async def add_key(name: str, *, role: Role, scopes: list[Scope], expires_at: datetime | None) -> dict[str, str]:
    """Make an API key: its id, and the key itself, which is nowhere else."""
    async with _door() as door:
        made = await door.add_key(name, role=role, scopes=scopes, expires_at=expires_at, by=actor(), origin="cli")
    return {"id": made.key.id, "key": made.raw}


async def revoke_key(key_id: str) -> None:
    """Revoke a key."""
    async with _door() as door:
        await door.revoke_key(key_id, by=actor(), origin="cli")


async def keys() -> list[dict[str, Any]]:
    """Return all keys, without what opens the door."""
    async with _door() as door:
        return [
            {"id": k.id, "name": k.name, "role": k.role.value, "scopes": [s.value for s in k.scopes],
             "created_at": k.created_at, "expires_at": k.expires_at, "revoked_at": k.revoked_at,
             "last_used_at": k.last_used_at}
            for k in await door.keys()
        ]  # fmt: skip


def password_from(path: Path) -> str:
    """Read a password from a file."""
    return read_secret(path, key="--password-file")
