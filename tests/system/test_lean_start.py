"""What a start costs: time, memory, and the libraries that must not be loaded by then."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running import Bot, environment, free_port

HEAVY = ("torch", "lightgbm", "xgboost", "sklearn", "stable_baselines3", "matplotlib", "aiogram", "yfinance",
         "numba", "alembic", "ccxt", "pandas", "pandas_ta_classic", "exchange_calendars")  # fmt: skip
IDLE_MB_MAX = 250

PROGRAM = """
import asyncio, json, sys
import httpx
from evil2root.main.serving import serve
from evil2root.main.starting import begun

async def main(beginning, port):
    running = asyncio.create_task(serve(beginning, say=lambda line: None))
    async with httpx.AsyncClient() as client:
        while True:
            await asyncio.sleep(0.05)
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    break
            except httpx.TransportError:
                pass
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
    sys.stdout.flush()
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        pass

port = int(sys.argv[1])
with begun({}, host="127.0.0.1", port=port, say=lambda line: None) as beginning:
    asyncio.run(main(beginning, port))
"""


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    bot = Bot(data_dir=tmp_path / "data", settings={"EVIL2ROOT_REPLAY__SPEED": "0.01"})
    yield bot
    if bot.process is not None and bot.process.poll() is None:
        bot.stop()


def test_loads_no_heavy_library_by_the_time_it_is_ready(bot: Bot) -> None:
    # A first start migrates, for which alembic is needed: the second one counts.
    bot.start()
    bot.stop()

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(free_port())], env=environment(bot.data_dir, **bot.settings),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2_000:]
    loaded = set(json.loads(done.stdout))
    assert "polars" in loaded
    assert sorted(loaded & set(HEAVY)) == []


def test_stays_small_while_idle(bot: Bot) -> None:
    bot.start()
    assert bot.process is not None

    status = Path(f"/proc/{bot.process.pid}/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0]) / 1024

    assert resident <= IDLE_MB_MAX
