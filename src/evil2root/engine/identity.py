"""Names, roles, users, sessions and keys: the values of access, and the ports that keep and check them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

SESSION_COOKIE = "e2r_session"
"""Holds a session's token. Set it HttpOnly, SameSite=Lax, path `/`, and Secure when `request.state.secure`."""
PRE_COOKIE = "e2r_pre"
"""Held by whoever looks at the sign-in page; the API's guard sets it."""


class Role(StrEnum):
    """What a person or a key may do; each role may all that the ones before it may."""

    VIEWER = "viewer"
    TRADER = "trader"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Is this role at least the needed one?"""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Scope(StrEnum):
    """What a key was made for, within its role. Every scope lets read."""

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"


SCOPE_OF = {Role.VIEWER: Scope.READ, Role.TRADER: Scope.TRADE, Role.ADMIN: Scope.ADMIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks."""

    name: str
    """As the audit has it: a user's name, or `key:NAME`."""
    role: Role
    via: Literal["session", "apikey"]
    scopes: frozenset[Scope] = frozenset()
    """Empty: all that the role may."""

    def may(self, needed: Role) -> bool:
        """May they do what asks for `needed`?"""
        in_scope = not self.scopes or needed is Role.VIEWER or SCOPE_OF[needed] in self.scopes
        return in_scope and self.role.covers(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who can sign in."""

    name: str
    role: Role
    password_hash: str = field(repr=False)
    disabled: bool
    created_at: datetime
    locale: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A sign-in; only the hash of its token is kept."""

    token_hash: str = field(repr=False)
    name: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    """When it ends if it isn't used again."""
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key for programs; the key itself is shown once and not kept."""

    id: str
    name: str
    role: Role
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_good(self, now: datetime) -> bool:
        """Can it still be used?"""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line for the audit log, written in the transaction of what it tells."""

    at: datetime
    actor: str
    origin: str
    action: str
    object: str
    before: str | None = None
    after: str | None = None


class AccessError(ValueError):
    """Something about users or keys can't be done; the message says what to do. Below it: the three that follow."""


class BadAccessRule(AccessError):  # noqa: N818 - named for what is wrong
    """A name, password, role or date that the rules do not allow."""


class NameTaken(AccessError):  # noqa: N818 - named for what is wrong
    """The name exists already."""


class NotThere(AccessError):  # noqa: N818 - named for what is wrong
    """No such user or key."""


class AccessStore(Protocol):
    """Keeps users, sessions, keys and failed sign-ins. Each change and its note are one transaction."""

    async def note(self, note: Note) -> None: ...
    async def user(self, name: str) -> User | None: ...
    async def users(self) -> tuple[User, ...]:
        """Return all users by name."""
        ...

    async def add_user(self, user: User, *, note: Note) -> None:
        """Add a user; raises `NameTaken`."""
        ...

    async def change_user(self, user: User, *, note: Note) -> None:
        """Replace a user's row and end all their sessions."""
        ...

    async def failures(self, origin: str, *, since: datetime) -> tuple[tuple[str, datetime], ...]:
        """Return (name, time) of failed sign-ins from an origin, oldest first."""
        ...

    async def add_failure(self, name: str, origin: str, *, note: Note) -> None:
        """Write a failed sign-in down at the note's time, and forget those older than a day."""
        ...

    async def add_session(self, session: Session, *, note: Note) -> None:
        """Add a session, forget the failures of its name and origin, and all sessions that have expired."""
        ...

    async def session(self, token_hash: str) -> tuple[Session, User] | None: ...
    async def use_session(self, token_hash: str, *, seen_at: datetime, expires_at: datetime) -> None: ...
    async def end_session(self, token_hash: str, *, note: Note) -> None: ...
    async def add_key(self, key: ApiKey, *, key_hash: str, note: Note) -> None:
        """Add a key; raises `NameTaken` while an unrevoked key has its name."""
        ...

    async def key(self, key_hash: str) -> ApiKey | None: ...
    async def keys(self) -> tuple[ApiKey, ...]:
        """Return all keys, newest first, revoked ones too."""
        ...

    async def use_key(self, key_id: str, *, at: datetime) -> None: ...
    async def revoke_key(self, key_id: str, *, note: Note) -> bool:
        """Revoke at the note's time; false when there is no such unrevoked key."""
        ...


class Hasher(Protocol):
    """Hashes passwords slowly, without holding the event loop."""

    async def hash(self, password: str) -> str: ...
    async def verify(self, stored: str | None, password: str) -> bool:
        """Compare. Without a stored hash: do the same work and say false, so that time tells nobody who exists."""
        ...
