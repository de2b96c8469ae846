"""Kill the running program while it trades coins at an exchange that loses, delays and lies, and takes fees in coins."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

from evil2root.adapters.brokers.binance_names import our_name
from tests.fakes.market import market
from tests.servers.binance import KEY, SECRET
from tests.system import running
from tests.system.drill import kept_books, settled
from tests.system.running import Bot

KILLS = 3
SEED = 20_261_128
COINS = ("BTC", "ETH")
LOT = Decimal("0.00001")
FAULTS = "0.05"


@pytest.fixture
def venue() -> Iterator[str]:
    """The address of a faulty Binance in a process of its own: it outlives every kill of the bot."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.binance", "--faults", FAULTS, "--seed", str(SEED), "--seconds", "1200",
         "--assets", ",".join(COINS), "--fees", "received", "--fee-frac", "0.00012345"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as said:
        yield said.readline().strip()
    process.kill()
    process.wait(timeout=20)


@pytest.fixture
def bot(tmp_path: Path, venue: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    monkeypatch.setattr(running, "START_WITHIN_S", 240.0)  # what is proved here is books, not times
    folder = tmp_path / "history"
    folder.mkdir()
    for number, coin in enumerate(COINS):
        bars = market(number, bars=2_000, start=40.0)
        days = pl.col("opened_at").dt.strftime("%Y-%m-%d").alias("time")
        bars.select(days, "open", "high", "low", "close", "volume").write_csv(folder / f"{coin}-USDT_1d.csv")
    bot = Bot(
        data_dir=tmp_path / "data",
        settings={
            "EVIL2ROOT_STRATEGY": "metronome", "EVIL2ROOT_BROKER": "ccxt:binance", "EVIL2ROOT_CCXT__BASE_URL": venue,
            "EVIL2ROOT_CCXT__API_KEY": KEY, "EVIL2ROOT_CCXT__API_SECRET": SECRET,
            "EVIL2ROOT_EXECUTION__QUARANTINE_S": "1", "EVIL2ROOT_REPLAY__SPEED": "10",
            "EVIL2ROOT_REPLAY__PATH": str(folder), "EVIL2ROOT_REPLAY__LOOP": "true",
        },
    )  # fmt: skip
    yield bot
    if bot.process is not None and bot.process.poll() is None:
        bot.process.kill()
        bot.process.wait(timeout=20)


@pytest.mark.long
async def test_no_kill_and_no_lie_loses_or_doubles_an_order_of_coins(bot: Bot, venue: str) -> None:
    chance = np.random.default_rng(SEED)
    bot.start()

    for _ in range(KILLS):
        await traded(venue)
        await asyncio.sleep(float(chance.uniform(0.0, 1.0)))
        bot.kill()
        bot.start()
    await traded(venue)
    halted = bot.command("halt", "--reason", "end of the drill")
    assert halted.returncode == 0, halted.stderr
    await settled(bot, flat=True)
    assert bot.stop() == 0
    verified = bot.command("ledger", "verify")
    truth = await truth_of(venue)
    books = await kept_books(bot.data_dir)

    assert verified.returncode == 0, verified.stderr
    _require_the_same(books, truth)


async def truth_of(venue: str) -> Mapping[str, Any]:
    async with httpx.AsyncClient(timeout=20) as client:
        told: Mapping[str, Any] = (await client.get(f"{venue}/control/truth")).json()
        return told


async def traded(venue: str, orders: int = 3) -> None:
    """Wait until the exchange has taken some more orders."""
    before = len((await truth_of(venue))["orders"])
    async with asyncio.timeout(120):
        while len((await truth_of(venue))["orders"]) < before + orders:  # noqa: ASYNC110 - it tells nobody by itself
            await asyncio.sleep(0.2)


def _require_the_same(books: Mapping[str, Any], truth: Mapping[str, Any]) -> None:
    placed = [ours(order["clientOrderId"]) for order in truth["orders"]]
    posts = [ours(name) for name in truth["posts"]]
    assert len(placed) > 3 * KILLS
    assert len(set(placed)) == len(placed), "an order was sent twice"
    assert len(set(posts)) == len(posts), "an order was asked for twice"
    assert set(placed) <= set(books["orders"]), "an order was lost"
    executed = {order["clientOrderId"] for order in truth["orders"] if Decimal(order["executedQty"])}
    filled = {ours(name) for name in executed}
    for name, state in books["orders"].items():
        assert name in placed or state in ("NOT_PLACED", "CANCELED"), (name, state)
        # A purchase whose fee was kept in coins ends short of what was asked for.
        assert (name in filled) <= (state in ("FILLED", "CANCELED")), (name, state)
    assert sorted(books["fills"]) == sorted(f"{one['symbol']}:{one['id']}" for one in truth["executions"])
    balances = {asset: Decimal(amount) for asset, amount in truth["balances"].items()}
    assert books["cash"] == balances["USDT"]
    for coin in COINS:
        # Of each purchase a little less than a lot can't be sold again: it is given back, and lies there still.
        left = balances.get(coin, Decimal(0)) - books["positions"].get(f"{coin}-USDT", Decimal(0))
        sales = sum(1 for one in truth["executions"] if one["symbol"] == f"{coin}USDT" and not one["isBuyer"])
        assert 0 <= left <= sales * LOT, coin
        assert left or not sales, "every purchase leaves some"


def ours(name: str) -> str:
    found = our_name(name)
    assert found is not None, name
    assert not found[1], "nothing was amended"
    return found[0]
