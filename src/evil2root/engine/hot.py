"""Windows of bars that were read a moment ago, kept at hand for pages and the API. Trading never reads them.

A cache may forget, be away or lie: whoever asks reads the database instead, and nothing but speed changes.
"""

from dataclasses import dataclass
from typing import Protocol

import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheState:
    """Which cache is in use, and what it was good for since the start."""

    kind: str
    """`in-process`, `redis` or `none`."""
    says: str
    is_away: bool = False
    hits: int = 0
    misses: int = 0
    refused: int = 0
    """Answers that were not what was kept: damaged, forged, of another type or shape."""
    failures: int = 0
    """Questions the cache did not answer in time, or with an error."""


NO_CACHE = CacheState(kind="none", says="pages read the database each time")


class HotStore(Protocol):
    """Keeps bytes for a while. It forgets at will, never raises, and answers within its own short limit."""

    async def get(self, key: str) -> bytes | None: ...
    async def put(self, key: str, value: bytes) -> None: ...
    def state(self) -> CacheState:
        """Return its kind, what to say of it and its failures; the rest is not its to count."""
        ...

    async def close(self) -> None: ...


class HotWindows(Protocol):
    """Keeps windows of adjusted bars by a name that says all they depend on, their version included."""

    async def frame(self, name: str) -> pl.DataFrame | None:
        """Return what was kept under that name, or None: forgotten, away, or not to be believed."""
        ...

    async def keep(self, name: str, frame: pl.DataFrame) -> None: ...
    def state(self) -> CacheState: ...
