"""The cache in this process: what was used least lately goes first, and everything goes after a while."""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from evil2root.engine.hot import CacheState

BYTES_MAX = 32 * 2**20
"""Some 1,000 windows of 500 bars."""

KEPT = timedelta(seconds=60)
"""Bounds how old a page can be whose bars were changed behind the bot's back: its own changes make new names."""


class InProcessStore:
    """`HotStore` in memory, bounded in bytes and time."""

    def __init__(
        self, *, bytes_max: int = BYTES_MAX, kept: timedelta = KEPT, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._bytes_max, self._kept_s, self._now_s = bytes_max, kept.total_seconds(), now_s
        self._values: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    async def get(self, key: str) -> bytes | None:
        """Return the value, None when it is not there or too old."""
        found = self._values.get(key)
        if found is None:
            return None
        until, value = found
        if self._now_s() >= until:
            self._drop(key)
            return None
        self._values.move_to_end(key)
        return value

    async def put(self, key: str, value: bytes) -> None:
        """Keep a value, and let go of others until all fit."""
        if key in self._values:
            self._drop(key)
        if len(value) > self._bytes_max:
            return
        self._values[key] = (self._now_s() + self._kept_s, value)
        self._bytes += len(value)
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._values)))

    def state(self) -> CacheState:
        """Return how full it is."""
        of = f"{self._bytes / 2**20:.1f} of {self._bytes_max / 2**20:.0f} MiB"
        return CacheState(kind="in-process", says=f"in this process, {of}")

    async def close(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._bytes = 0

    def _drop(self, key: str) -> None:
        _, value = self._values.pop(key)
        self._bytes -= len(value)
