"""The same request sent twice is carried out once: its first answer is kept, and given again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from evil2root.domain.core.clock import Clock

KEPT_FOR = timedelta(days=1)
"""Answers are kept so long; after that a key may be used anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that must not be carried out twice."""

    key: str
    """The caller's own name for it, 1 to 255 visible ASCII characters."""
    actor: str
    path: str
    """Method and path."""
    body_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is written down about a request with a key."""

    path: str
    body_hash: str
    status: int | None
    """HTTP status of the answer; none while the first is still being worked on, or was cut off by a crash."""
    answer: str | None
    """The answer's JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """Nobody asked this before: carry it out, then call `finish`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """It was carried out before; this was the answer."""

    status: int
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """The key stands for something else, or for something unfinished."""

    says: str


class OnceStore(Protocol):
    """Keeps requests by (key, actor)."""

    async def begin(self, asked: Asked, *, at: datetime, forget_before: datetime) -> Kept | None:
        """Write a request down unless its (key, actor) is there: then return what is kept. Atomic.

        Rows older than `forget_before` are forgotten first.
        """
        ...

    async def finish(self, asked: Asked, *, status: int, answer: str) -> None: ...


class Once:
    """Decides whether a request is new."""

    def __init__(self, store: OnceStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def begin(self, asked: Asked) -> First | Again | Clash:
        """Ask before carrying a request out; only one of two at the same time gets `First`."""
        now = self._clock.now()
        kept = await self._store.begin(asked, at=now, forget_before=now - KEPT_FOR)
        if kept is None:
            return First()
        if (kept.path, kept.body_hash) != (asked.path, asked.body_hash):
            return Clash(says=f"The Idempotency-Key {asked.key!r} was used for another request: use a new one.")
        if kept.status is None or kept.answer is None:
            return Clash(
                says=f"The first request with the Idempotency-Key {asked.key!r} is not answered yet. If this stays so, "
                "it was cut off: look at what is there now, then ask again with a new key."
            )
        return Again(status=kept.status, answer=kept.answer)

    async def finish(self, asked: Asked, *, status: int, answer: str) -> None:
        """Keep the answer."""
        await self._store.finish(asked, status=status, answer=answer)
