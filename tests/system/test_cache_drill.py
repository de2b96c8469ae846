"""Decisions are the same whatever becomes of the cache: the real program, read by pages all along."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import numpy as np
import pytest
from redis import Redis

from evil2root.adapters.postgres.embedded import attach
from tests.servers.valkey import Valkey, valkey
from tests.system.running import Bot

pytestmark = [pytest.mark.slow, pytest.mark.long]

SYMBOLS, BARS = ("AAPL", "MSFT"), 200
WITHIN_S = 120.0


def recorded(folder: Path) -> Path:
    """Two short histories with enough movement to be traded."""
    folder.mkdir()
    numbers = np.random.default_rng(3)
    for symbol in SYMBOLS:
        close = 100 * np.exp(np.cumsum(numbers.normal(0.001, 0.02, BARS)))
        opening = np.concatenate((close[:1], close[:-1]))
        lines = ["time,open,high,low,close,volume"]
        day = datetime(2001, 1, 2, tzinfo=UTC)
        for o, c in zip(opening, close, strict=True):
            while day.weekday() > 4:
                day += timedelta(days=1)
            lines.append(f"{day.date()},{o:.2f},{max(o, c) * 1.01:.2f},{min(o, c) * 0.99:.2f},{c:.2f},{1e6:.0f}")
            day += timedelta(days=1)
        (folder / f"{symbol}_1d.csv").write_text("\n".join(lines) + "\n")
    return folder


@contextmanager
def poisoned(server: Valkey) -> Iterator[None]:
    """Write nonsense over everything in the server, again and again."""
    over = threading.Event()

    def write() -> None:
        client = Redis(port=server.port)
        values: list[Callable[[bytes], Any]] = [
            lambda key: client.set(key, b"\x80\x04nonsense"), lambda key: client.set(key, bytes(3 * 2**20)),
            lambda key: (client.delete(key), client.lpush(key, "a list")), lambda key: client.set(key, b"ARROW1" * 500),
        ]  # fmt: skip
        while not over.wait(0.002):
            for number, key in enumerate(client.scan_iter("e2r:*")):
                values[number % len(values)](key)
        client.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def read_all_along(bot: Bot, *, in_the_middle: Callable[[], None]) -> dict[str, Any]:
    """Read bars until the replay has ended; what the cache was good for."""
    key = json.loads(bot.command("apikey", "create", "--name", "reader", "--role", "viewer", "--json").stdout)["key"]
    began, rounds = time.monotonic(), 0
    with httpx.Client(base_url=bot.address, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        while True:
            feed = client.get("/api/v1/status").raise_for_status().json()["feed"]
            for symbol in SYMBOLS * 2:
                answer = client.get(f"/api/v1/symbols/{symbol}/bars", params={"limit": 100})
                assert answer.status_code == 200, answer.text
            rounds += 1
            if rounds == 3:
                assert not feed["finished"], "the replay was over before anybody read"
                in_the_middle()
            if feed["finished"]:
                found: dict[str, Any] = client.get("/api/v1/system").json()["cache"]
                return found
            assert time.monotonic() - began < WITHIN_S, feed


def decided(data_dir: Path) -> list[str]:
    async def ask() -> list[str]:
        running = await attach(data_dir)
        connection = await asyncpg.connect(running.dsn.replace("postgresql+asyncpg", "postgresql"))
        try:
            rows = await connection.fetch(
                "SELECT row_to_json(d)::text AS said FROM evil2root.decisions d ORDER BY sequence"
            )
            return [row["said"] for row in rows]
        finally:
            await connection.close()

    return asyncio.run(ask())


def nothing() -> None:
    """Leave the cache alone."""


def test_decisions_are_identical_with_redis_present_absent_killed_and_full_of_nonsense(tmp_path: Path) -> None:
    history = recorded(tmp_path / "history")
    told: dict[str, list[str]] = {}
    caches: dict[str, dict[str, Any]] = {}
    for what in ("absent", "present", "killed", "hostile"):
        with ExitStack() as stack:
            settings = {
                "EVIL2ROOT_REPLAY__PATH": str(history), "EVIL2ROOT_REPLAY__SPEED": "8",
                "EVIL2ROOT_WATCHLIST": ",".join(SYMBOLS), "EVIL2ROOT_SIGNALS__ENTRY_THRESHOLD": "0.1",
            }  # fmt: skip
            middle = nothing
            if what != "absent":
                server = stack.enter_context(valkey())
                settings["EVIL2ROOT_REDIS_URL"] = server.url
                middle = server.kill if what == "killed" else nothing
                if what == "hostile":
                    stack.enter_context(poisoned(server))
            (tmp_path / what).mkdir()
            bot = Bot(data_dir=tmp_path / what / "data", settings=settings)
            bot.start()
            try:
                caches[what] = read_all_along(bot, in_the_middle=middle)
                told[what] = decided(bot.data_dir)
            finally:
                bot.stop()

    assert len(told["absent"]) >= BARS
    assert told["present"] == told["killed"] == told["hostile"] == told["absent"]
    assert [caches[what]["kind"] for what in caches] == ["in-process", "redis", "redis", "redis"]
    assert caches["absent"]["hits"] > 0
    assert caches["present"]["hits"] > 0
    assert caches["killed"]["failures"] > 0
    assert caches["hostile"]["refused"] > 0
