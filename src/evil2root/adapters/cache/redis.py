"""The cache in Redis or Valkey: one server, over TLS, or a cluster, as the address says.

A server that does not answer is left alone for a while: meanwhile a question costs nothing and finds nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog

from evil2root.adapters.cache.in_process import KEPT
from evil2root.adapters.cache.sealed import VALUE_MAX
from evil2root.engine.hot import CacheState

log = structlog.get_logger()

CLUSTER = "redis+cluster://"

ANSWER_S = 0.25
"""Longest wait for an answer, connecting included. Reading the database takes less than a tenth of it."""

TABLE_S = 2.0
"""Longest wait for the first answer of a cluster, which tells its whole table of commands and slots before."""

FAILURES_MAX = 3
"""Failures in a row after which the server is left alone."""

REST_S, REST_MAX_S = 5.0, 60.0
"""How long at first, doubled by each failed try after it."""

CONNECTIONS_MAX = 32


class RedisStore:
    """`HotStore` in a server outside. Nothing is sent before the first question."""

    def __init__(
        self, url: str, *, kept: timedelta = KEPT, answer_s: float = ANSWER_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._url, self._kept_ms, self._answer_s, self._now_s = url, int(kept.total_seconds() * 1000), answer_s, now_s
        self._client: Any = None
        self._is_met = not url.startswith(CLUSTER)
        self._failures = self._in_a_row = 0
        self._rest_s = REST_S
        self._left_alone_until: float | None = None

    async def get(self, key: str) -> bytes | None:
        """Return the value's first `VALUE_MAX` bytes and one more, None when there is none."""
        value = await self._asked(lambda client: client.getrange(key, 0, VALUE_MAX))
        return value if isinstance(value, bytes) and value else None

    async def put(self, key: str, value: bytes) -> None:
        """Keep a value; a value of another type under that key goes."""
        await self._asked(lambda client: client.set(key, value, px=self._kept_ms))

    async def version(self) -> str:
        """Return the server's name and version. Raises what the client raises, with no password in it."""
        client = self._connected()
        async with asyncio.timeout(10 * self._answer_s):
            told = await client.info("server")
        first = told if "redis_version" in told else next(iter(told.values()))
        valkey = first.get("valkey_version")
        return f"Valkey {valkey}" if valkey else f"Redis {first['redis_version']}"

    def state(self) -> CacheState:
        """Return where it is, and whether it answers."""
        is_away = self._left_alone_until is not None
        says = f"{place_of(self._url)} does not answer: pages read the database" if is_away else place_of(self._url)
        return CacheState(kind="redis", says=says, is_away=is_away, failures=self._failures)

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _asked(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        if self._left_alone_until is not None and self._now_s() < self._left_alone_until:
            return None
        from redis.exceptions import AuthenticationError, ResponseError  # noqa: PLC0415 - no start without Redis pays

        client = self._connected()  # before time is taken: the first one imports the library
        try:
            async with asyncio.timeout(self._answer_s if self._is_met else max(TABLE_S, self._answer_s)):
                answer = await question(client)
        except ResponseError as problem:
            if isinstance(problem, AuthenticationError) or not str(problem).startswith("WRONGTYPE"):
                self._failed(problem)
                return None
            answer = b"\0"  # somebody else's value: the seal refuses it, and it is counted there
        except Exception as problem:  # noqa: BLE001 - a cache may break in any way: what was asked is read elsewhere
            self._failed(problem)
            return None
        self._answered()
        return answer

    def _connected(self) -> Any:
        """Make the client once; it connects by itself, and again after a loss."""
        if self._client is None:
            from redis.asyncio import Redis, RedisCluster  # noqa: PLC0415
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415

            limits: dict[str, Any] = {
                "socket_timeout": self._answer_s, "socket_connect_timeout": self._answer_s,
                "max_connections": CONNECTIONS_MAX, "retry": Retry(NoBackoff(), 0),
            }  # fmt: skip
            if self._url.startswith(CLUSTER):
                url = self._url.replace(CLUSTER, "redis://", 1)
                self._client = RedisCluster.from_url(url, **limits)
            else:
                self._client = Redis.from_url(self._url, **limits)
        return self._client

    def _failed(self, problem: Exception) -> None:
        self._failures += 1
        self._is_met = not self._url.startswith(CLUSTER)  # it may have to tell its table again
        self._in_a_row += 1
        if self._in_a_row >= FAILURES_MAX:
            if self._left_alone_until is None:
                log.warning("cache.lost", place=place_of(self._url), problem=f"{type(problem).__name__}: {problem}")
            self._left_alone_until = self._now_s() + self._rest_s
            self._rest_s = min(REST_MAX_S, 2 * self._rest_s)

    def _answered(self) -> None:
        self._is_met = True
        if self._left_alone_until is not None:
            log.info("cache.back", place=place_of(self._url))
        self._in_a_row, self._rest_s, self._left_alone_until = 0, REST_S, None


def place_of(url: str) -> str:
    """Return the address without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path.rstrip('/')}"
