"""Windows of bars as sealed Arrow files: what comes back is what was kept under that very name, or nothing.

A cache outside of the process is open to whoever reaches it. The seal is a keyed hash over name and content, so that
damage, forgery and an honest value under another name are all noticed before a byte is parsed.
"""

import io
from dataclasses import replace
from hashlib import blake2b
from hmac import compare_digest

import polars as pl
import structlog

from evil2root.domain.market.frame import BARS_SCHEMA
from evil2root.engine.hot import CacheState, HotStore

log = structlog.get_logger()

FORMAT = b"e2r-bars-1"
"""Raised when the content's form changes: older content is then never asked for."""

SEAL_BYTES = 32
VALUE_MAX = 2 * 2**20
"""Bytes of one window: some 37,000 bars. Longer ones are read from the database, which streams them as fast."""


class SealedWindows:
    """`HotWindows` over a store of bytes."""

    def __init__(self, store: HotStore, *, secret: bytes) -> None:
        self._store = store
        self._key = blake2b(secret, person=b"evil2root cache", digest_size=SEAL_BYTES).digest()
        self._space = self._hash(b"space")[:8].hex()
        self._hits = self._misses = self._refused = 0

    async def frame(self, name: str) -> pl.DataFrame | None:
        """Return the window kept under that name, None when there is none to be believed."""
        told = await self._store.get(self._address(name))
        if told is None:
            self._misses += 1
            return None
        frame = self._opened(name, told)
        if frame is None:
            self._refused += 1
            log.warning("cache.refused", size=len(told), refused=self._refused)
            return None
        self._hits += 1
        return frame

    async def keep(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a window of `BARS_SCHEMA`, unless it is too big."""
        buffer = io.BytesIO()
        frame.write_ipc(buffer)
        content = buffer.getvalue()
        if len(content) + SEAL_BYTES <= VALUE_MAX:
            await self._store.put(self._address(name), self._seal(name, content) + content)

    def state(self) -> CacheState:
        """Return the store's state with what was found in it."""
        return replace(self._store.state(), hits=self._hits, misses=self._misses, refused=self._refused)

    async def close(self) -> None:
        """Let go of connections."""
        await self._store.close()

    def _opened(self, name: str, told: bytes) -> pl.DataFrame | None:
        seal, content = told[:SEAL_BYTES], told[SEAL_BYTES:]
        if len(told) > VALUE_MAX or not compare_digest(seal, self._seal(name, content)):
            return None
        try:
            frame = pl.read_ipc(io.BytesIO(content))
        except (pl.exceptions.PolarsError, OSError, ValueError):  # of our own making, but by another version
            return None
        return frame if frame.schema == BARS_SCHEMA and not any(frame.null_count().row(0)) else None

    def _address(self, name: str) -> str:
        return f"e2r:{self._space}:{self._hash(FORMAT + name.encode()).hex()}"

    def _seal(self, name: str, content: bytes) -> bytes:
        spoken = name.encode()
        return self._hash(FORMAT + len(spoken).to_bytes(4, "big") + spoken + content)

    def _hash(self, said: bytes) -> bytes:
        return blake2b(said, key=self._key, digest_size=SEAL_BYTES).digest()
