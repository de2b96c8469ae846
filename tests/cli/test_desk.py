"""What is asked of the app, when one runs on the data directory and when none does."""

import json
import os
import pwd
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cli_process import call, call_each, is_one_line
from tests.cli.held_books import rows
from tests.system.running import Bot

pytestmark = pytest.mark.slow

WITHIN_S = 30.0


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    """A bot that buys each symbol once and keeps it."""
    bot = Bot(data_dir=tmp_path / "data", settings={"EVIL2ROOT_STRATEGY": "buy_hold", "EVIL2ROOT_REPLAY__SPEED": "4"})
    bot.start()
    yield bot
    if bot.process is not None and bot.process.poll() is None:
        bot.kill()


def wait_for(bot: Bot, query: str, *given: object) -> list[Any]:
    until = time.monotonic() + WITHIN_S
    while not (found := rows(bot.data_dir, query, *given)):
        assert time.monotonic() < until, query
        time.sleep(0.1)
    return found


def test_a_halt_survives_a_restart_and_a_close_is_done_at_the_next_open(bot: Bot) -> None:
    (held,) = wait_for(bot, "SELECT symbol, quantity FROM positions ORDER BY symbol LIMIT 1")

    halted = bot.command("halt", "--reason", "odd prices")
    bot.stop()
    bot.start()
    status = json.loads(bot.command("status", "--json").stdout)
    closing = bot.command("close", held["symbol"])
    (trade,) = wait_for(bot, "SELECT quantity, exit_time, exit_reason FROM trades WHERE symbol = $1", held["symbol"])
    again = bot.command("close", held["symbol"])
    (order,) = rows(
        bot.data_dir,
        "SELECT created_at, (SELECT min(b.opened_at) FROM bars b WHERE b.symbol = o.symbol AND b.opened_at >= o.created_at) "
        "AS next FROM orders o WHERE client_order_id = (SELECT client_order_id FROM fills WHERE symbol = $1 "
        "ORDER BY number DESC LIMIT 1)",
        held["symbol"],
    )
    audited = rows(bot.data_dir, "SELECT actor, origin, action, object FROM v_audit ORDER BY seq DESC LIMIT 3")

    assert (halted.returncode, halted.stderr) == (0, "")
    assert (status["breaker"], status["reason"], status["app_running"]) == ("HALTED", "odd prices", True)
    assert (closing.returncode, closing.stdout) == (
        0,
        f"Closing {held['quantity']:f} {held['symbol']} at the next open.\n",
    )
    assert (trade["quantity"], trade["exit_reason"]) == (held["quantity"], "manual")
    assert trade["exit_time"] == order["next"]
    assert (again.returncode, again.stderr) == (1, f"{held['symbol']} is not held.\n")
    me, what = pwd.getpwuid(os.geteuid()).pw_name, f"position:{held['symbol']}"
    assert [tuple(line) for line in reversed(audited)] == [
        (me, "cli", "halt", "trading"), (me, "cli", "close", what), (me, "cli", "close", what)
    ]  # fmt: skip


def test_a_halt_without_an_app_holds_from_its_start_until_it_is_resumed(bot: Bot) -> None:
    bot.stop()

    halted = bot.command("halt", "--reason", "before the start")
    bot.start()
    (seen,) = wait_for(bot, "SELECT reason, by FROM v_halt WHERE active")
    resumed = bot.command("resume", "--reason", "all is well")
    still = rows(bot.data_dir, "SELECT 1 FROM v_halt WHERE active")
    nothing = bot.command("resume", "--reason", "again")

    assert halted.returncode == 0
    assert "HALT is written" in halted.stdout
    assert (seen["reason"], seen["by"]) == ("the file HALT is in the data directory", "file")
    assert (resumed.returncode, resumed.stdout) == (0, "Entries are allowed again.\n")
    assert not (bot.data_dir / "HALT").exists()
    assert still == []
    assert (nothing.returncode, nothing.stderr) == (1, "Nothing is halted.\n")


def test_without_an_app_a_halt_is_a_file_and_the_rest_says_what_to_start(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"

    halted = call(data_dir, "halt", "--flatten")
    written = (data_dir / "HALT").read_text()
    resumed = call(data_dir, "resume", "--reason", "fine")
    again, closing, blank, none, odd = call_each(
        data_dir,
        [("resume", "--reason", "fine"), ("close", "AAPL"), ("resume", "--reason", " "), ("resume",),
         ("close", "AAPL", "--quantity", "nan")],
    )  # fmt: skip

    assert (halted.code, written) == (0, "by the command line\n")
    assert "only a running app that answers can close it" in halted.out
    assert (resumed.code, (data_dir / "HALT").exists()) == (0, False)
    for end, code, says in (
        (again, 1, "there is no HALT file"), (closing, 1, "start it with `evil2root serve`, then close AAPL"),
        (blank, 2, "Say why trading may go on"), (none, 2, "--reason"), (odd, 2, "--quantity nan is no amount above 0"),
    ):  # fmt: skip
        assert (end.code, is_one_line(end)) == (code, True), end
        assert says in end.err
    assert [path.name for path in data_dir.iterdir()] == [], "nothing of this starts a database"
