"""Kill the running program at random instants while it trades at a venue that loses, delays and lies."""

import asyncio
import os
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

from tests.fakes.market import market
from tests.servers.alpaca import KEY, SECRET
from tests.system import running
from tests.system.drill import kept_books, note_restarts, settled
from tests.system.running import Bot

KILLS = int(os.environ.get("KILLS", "4"))
"""The drill in full, with the times to get ready again, is `./evil2root bench kills`."""
SEED = 20_261_123
FAULTS = "0.05"
SYMBOLS, BARS = 16, 1_200


@pytest.fixture
def venue() -> Iterator[str]:
    """The address of a faulty Alpaca in a process of its own: it outlives every kill of the bot."""
    seconds = str(120 + 12 * KILLS)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.alpaca", "--faults", FAULTS, "--seed", str(SEED), "--seconds", seconds],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as said:
        yield said.readline().strip()
    process.kill()
    process.wait(timeout=20)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Many symbols that trade on the same days, so that orders are always under way: half of them buys, half sales."""
    folder = tmp_path / "history"
    folder.mkdir()
    for number in range(SYMBOLS):
        bars = market(number, bars=BARS, start=40.0)[number % 2 :]
        told = bars.select(pl.col("opened_at").dt.strftime("%Y-%m-%d").alias("time"), "open", "high", "low", "close",
                           "volume")  # fmt: skip
        told.write_csv(folder / f"T{number:02d}_1d.csv")
    return folder


@pytest.fixture
def bot(tmp_path: Path, venue: str, history: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    monkeypatch.setattr(running, "START_WITHIN_S", 240.0)  # what is proved here is books; the benchmark judges times
    bot = Bot(
        data_dir=tmp_path / "data",
        settings={
            "EVIL2ROOT_STRATEGY": "metronome", "EVIL2ROOT_BROKER": "alpaca", "EVIL2ROOT_ALPACA__BASE_URL": venue,
            "EVIL2ROOT_ALPACA__API_KEY": KEY, "EVIL2ROOT_ALPACA__API_SECRET": SECRET,
            "EVIL2ROOT_EXECUTION__QUARANTINE_S": "1", "EVIL2ROOT_REPLAY__SPEED": "10", "EVIL2ROOT_REPLAY__PATH": str(history), "EVIL2ROOT_REPLAY__LOOP": "true",
        },
    )  # fmt: skip
    yield bot
    if bot.process is not None and bot.process.poll() is None:
        bot.process.kill()
        bot.process.wait(timeout=20)


@pytest.mark.slow
async def test_no_kill_and_no_lie_loses_or_doubles_an_order(bot: Bot, venue: str) -> None:
    chance = np.random.default_rng(SEED)
    restarts = []
    bot.start()
    await _trading(venue)

    for _ in range(KILLS):
        await asyncio.sleep(float(chance.uniform(0.2, 2.5)))
        bot.kill()
        restarts.append(bot.start())
        note_restarts(restarts)
    await asyncio.sleep(2)
    halted = bot.command("halt", "--reason", "end of the drill")
    assert halted.returncode == 0, halted.stderr
    # The last order that was cut off on its way is looked for twice, ten seconds apart.
    await settled(bot, flat=True)
    assert bot.stop() == 0
    verified = bot.command("ledger", "verify")
    truth = await _truth(venue)
    books = await kept_books(bot.data_dir)

    assert verified.returncode == 0, verified.stderr
    assert len(truth["orders"]) > 3 * KILLS
    _require_the_same(books, truth)


async def _trading(venue: str) -> None:
    """Wait for orders: killed before its first ones left, a bot looks for them as long as a short drill lasts."""
    async with asyncio.timeout(60):
        while len((await _truth(venue))["orders"]) < SYMBOLS:  # noqa: ASYNC110 - another process tells it only so
            await asyncio.sleep(0.1)


async def _truth(venue: str) -> Mapping[str, Any]:
    async with httpx.AsyncClient(timeout=20) as client:
        told: Mapping[str, Any] = (await client.get(f"{venue}/control/truth")).json()
        return told


def _require_the_same(books: Mapping[str, Any], truth: Mapping[str, Any]) -> None:
    placed = [order["client_order_id"] for order in truth["orders"]]
    assert len(set(placed)) == len(placed) == len(truth["posts"]) - _lost(truth), "an order was sent twice"
    assert set(placed) <= set(books["orders"]), "an order was lost"
    for name, state in books["orders"].items():
        assert (name in set(placed)) != (state in ("NOT_PLACED", "CANCELED")), (name, state)
    assert sorted(books["fills"]) == sorted(one["id"] for one in truth["executions"])
    assert books["cash"] == Decimal(truth["cash"])
    assert books["positions"] == {s: Decimal(q) for s, q in truth["positions"].items()}


def _lost(truth: Mapping[str, Any]) -> int:
    """Requests that were read and then forgotten: what the venue answered a cut connection to."""
    return len(set(truth["posts"]) - {order["client_order_id"] for order in truth["orders"]})
