"""The commands that look into the books of a running bot, or ask something of it, through the real program."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from evil2root.adapters.postgres.embedded import attach
from tests.system.running import Bot

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    bot = Bot(
        data_dir=tmp_path_factory.mktemp("bot") / "data",
        settings={"EVIL2ROOT_REPLAY__SPEED": "40", "EVIL2ROOT_SIGNALS__ENTRY_THRESHOLD": "0.1"},
    )
    bot.start()
    until = time.monotonic() + 30
    while not json.loads(bot.command("trades", "list", "--json").stdout) and time.monotonic() < until:
        time.sleep(0.5)
    yield bot
    if bot.process is not None and bot.process.poll() is None:
        bot.stop()


def execute(data_dir: Path, *statements: str) -> None:
    """Change the database by hand, as only its owner can."""

    async def work() -> None:
        running = await attach(data_dir)
        connection = await asyncpg.connect(running.dsn.replace("postgresql+asyncpg", "postgresql"))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


def test_replay_is_identical_and_names_a_feature_that_was_changed(bot: Bot) -> None:
    before = bot.command("replay", "D-50", "--json")
    execute(
        bot.data_dir,
        "UPDATE evil2root.decisions SET features = jsonb_set(features, '{rsi_14}', '99') WHERE id = 'D-50'",
    )
    after = bot.command("replay", "D-50", "--json")

    assert (before.returncode, json.loads(before.stdout)) == (0, {"identical": True, "differences": []})
    assert after.returncode == 1
    assert [d["field"] for d in json.loads(after.stdout)["differences"]] == ["features.rsi_14"]


def test_a_decision_has_the_shape_scripts_read(bot: Bot) -> None:
    (row,) = json.loads(bot.command("decisions", "list", "--outcome", "ordered", "--limit", "1", "--json").stdout)
    shown = json.loads(bot.command("decisions", "show", row["id"], "--json").stdout)
    told = bot.command("explain", row["id"])

    wanted = "id symbol interval at strategy outcome view sources factors verdict sizing order_ids why_not features"
    assert set(wanted.split()) <= set(shown)
    assert {"name", "version", "p_up", "weight"} <= set(shown["sources"][0])
    assert shown["order_ids"]
    assert row["id"] in told.stdout
    assert "Size" in told.stdout


def test_an_unknown_decision_is_one_sentence(bot: Bot) -> None:
    answer = bot.command("explain", "D-999999")

    assert answer.returncode == 1
    assert answer.stderr.startswith("There is no decision D-999999")
    assert answer.stderr.count("\n") == 1


def test_a_halt_stops_entries_until_somebody_resumes_with_a_reason(bot: Bot) -> None:
    halted = bot.command("halt", "--reason", "odd prices", "--flatten")
    status = json.loads(bot.command("status", "--json").stdout)
    unexplained = bot.command("resume")
    resumed = bot.command("resume", "--reason", "prices are back")
    again = json.loads(bot.command("status", "--json").stdout)

    assert halted.returncode == 0, halted.stderr
    assert (status["breaker"], status["reason"]) == ("HALTED", "odd prices")
    assert unexplained.returncode == 2
    assert resumed.returncode == 0, resumed.stderr
    assert again["breaker"] == "ACTIVE"


def test_keys_and_users_open_the_door_and_close_it(bot: Bot) -> None:
    made = json.loads(bot.command("apikey", "create", "--name", "script", "--role", "viewer", "--json").stdout)
    with httpx.Client(base_url=bot.address, timeout=10) as client:
        headers = {"Authorization": f"Bearer {made['key']}"}
        allowed = client.get("/api/v1/status", headers=headers).status_code
        forbidden = client.get("/api/v1/users", headers=headers).status_code
        revoked = bot.command("apikey", "revoke", made["id"])
        refused = client.get("/api/v1/status", headers=headers).status_code

    assert set(made) == {"id", "key"}
    assert made["key"].startswith("e2r_")
    assert (allowed, forbidden, refused) == (200, 403, 401)
    assert revoked.returncode == 0
    assert bot.command("user", "add", "anna", "--role", "boss").returncode == 2


def test_ledger_verify_names_the_table_and_the_row_of_a_breach(bot: Bot) -> None:
    holds = bot.command("ledger", "verify", "--json")
    execute(
        bot.data_dir,
        "ALTER TABLE evil2root.fills DISABLE TRIGGER ALL",
        "UPDATE evil2root.fills SET quantity = quantity + 1 WHERE number = (SELECT min(number) FROM evil2root.fills)",
        "ALTER TABLE evil2root.fills ENABLE TRIGGER ALL",
    )
    broken = bot.command("ledger", "verify")
    execute(
        bot.data_dir,
        "ALTER TABLE evil2root.fills DISABLE TRIGGER ALL",
        "UPDATE evil2root.fills SET quantity = quantity - 1 WHERE number = (SELECT min(number) FROM evil2root.fills)",
        "ALTER TABLE evil2root.fills ENABLE TRIGGER ALL",
    )

    assert (holds.returncode, json.loads(holds.stdout)) == (0, {"holds": True, "breach": None})
    assert broken.returncode == 1
    assert broken.stdout.split()[0] in {"fills", "orders", "ledger_entries"}
