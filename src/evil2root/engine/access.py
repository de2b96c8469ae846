"""Who may come in, and what they may do there: users, sessions, API keys and the tokens that guard forms."""

import asyncio
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from evil2root.domain.core.clock import Clock
from evil2root.engine.identity import (
    PRE_COOKIE,
    SCOPE_OF,
    SESSION_COOKIE,
    AccessError,
    AccessStore,
    ApiKey,
    BadAccessRule,
    Hasher,
    Identity,
    NameTaken,
    Note,
    NotThere,
    Role,
    Scope,
    Session,
    User,
)

__all__ = [
    "PRE_COOKIE",
    "SESSION_COOKIE",
    "Access",
    "AccessError",
    "AccessStore",
    "ApiKey",
    "BadAccessRule",
    "Hasher",
    "Identity",
    "LoggedIn",
    "NameTaken",
    "NewKey",
    "NotThere",
    "Note",
    "Refused",
    "Role",
    "Scope",
    "Session",
    "User",
]

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
"""Names of users and keys: no colon, so that `key:NAME` in the audit can't be a user."""
PASSWORD_MIN, PASSWORD_MAX = 12, 1_000
"""Characters. The upper limit keeps a login from being used to burn time."""
FAILURES_MAX = 5
"""Wrong passwords for one name from one origin within the window."""
ORIGIN_FAILURES_MAX = 20
"""The same for one origin, whatever the names: guessing many names is guessing too."""
FAILURE_WINDOW = timedelta(minutes=15)
IDLE_MAX = timedelta(hours=12)
"""A session unused for so long is over."""
SESSION_MAX = timedelta(days=7)
"""However busy, a session ends then, unless another limit is given."""
SEEN_EVERY = timedelta(minutes=1)
"""Use is written down at most so often: reading a page is no reason to write a row."""
SEEN_HOLDS, SEEN_MAX = timedelta(minutes=15), 1_000
KEY_PREFIX = "e2r_"
ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """Signed in."""

    token: str = field(repr=False)
    """For the cookie; not kept anywhere else."""
    expires: datetime
    """When the session ends however busy it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not signed in."""

    says: str
    locked_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key just made. `raw` is shown once."""

    key: ApiKey
    raw: str = field(repr=False)


class Access:
    """The doorkeeper. Pages, API and command line ask it; it asks the store."""

    def __init__(
        self, store: AccessStore, *, hasher: Hasher, clock: Clock, secret: bytes, session_max: timedelta = SESSION_MAX
    ) -> None:
        self._store = store
        self._session_max = session_max
        self._hasher = hasher
        self._clock = clock
        self._secret = secret
        self._seen: dict[str, tuple[Identity, datetime]] = {}
        """Who was let in lately, by the digest of what they showed: only for a halt while the store is away."""
        # One sign-in at a time: many at once could otherwise all pass the count before the first one fails.
        self._turn = asyncio.Lock()

    async def login(self, name: str, password: str, *, origin: str) -> LoggedIn | Refused:
        """Sign in, or say why not: the same words and the same work for a wrong name and a wrong password."""
        async with self._turn:
            now = self._clock.now()
            known = name if NAME.fullmatch(name) else ""
            until = await self._locked_until(known, origin, now)
            if until is not None:
                says = f"Too many wrong tries: this door stays shut until {until:%Y-%m-%d %H:%M:%S} UTC."
                return Refused(says=says, locked_until=until)
            user = await self._store.user(known) if known else None
            possible = 0 < len(password) <= PASSWORD_MAX
            stored = user.password_hash if user is not None else None
            matches = await self._hasher.verify(stored, _normal(password) if possible else "")
            if user is None or user.disabled or not possible or not matches:
                note = Note(at=now, actor=known or "?", origin=origin, action="login.refused", object=f"user:{known}")
                await self._store.add_failure(known, origin, note=note)
                return Refused(says="That name and password do not belong together.")
            return await self._open(user, origin, now)

    async def session(self, token: str) -> Identity | None:
        """Return who holds a session token, and keep the session alive; none when it is over."""
        found = await self._store.session(digest(token))
        if found is None:
            return None
        session, user = found
        now = self._clock.now()
        if user.disabled or now >= min(session.expires_at, session.created_at + self._session_max):
            return None
        if now - session.seen_at >= SEEN_EVERY:
            expires_at = min(now + IDLE_MAX, session.created_at + self._session_max)
            await self._store.use_session(session.token_hash, seen_at=now, expires_at=expires_at)
        return self._remember(token, Identity(name=user.name, role=user.role, via="session"))

    def seen_lately(self, token: str) -> Identity | None:
        """Return who was let in with a session or a key within the last minutes, without asking the store.

        For stopping trading only: a person taken off the list meanwhile can do no more harm than that.
        """
        found = self._seen.get(digest(token))
        return found[0] if found is not None and self._clock.now() - found[1] < SEEN_HOLDS else None

    def _remember(self, token: str, identity: Identity) -> Identity:
        if len(self._seen) >= SEEN_MAX:
            self._seen.clear()
        self._seen[digest(token)] = identity, self._clock.now()
        return identity

    async def logout(self, token: str, *, by: str, origin: str) -> None:
        """End a session."""
        self._seen.pop(digest(token), None)
        await self._store.end_session(digest(token), note=self._note(by, origin, "logout", f"user:{by}"))

    def fresh_token(self) -> str:
        """Draw a token for the cookie of someone who has not signed in yet."""
        return secrets.token_urlsafe(32)

    def csrf(self, token: str) -> str:
        """Return what a form must carry for the cookie `token` (a session's, or the one before signing in)."""
        return hmac.new(self._secret, b"csrf:" + token.encode(), hashlib.sha256).hexdigest()

    def csrf_holds(self, token: str, given: str) -> bool:
        """Does a form's value belong to the cookie? Takes the same time for every wrong answer."""
        return hmac.compare_digest(self.csrf(token).encode(), given.encode("utf-8", "replace"))

    async def key(self, raw: str) -> Identity | None:
        """Return who a raw API key speaks for; none when it is unknown, revoked or past its date."""
        if not raw.startswith(KEY_PREFIX):
            return None
        found = await self._store.key(digest(raw))
        now = self._clock.now()
        if found is None or not found.is_good(now):
            return None
        if found.last_used_at is None or now - found.last_used_at >= SEEN_EVERY:
            await self._store.use_key(found.id, at=now)
        return self._remember(
            raw, Identity(name=f"key:{found.name}", role=found.role, via="apikey", scopes=frozenset(found.scopes))
        )

    async def users(self) -> tuple[User, ...]:
        """Return all users by name."""
        return await self._store.users()

    async def add_user(self, name: str, *, role: Role, password: str, by: str, origin: str) -> User:
        """Add a user. Raises `BadAccessRule`, `NameTaken`."""
        _require_name(name, what="a user")
        hashed = await self._hash(password)
        user = User(name=name, role=role, password_hash=hashed, disabled=False, created_at=self._clock.now())
        await self._store.add_user(user, note=self._note(by, origin, "user.added", f"user:{name}", after=role.value))
        return user

    async def set_password(self, name: str, password: str, *, by: str, origin: str) -> User:
        """Change a password and end the user's sessions. Raises `BadAccessRule`, `NotThere`."""
        user = await self._require_user(name)
        changed = replace(user, password_hash=await self._hash(password))
        await self._store.change_user(changed, note=self._note(by, origin, "user.password", f"user:{name}"))
        return changed

    async def disable_user(self, name: str, *, by: str, origin: str) -> User:
        """Keep a user out and end their sessions. Raises `NotThere`; `BadAccessRule` for the last admin."""
        user = await self._require_user(name)
        others = [u for u in await self.users() if u.role is Role.ADMIN and not u.disabled and u.name != name]
        if user.role is Role.ADMIN and not others:
            msg = f"{name} is the last admin that can sign in: add another admin first."
            raise BadAccessRule(msg)
        changed = replace(user, disabled=True)
        note = self._note(by, origin, "user.disabled", f"user:{name}", before="enabled", after="disabled")
        await self._store.change_user(changed, note=note)
        return changed

    async def ensure_admin(self, password: str | None) -> str | None:
        """Create `admin` where no user exists yet. Returns the password it drew, to be printed once; else none."""
        if await self.users():
            return None
        drawn = None if password is not None else secrets.token_urlsafe(15)
        try:
            await self.add_user(ADMIN, role=Role.ADMIN, password=password or drawn or "", by="system", origin="start")
        except NameTaken:  # another process started first
            return None
        return drawn

    async def keys(self) -> tuple[ApiKey, ...]:
        """Return all keys, newest first."""
        return await self._store.keys()

    async def add_key(  # noqa: PLR0913 - each is a part of the key or of the audit
        self, name: str, *, role: Role, scopes: Sequence[Scope], expires_at: datetime | None, by: str, origin: str
    ) -> NewKey:
        """Make an API key. Raises `BadAccessRule`, `NameTaken`."""
        _require_name(name, what="a key")
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            msg = f"The key would expire at {expires_at.isoformat()}, which is over: give a later time."
            raise BadAccessRule(msg)
        beyond = [s.value for r, s in SCOPE_OF.items() if s in scopes and not role.covers(r)]
        if beyond:
            msg = f"A {role} may not have the scope {', '.join(beyond)}: leave it out or give a higher role."
            raise BadAccessRule(msg)
        raw = KEY_PREFIX + secrets.token_urlsafe(32)
        hashed = digest(raw)
        key = ApiKey(
            id=f"k-{hashed[:12]}", name=name, role=role, scopes=tuple(s for s in Scope if s in scopes),
            created_at=now, expires_at=expires_at, revoked_at=None, last_used_at=None,
        )  # fmt: skip
        after = " ".join([role.value, *(s.value for s in key.scopes)])
        note = self._note(by, origin, "apikey.added", f"apikey:{key.id} {name}", after=after)
        await self._store.add_key(key, key_hash=hashed, note=note)
        return NewKey(key=key, raw=raw)

    async def revoke_key(self, key_id: str, *, by: str, origin: str) -> None:
        """Revoke a key for good. Raises `NotThere`."""
        note = self._note(by, origin, "apikey.revoked", f"apikey:{key_id}")
        if not await self._store.revoke_key(key_id, note=note):
            msg = f"There is no working key {key_id}: see the list of keys."
            raise NotThere(msg)

    async def _locked_until(self, name: str, origin: str, now: datetime) -> datetime | None:
        failed = await self._store.failures(origin, since=now - FAILURE_WINDOW)
        of_name = [at for who, at in failed if who == name]
        ends = [
            times[-most] + FAILURE_WINDOW
            for times, most in ((of_name, FAILURES_MAX), ([at for _, at in failed], ORIGIN_FAILURES_MAX))
            if len(times) >= most
        ]
        return max(ends, default=None)

    async def _open(self, user: User, origin: str, now: datetime) -> LoggedIn:
        token = secrets.token_urlsafe(32)
        session = Session(
            token_hash=digest(token), name=user.name, created_at=now, seen_at=now,
            expires_at=now + IDLE_MAX, origin=origin,
        )  # fmt: skip
        note = Note(at=now, actor=user.name, origin=origin, action="login", object=f"user:{user.name}")
        await self._store.add_session(session, note=note)
        return LoggedIn(token=token, expires=now + self._session_max)

    async def _hash(self, password: str) -> str:
        if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
            msg = f"The password has {len(password)} characters; use {PASSWORD_MIN} to {PASSWORD_MAX:,}."
            raise BadAccessRule(msg)
        return await self._hasher.hash(_normal(password))

    async def _require_user(self, name: str) -> User:
        user = await self._store.user(name) if NAME.fullmatch(name) else None
        if user is None:
            msg = f"There is no user {name!r}: see the list of users."
            raise NotThere(msg)
        return user

    def _note(  # noqa: PLR0913 - the parts of a line
        self, by: str, origin: str, action: str, thing: str, *, before: str | None = None, after: str | None = None
    ) -> Note:
        at = self._clock.now()
        return Note(at=at, actor=by, origin=origin, action=action, object=thing, before=before, after=after)


def digest(token: str) -> str:
    """Return what is stored of a token; the token has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _normal(password: str) -> str:
    """One spelling of accents, whatever the keyboard sends."""
    return unicodedata.normalize("NFC", password)


def _require_name(name: str, *, what: str) -> None:
    if NAME.fullmatch(name) is None:
        msg = f"{name[:64]!r} is no name for {what}: use 1 to 32 of a-z 0-9 . _ - and begin with a letter or digit."
        raise BadAccessRule(msg)
