"""Kill the running program at random instants: nothing may be lost, nothing doubled."""

import asyncio
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from evil2root.adapters.postgres.embedded import attach_or_start
from tests.system.drill import note_restarts, undisturbed
from tests.system.running import Bot

KILLS = int(os.environ.get("KILLS", "4"))
"""The drill in full, with the times to get ready again, is `./evil2root bench kills`."""
SEED = 20_261_122


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    bot = Bot(data_dir=tmp_path / "data", settings={"EVIL2ROOT_STRATEGY": "metronome"})
    yield bot
    if bot.process is not None and bot.process.poll() is None:
        bot.process.kill()
        bot.process.wait(timeout=20)


@pytest.mark.slow
async def test_no_kill_loses_or_doubles_an_order(bot: Bot) -> None:
    chance = np.random.default_rng(SEED)
    bot.start()
    restarts = []

    for _ in range(KILLS):
        await asyncio.sleep(float(chance.uniform(0.0, 1.2)))
        bot.kill()
        restarts.append(bot.start())
        note_restarts(restarts)
    for _ in range(30):
        await asyncio.sleep(1)
        if len((await _books(bot.data_dir))["fills"]) > KILLS:
            break
    assert bot.stop() == 0
    verified = bot.command("ledger", "verify")
    books = await _books(bot.data_dir)

    assert verified.returncode == 0, verified.stderr
    told = undisturbed(until=books["closed_at"])
    assert books["fills"] == [(f.execution_id, f.symbol, f.side.value, f.quantity, f.price, f.fee) for f in told.fills]
    assert books["orders"] == {o.client_order_id: o.quantity for o in told.orders.values()}
    assert books["decisions"] == len(told.decided)
    assert books["equity"] == told.points[-1].equity
    assert len(books["fills"]) > KILLS


async def _books(data_dir: Path) -> Mapping[str, Any]:
    """What the database holds of the account."""
    async with attach_or_start(data_dir) as running:
        connection = await asyncpg.connect(running.dsn.replace("postgresql+asyncpg", "postgresql"))
        try:
            await connection.execute("SET search_path TO evil2root")
            closed_at = await connection.fetchval("SELECT max(at) FROM equity_points")
            fills = await connection.fetch(
                "SELECT execution_id, symbol, side, quantity, price, fee FROM fills ORDER BY number"
            )
            orders = await connection.fetch("SELECT client_order_id, quantity FROM orders")
            return {
                "closed_at": closed_at,
                "fills": [tuple(row) for row in fills],
                "orders": {row["client_order_id"]: row["quantity"] for row in orders},
                "decisions": await connection.fetchval("SELECT count(*) FROM decisions"),
                "equity": await connection.fetchval("SELECT equity FROM equity_points ORDER BY at DESC LIMIT 1"),
            }
        finally:
            await connection.close()


def test_a_second_start_on_one_data_directory_says_who_holds_it(bot: Bot) -> None:
    bot.start()
    second = Bot(data_dir=bot.data_dir, settings=bot.settings)

    answer: subprocess.CompletedProcess[str] = second.command("serve", "--port", str(second.port))

    assert answer.returncode == 1
    assert f"process {bot.process.pid if bot.process else ''}" in answer.stderr
    assert "Traceback" not in answer.stderr
