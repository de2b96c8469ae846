"""One lie told again and again by the venue, and a halt while the database says nothing: the running program itself."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from tests.fakes.market import market
from tests.servers.alpaca import KEY, SECRET
from tests.system.drill import family, rows_of, signal_all
from tests.system.running import Bot

POISON_S = float(os.environ.get("POISON_S", "120"))
SYMBOLS = ("AAA", "BBB", "CCC")


@pytest.fixture
def venue() -> Iterator[str]:
    """The address of an Alpaca in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.alpaca", "--seconds", str(300 + POISON_S)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as said:
        yield said.readline().strip()
    process.kill()
    process.wait(timeout=20)


@pytest.fixture
def bot(tmp_path: Path, venue: str) -> Iterator[Bot]:
    folder = tmp_path / "history"
    folder.mkdir()
    for number, symbol in enumerate(SYMBOLS):
        days = pl.col("opened_at").dt.strftime("%Y-%m-%d").alias("time")
        bars = market(number, bars=600, start=40.0).select(days, "open", "high", "low", "close", "volume")
        bars.write_csv(folder / f"{symbol}_1d.csv")
    bot = Bot(
        data_dir=tmp_path / "data",
        settings={
            "EVIL2ROOT_STRATEGY": "metronome", "EVIL2ROOT_BROKER": "alpaca", "EVIL2ROOT_ALPACA__BASE_URL": venue,
            "EVIL2ROOT_ALPACA__API_KEY": KEY, "EVIL2ROOT_ALPACA__API_SECRET": SECRET,
            "EVIL2ROOT_REPLAY__SPEED": "4", "EVIL2ROOT_REPLAY__PATH": str(folder), "EVIL2ROOT_REPLAY__LOOP": "true",
        },
    )  # fmt: skip
    yield bot
    if bot.process is not None and bot.process.poll() is None:
        bot.process.send_signal(signal.SIGCONT)
        bot.process.kill()
        bot.process.wait(timeout=20)


@pytest.mark.long
async def test_a_poison_fill_that_never_ends_freezes_its_symbol_and_no_other(bot: Bot, venue: str) -> None:
    bot.start()
    first = await filled(venue, SYMBOLS[0])
    poison = {**first, "id": first["id"].replace("::", "::poison"), "qty": "1000000000", "price": "0.0001"}

    await tell(venue, {"hostile": [poison] * 50})
    began = time.monotonic()
    before = {symbol: await fills_of(bot, symbol) for symbol in SYMBOLS}
    while time.monotonic() - began < POISON_S:
        assert bot.process is not None
        assert bot.process.poll() is None, "the poison ended the process"
        await asyncio.sleep(5)
    after = {symbol: await fills_of(bot, symbol) for symbol in SYMBOLS}
    parked = await rows_of(bot, "SELECT kind, reason, payload FROM v_parked")
    status = bot.command("reconcile", "--json")

    assert bot.ready()
    assert [(row["kind"], "poison" in row["payload"]) for row in parked] == [("fill", True)]
    assert SYMBOLS[0] in status.stdout
    assert all(after[symbol] > before[symbol] + 10 for symbol in SYMBOLS[1:]), (before, after)
    assert after[SYMBOLS[0]] <= before[SYMBOLS[0]] + 2, "no entry into the frozen symbol"
    assert bot.stop() == 0
    verified = bot.command("ledger", "verify")
    assert verified.returncode == 0, verified.stderr


@pytest.mark.parametrize("way", ["command", "api", "file"])
@pytest.mark.long
async def test_a_halt_holds_while_the_database_says_nothing_and_after(way: str, bot: Bot, venue: str) -> None:
    bot.start()
    made = bot.command("apikey", "create", "--name", "door", "--role", "trader", "--json")
    access = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}", "Idempotency-Key": "halt"}
    door = httpx.AsyncClient(base_url=bot.address, headers=access, timeout=10)
    (await door.get("/api/v1/status")).raise_for_status()
    await filled(venue, SYMBOLS[0])
    frozen = family(int(json.loads((bot.data_dir / "postgres.json").read_text())["pid"]))

    halting: asyncio.Task[subprocess.CompletedProcess[str]] | None = None
    signal_all(frozen, signal.SIGSTOP)
    try:
        if way == "file":
            (bot.data_dir / "HALT").touch()
        elif way == "api":
            answer = await door.post("/api/v1/halt", json={"reason": "odd prices"})
            assert answer.json()["done"], answer.text
        else:
            halting = asyncio.create_task(asyncio.to_thread(bot.command, "halt", "--reason", "odd prices"))
            async with asyncio.timeout(10):  # not the ten seconds that it waits for the database
                while not (bot.data_dir / "HALT").exists():  # noqa: ASYNC110 - another process makes it
                    await asyncio.sleep(0.01)
        entries = len(await bought(venue))
    finally:
        signal_all(frozen, signal.SIGCONT)
    if halting is not None:
        assert (await halting).returncode == 0
    await asyncio.sleep(5)  # twenty bars: the metronome would buy

    await door.aclose()

    assert len(await bought(venue)) == entries
    (halt,) = await rows_of(bot, "SELECT active, by FROM v_halt")
    assert halt["active"], halt
    assert bot.command("resume", "--reason", "all is well").returncode == 0
    async with asyncio.timeout(30):
        while len(await bought(venue)) == entries:  # noqa: ASYNC110 - another process tells it only so
            await asyncio.sleep(0.2)


@pytest.mark.long
async def test_the_halt_is_rehearsed_while_it_runs_and_how_long_it_took_is_kept(bot: Bot) -> None:
    bot.settings = {**bot.settings, "EVIL2ROOT_EXECUTION__DRILL_EVERY_S": "2"}
    bot.start()

    async with asyncio.timeout(90):
        while len(drills := await rows_of(bot, "SELECT * FROM drills ORDER BY began_at")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.5)

    assert all(drill["flat_after_s"] is not None and drill["positions"] + drill["orders"] for drill in drills), drills
    assert bot.ready()
    assert bot.stop() == 0
    assert bot.command("ledger", "verify").returncode == 0


async def bought(venue: str) -> list[str]:
    return [order["client_order_id"] for order in (await truth(venue))["orders"] if order["side"] == "buy"]


async def filled(venue: str, symbol: str) -> dict[str, Any]:
    """Wait for an execution of a symbol; how the venue tells it."""
    async with asyncio.timeout(60):
        while True:
            for one in (await truth(venue))["executions"]:
                if one["symbol"] == symbol:
                    return dict(one)
            await asyncio.sleep(0.2)


async def truth(venue: str) -> Mapping[str, Any]:
    async with httpx.AsyncClient(timeout=20) as client:
        told: Mapping[str, Any] = (await client.get(f"{venue}/control/truth")).json()
        return told


async def tell(venue: str, what: Mapping[str, Any]) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        (await client.post(f"{venue}/control/set", json=what)).raise_for_status()


async def fills_of(bot: Bot, symbol: str) -> int:
    (row,) = await rows_of(bot, "SELECT count(*) AS n FROM v_fills WHERE symbol = $1", symbol)
    return int(row["n"])
