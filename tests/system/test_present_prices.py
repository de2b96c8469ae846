"""The real program on prices of the present: invented ones, that come to be as the machine's clock goes by."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evil2root.engine.fetching import WINDOW_BARS
from tests.postgres_fixtures import quick_folder
from tests.system.running import Bot, environment

SETTINGS = {
    "EVIL2ROOT_MARKET_DATA": "simulated", "EVIL2ROOT_INTERVAL": "1m", "EVIL2ROOT_WATCHLIST": "BTC-USD,ETH-USD,SOL-USD",
}  # fmt: skip
FETCH = ("data", "fetch", "BTC-USD", "ETH-USD", "--interval", "1m", "--start", "2026-01-01", "--end", "2026-03-01")
BARS = 59 * 1_440
"""Of each: January and February."""

pytestmark = pytest.mark.long


@pytest.fixture
def folder() -> Iterator[Path]:
    made = quick_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def decisions(bot: Bot) -> list[tuple[str, str]]:
    told = bot.command("decisions", "list", "--limit", "1000", "--json")
    assert told.returncode == 0, told.stderr
    return [(one["symbol"], one["at"]) for one in json.loads(told.stdout)]


def until_decided(bot: Bot, *, more_than: int, within_s: float = 200.0) -> list[tuple[str, str]]:
    """Wait for the close of a minute, and for what is decided on it."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        found = decisions(bot)
        if len(found) > more_than:
            return found
        time.sleep(5)
    msg = f"no more than {more_than} decisions within {within_s:g} s"
    raise AssertionError(msg)


def test_each_minute_is_decided_on_once_also_when_the_bot_is_killed_between(folder: Path) -> None:
    bot = Bot(folder / "data", SETTINGS)
    (folder / "data").mkdir()
    bot.start()
    before = until_decided(bot, more_than=0)

    bot.kill()
    bot.start()
    after = until_decided(bot, more_than=len(before))

    assert {symbol for symbol, _ in after} == {"BTC-USD", "ETH-USD", "SOL-USD"}
    assert len(set(after)) == len(after), "nothing was decided twice"
    assert set(before) <= set(after)
    assert bot.command("ledger", "verify").returncode == 0
    assert bot.stop() == 0


def test_a_fetch_that_is_killed_leaves_whole_windows_and_goes_on(folder: Path) -> None:
    bot = Bot(folder / "data", SETTINGS)
    (folder / "data").mkdir()
    running = subprocess.Popen(
        [sys.executable, "-m", "evil2root", *FETCH], env=environment(bot.data_dir, **SETTINGS), cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(12)
    running.send_signal(signal.SIGKILL)
    running.wait(timeout=20)

    kept = {one["symbol"]: one["bars"] for one in json.loads(bot.command("data", "check", "--json").stdout)}
    first = json.loads(bot.command(*FETCH, "--json").stdout)
    second = json.loads(bot.command(*FETCH, "--json").stdout)

    assert all(bars % WINDOW_BARS == 0 or bars == BARS for bars in kept.values())
    assert [(one["symbol"], one["new"] + kept.get(one["symbol"], 0)) for one in first] == [
        ("BTC-USD", BARS), ("ETH-USD", BARS),
    ]  # fmt: skip
    assert [(one["new"], one["problem"]) for one in second] == [(0, None), (0, None)]
