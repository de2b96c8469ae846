"""Access kept in memory: the ports of `engine.identity` and `engine.idempotency`, and quick passwords."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from evil2root.engine.access import Access, AccessStore, ApiKey, NameTaken, Note, Session, User
from evil2root.engine.idempotency import Asked, Kept

SECRET = b"a secret of thirty-two bytes long"


@dataclass
class SetClock:
    """A clock that is set by hand."""

    at: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def forward(self, by: timedelta) -> None:
        self.at += by


@dataclass
class QuickHasher:
    """Passwords that cost nothing; counts how often it worked."""

    worked: int = 0

    async def hash(self, password: str) -> str:
        self.worked += 1
        return f"hash of {password}"

    async def verify(self, stored: str | None, password: str) -> bool:
        self.worked += 1
        return stored == f"hash of {password}"


@dataclass
class MemoryAccess:
    """An `AccessStore` in memory."""

    notes: list[Note] = field(default_factory=list)
    _users: dict[str, User] = field(default_factory=dict)
    _failures: list[tuple[str, str, datetime]] = field(default_factory=list)
    _sessions: dict[str, Session] = field(default_factory=dict)
    _keys: dict[str, ApiKey] = field(default_factory=dict)

    async def note(self, note: Note) -> None:
        self.notes.append(note)

    async def user(self, name: str) -> User | None:
        return self._users.get(name)

    async def users(self) -> tuple[User, ...]:
        return tuple(self._users[name] for name in sorted(self._users))

    async def add_user(self, user: User, *, note: Note) -> None:
        if user.name in self._users:
            msg = f"There is a user {user.name!r} already: choose another name."
            raise NameTaken(msg)
        self._users[user.name] = user
        self.notes.append(note)

    async def change_user(self, user: User, *, note: Note) -> None:
        self._users[user.name] = user
        self._sessions = {k: s for k, s in self._sessions.items() if s.name != user.name}
        self.notes.append(note)

    async def failures(self, origin: str, *, since: datetime) -> tuple[tuple[str, datetime], ...]:
        return tuple((name, at) for name, where, at in self._failures if where == origin and at > since)

    async def add_failure(self, name: str, origin: str, *, note: Note) -> None:
        self._failures.append((name, origin, note.at))
        self.notes.append(note)

    async def add_session(self, session: Session, *, note: Note) -> None:
        self._sessions[session.token_hash] = session
        self._failures = [f for f in self._failures if f[:2] != (session.name, session.origin)]
        self.notes.append(note)

    async def session(self, token_hash: str) -> tuple[Session, User] | None:
        found = self._sessions.get(token_hash)
        return None if found is None else (found, self._users[found.name])

    async def use_session(self, token_hash: str, *, seen_at: datetime, expires_at: datetime) -> None:
        self._sessions[token_hash] = replace(self._sessions[token_hash], seen_at=seen_at, expires_at=expires_at)

    async def end_session(self, token_hash: str, *, note: Note) -> None:
        self._sessions.pop(token_hash, None)
        self.notes.append(note)

    async def add_key(self, key: ApiKey, *, key_hash: str, note: Note) -> None:
        if any(k.name == key.name and k.revoked_at is None for k in self._keys.values()):
            msg = f"There is a key {key.name!r} already: revoke it, or choose another name."
            raise NameTaken(msg)
        self._keys[key_hash] = key
        self.notes.append(note)

    async def key(self, key_hash: str) -> ApiKey | None:
        return self._keys.get(key_hash)

    async def keys(self) -> tuple[ApiKey, ...]:
        return tuple(sorted(self._keys.values(), key=lambda k: k.created_at, reverse=True))

    async def use_key(self, key_id: str, *, at: datetime) -> None:
        self._change_key(key_id, last_used_at=at)

    async def revoke_key(self, key_id: str, *, note: Note) -> bool:
        if not any(k.id == key_id and k.revoked_at is None for k in self._keys.values()):
            return False
        self._change_key(key_id, revoked_at=note.at)
        self.notes.append(note)
        return True

    def _change_key(self, key_id: str, **changes: datetime) -> None:
        self._keys = {h: replace(k, **changes) if k.id == key_id else k for h, k in self._keys.items()}  # type: ignore[arg-type]


@dataclass
class MemoryOnce:
    """A `OnceStore` in memory."""

    rows: dict[tuple[str, str], tuple[Kept, datetime]] = field(default_factory=dict)

    async def begin(self, asked: Asked, *, at: datetime, forget_before: datetime) -> Kept | None:
        self.rows = {k: v for k, v in self.rows.items() if v[1] >= forget_before}
        found = self.rows.get((asked.key, asked.actor))
        if found is not None:
            return found[0]
        kept = Kept(path=asked.path, body_hash=asked.body_hash, status=None, answer=None)
        self.rows[asked.key, asked.actor] = (kept, at)
        return None

    async def finish(self, asked: Asked, *, status: int, answer: str) -> None:
        kept, at = self.rows[asked.key, asked.actor]
        self.rows[asked.key, asked.actor] = (replace(kept, status=status, answer=answer), at)


def an_access(store: AccessStore | None = None, clock: SetClock | None = None) -> Access:
    """Give an `Access` over memory."""
    return Access(store or MemoryAccess(), hasher=QuickHasher(), clock=clock or SetClock(), secret=SECRET)
