"""The real program when who tells it prices fails: first with errors, then with connections that are cut."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from evil2root.adapters.system_clock import SystemClock
from tests.postgres_fixtures import quick_folder
from tests.servers.alpaca_data import KEY, SECRET, AlpacaData, bar
from tests.servers.serving import served
from tests.system.running import Bot

SYMBOLS = ("BTC-USD", "ETH-USD")
BEHIND, AHEAD = 620, 60
"""Minutes that the server has bars of; those that are not over yet it is not asked for."""

pytestmark = pytest.mark.long


@pytest.fixture
def folder() -> Iterator[Path]:
    made = quick_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def put(server: AlpacaData, symbol: str, seed: int) -> dict[datetime, float]:
    """Let it have a minute's bar after the other, each with a close of its own; returns closes by opening."""
    chance = np.random.default_rng(seed)
    minute = SystemClock().now().astimezone(UTC).replace(second=0, microsecond=0)
    closes = 1_000 * np.cumprod(1 + chance.normal(0, 0.0003, BEHIND + AHEAD))
    told = {minute + timedelta(minutes=n - BEHIND): round(float(close), 6) for n, close in enumerate(closes)}
    server.bars[symbol.replace("-", "/"), "1Min", ""] = [
        bar(at, close, h=close * 1.0002, l=close * 0.9998) for at, close in told.items()
    ]
    return told


class Watched:
    """A bot that is asked how it is."""

    def __init__(self, bot: Bot, client: httpx.AsyncClient) -> None:
        self.bot, self._client = bot, client

    async def read(self, path: str) -> Any:
        return (await self._client.get(f"/api/v1/{path}")).raise_for_status().json()

    async def until(
        self, what: str, is_so: Callable[[Mapping[str, Any]], bool], *, within_s: float = 240
    ) -> dict[str, Any]:
        """Wait for a status; return it."""
        last: dict[str, Any] = {}
        for _ in range(int(within_s)):
            last = await self.read("status")
            if is_so(last):
                return last
            await asyncio.sleep(1)
        msg = f"not {what} within {within_s:g} s: {last}"
        raise AssertionError(msg)

    async def ready(self) -> tuple[int, str]:
        answer = await self._client.get("/readyz")
        return answer.status_code, answer.json()["reason"]

    async def closes(self, symbol: str) -> dict[datetime, float]:
        """Return what is stored, by opening."""
        page = await self.read(f"symbols/{symbol}/bars?interval=1m&limit=1000")
        return {datetime.fromisoformat(one["opened_at"]): one["close"] for one in page["items"]}

    async def books(self) -> tuple[Any, Any, Any]:
        """Return what trading leaves behind."""
        orders = await self.read("orders?limit=200")
        return (await self.read("decisions?limit=200"))["items"], orders["items"], (await self.read("status"))["equity"]


@asynccontextmanager
async def started(folder: Path, address: str) -> AsyncIterator[Watched]:
    settings = {
        "EVIL2ROOT_MARKET_DATA": "alpaca", "EVIL2ROOT_ALPACA__DATA_URL": address, "EVIL2ROOT_ALPACA__API_KEY": KEY,
        "EVIL2ROOT_ALPACA__API_SECRET": SECRET, "EVIL2ROOT_INTERVAL": "1m", "EVIL2ROOT_WATCHLIST": ",".join(SYMBOLS),
        "EVIL2ROOT_STRATEGY": "metronome",
    }  # fmt: skip
    bot = Bot(folder / "data", settings)
    bot.data_dir.mkdir()
    try:
        await asyncio.to_thread(bot.start)
        made = await asyncio.to_thread(
            bot.command, "apikey", "create", "--name", "reader", "--role", "viewer", "--json"
        )
        headers = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}
        async with httpx.AsyncClient(base_url=bot.address, headers=headers, timeout=30) as client:
            yield Watched(bot, client)
    finally:
        if bot.process is not None and bot.process.poll() is None:
            bot.kill()


def is_without_all(status: Mapping[str, Any]) -> bool:
    return {one["symbol"] for one in status["feed"]["missing"]} == set(SYMBOLS)


def last_failure(status: Mapping[str, Any]) -> str:
    return str(status["feed"]["providers"][0]["says"])


async def test_prices_that_are_away_stop_trading_and_are_said_and_nothing_is_invented(folder: Path) -> None:
    server = AlpacaData()
    told = {symbol: put(server, symbol, seed) for seed, symbol in enumerate(SYMBOLS)}
    async with served(server) as address, started(folder, address) as bot:
        well = await bot.until("trading", lambda s: s["decisions"] >= len(SYMBOLS))
        assert await bot.ready() == (200, "")
        before = await bot.books()

        server.faults.always = "error"
        failing = await bot.until("without prices", is_without_all)
        # One close may have been told between the look at the books and the fault.
        held = await bot.books()
        assert failing["feed"]["last_bar_at"] in (well["feed"]["last_bar_at"], _after(well["feed"]["last_bar_at"]))
        assert "500" in last_failure(failing)
        status, reason = await bot.ready()
        assert (status, reason.startswith("2 watched without the newest bar")) == (200, True)

        server.faults.always = "cut_midway"
        cut = await bot.until("cut off", lambda s: "500" not in last_failure(s))
        assert last_failure(cut)
        assert is_without_all(cut)
        assert cut["feed"]["last_bar_at"] == failing["feed"]["last_bar_at"]
        assert cut["feed"]["age_s"] > 60
        assert await bot.books() == held, "nothing was decided, ordered or valued anew"
        for symbol in SYMBOLS:
            stored = await bot.closes(symbol)
            assert max(stored) + timedelta(minutes=1) == datetime.fromisoformat(failing["feed"]["last_bar_at"])

        server.faults.always = None
        again = await bot.until("recovered", lambda s: not s["feed"]["missing"] and s["decisions"] > len(held[0]))
        assert await bot.ready() == (200, "")
        await bot.until("going on", lambda s: s["feed"]["last_bar_at"] > again["feed"]["last_bar_at"])

        decided = [(one["symbol"], one["at"]) for one in (await bot.books())[0]]
        assert len(decided) == len(set(decided)), "nothing was decided twice"
        assert len(decided) > len(before[0])
        closes = {symbol: {at for one, at in decided if one == symbol} for symbol in SYMBOLS}
        assert closes["BTC-USD"] == closes["ETH-USD"], "neither went without a close"
        for symbol in SYMBOLS:
            stored = await bot.closes(symbol)
            assert stored == {at: told[symbol][at] for at in stored}, "every price was told"
            first, last = min(stored), max(stored)
            assert len(stored) == (last - first) // timedelta(minutes=1) + 1, "the outage was caught up"
        assert (await asyncio.to_thread(bot.bot.command, "ledger", "verify")).returncode == 0
        assert await asyncio.to_thread(bot.bot.stop) == 0


def _after(moment: str) -> str:
    return (datetime.fromisoformat(moment) + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
