"""The database under the bot stops, freezes or has no room: work pauses at once, nothing is lost, and it goes on."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evil2root.adapters.postgres.embedded import attach, start
from tests.system.drill import (
    DrilledBot,
    family,
    kept,
    progress,
    require_nothing_lost_or_doubled,
    signal_all,
    wait_until,
)

STOPS = int(os.environ.get("STOPS", "2"))
"""The drill in full is `STOPS=25 ./evil2root test tests/system/test_database_faults.py`; freezes then last 20 s."""

FULL = STOPS >= 20
FREEZES, FROZEN_S = (3, 20.0) if FULL else (1, 4.0)
PAUSES_WITHIN_S = 1.0 if FULL else 3.0
RESUMES_WITHIN_S = 30.0
ROOM = "220m"
"""For a database, its log of changes, and a little more."""


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[DrilledBot]:
    speed = "6" if FULL else "20"
    bot = DrilledBot(
        data_dir=tmp_path / "data", settings={"EVIL2ROOT_STRATEGY": "metronome", "EVIL2ROOT_REPLAY__SPEED": speed}
    )
    yield bot
    bot.end()


@pytest.mark.slow
def test_a_database_that_stops_or_freezes_pauses_trading_and_no_more(bot: DrilledBot) -> None:
    bot.start()
    dsn = asyncio.run(attach(bot.data_dir)).dsn
    pauses, resumes = [], []

    for _ in range(STOPS):
        before = _goes_on(bot, dsn)
        os.kill(_postmaster(bot), signal.SIGQUIT)  # as `pg_ctl -m immediate` does
        pauses.append(wait_until(lambda: not bot.ready(), within_s=PAUSES_WITHIN_S, told=bot.said))
        resumes.append(wait_until(bot.ready, within_s=RESUMES_WITHIN_S, told=bot.said))
        assert _goes_on(bot, dsn) > before
    for _ in range(FREEZES):
        before = _goes_on(bot, dsn)
        frozen = family(_postmaster(bot))
        signal_all(frozen, signal.SIGSTOP)
        try:
            pauses.append(wait_until(lambda: not bot.ready(), within_s=PAUSES_WITHIN_S, told=bot.said))
            time.sleep(FROZEN_S)
            assert not bot.ready()
        finally:
            signal_all(frozen, signal.SIGCONT)
        resumes.append(wait_until(bot.ready, within_s=RESUMES_WITHIN_S, told=bot.said))
        assert _goes_on(bot, dsn) > before

    print(f"paused within {max(pauses):.2f} s, resumed within {max(resumes):.1f} s")  # noqa: T201
    _require_all_is_there(bot)


@pytest.mark.slow
def test_a_full_disk_pauses_trading_until_there_is_room(bot: DrilledBot) -> None:
    disk = bot.data_dir
    _mount_small(disk)
    try:
        bot.start()
        dsn = asyncio.run(attach(bot.data_dir)).dsn
        before = _goes_on(bot, dsn)

        _fill(disk / "ballast")
        wait_until(lambda: not bot.ready(), within_s=60, told=bot.said)
        time.sleep(5)
        (disk / "ballast").unlink()

        wait_until(bot.ready, within_s=RESUMES_WITHIN_S, told=bot.said)
        assert _goes_on(bot, dsn) > before
        _require_all_is_there(bot)
    finally:
        bot.end()
        wait_until(lambda: _unmounted(disk), within_s=20)


def _postmaster(bot: DrilledBot) -> int:
    return int(json.loads((bot.data_dir / "postgres.json").read_text())["pid"])


def _goes_on(bot: DrilledBot, dsn: str) -> int:
    """Wait until more is committed than when asked; how much it is."""
    before = progress(dsn)
    wait_until(lambda: progress(dsn) > before, within_s=RESUMES_WITHIN_S, told=bot.said)
    return before


def _require_all_is_there(bot: DrilledBot) -> None:
    assert bot.stop() == 0
    verified = bot.command("ledger", "verify")
    assert verified.returncode == 0, verified.stderr
    assert "engine.failed" not in bot.said()
    server, running = start(bot.data_dir)
    try:
        require_nothing_lost_or_doubled(kept(running.dsn))
    finally:
        server.stop()


def _mount_small(folder: Path) -> None:
    """Put a small disk there, which needs root and a kernel that lets it."""
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("A small disk can only be mounted by root.")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=711", "tmpfs", str(folder)],
        capture_output=True, text=True, timeout=10, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"A small disk can't be mounted here: {done.stderr.strip()}")


def _unmounted(folder: Path) -> bool:
    return subprocess.run(["umount", str(folder)], capture_output=True, timeout=10, check=False).returncode == 0


def _fill(ballast: Path) -> None:
    """Take all room that is left."""
    with ballast.open("wb", buffering=0) as file:
        block = bytes(1 << 20)
        while block:
            try:
                file.write(block)
            except OSError:
                block = block[: len(block) // 2]
