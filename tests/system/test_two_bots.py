"""Two bots on one database: one trades, the other stands by, and whatever happens to the first is booked once."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from evil2root.adapters.postgres.embedded import start
from evil2root.adapters.postgres.leadership import LOCK_HALVES
from tests.postgres_fixtures import THROW_AWAY, quick_folder, sweep
from tests.system.drill import (
    DrilledBot,
    asked,
    kept,
    progress,
    require_epochs_in_order,
    require_nothing_lost_or_doubled,
    wait_until,
)

KILLS = int(os.environ.get("KILLS", "2"))
"""The drill in full is `KILLS=24 ./evil2root test tests/system/test_two_bots.py`: connections are killed for two
minutes, and the leader is frozen for 30 s."""

FULL = KILLS >= 20
KILL_EVERY_S = 5.0 if FULL else 1.5
FROZEN_S = 30.0 if FULL else 6.5
LEADS_WITHIN_S = 10.0 if FULL else 15.0  # the suite runs beside other tests

KILL_LEADERS = """
SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
AND (application_name NOT LIKE 'evil2root-leader-%'
     OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2))
"""
"""The lock's connection and all of the pools; the other's own connection to the lock is left, so that it may win."""


@pytest.fixture
def dsn() -> Iterator[str]:
    """An empty database that nothing has migrated."""
    sweep()
    folder = quick_folder()
    server, running = start(folder, settings=THROW_AWAY | {"track_commit_timestamp": "on"})
    yield running.dsn
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def pair(dsn: str) -> Iterator[tuple[DrilledBot, DrilledBot]]:
    folder = quick_folder()
    settings = {
        "EVIL2ROOT_DATABASE_URL": dsn, "EVIL2ROOT_STRATEGY": "metronome",
        "EVIL2ROOT_REPLAY__SPEED": "8" if FULL else "20",
    }  # fmt: skip
    bots = tuple(DrilledBot(data_dir=folder / name / "data", settings=settings) for name in ("one", "two"))
    yield bots[0], bots[1]
    for bot in bots:
        bot.end()
    shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.postgres
def test_whatever_happens_to_the_leader_nothing_is_lost_doubled_or_written_in_an_old_epoch(
    dsn: str, pair: tuple[DrilledBot, DrilledBot]
) -> None:
    for bot in pair:  # two first starts at once: they migrate once and make one admin
        bot.launch()
    wait_until(lambda: any(bot.is_in("ready") for bot in pair), within_s=60, told=lambda: "".join(map(_said, pair)))
    leader, other = pair if pair[0].is_in("ready") else pair[::-1]
    wait_until(lambda: other.is_in("standby"), within_s=10, told=other.said)
    _require_that_it_only_shows(other, leader)

    for _ in range(KILLS):
        time.sleep(KILL_EVERY_S)
        _kill_connections(dsn, leader)
        leader, other = _roles(leader, other)

    leader.freeze()
    began = time.monotonic()
    took = wait_until(lambda: other.is_in("ready"), within_s=LEADS_WITHIN_S, told=other.said)
    time.sleep(max(0.0, FROZEN_S - (time.monotonic() - began)))
    leader.thaw()
    wait_until(lambda: not leader.runs(), within_s=15, told=leader.said)
    assert leader.process is not None
    assert leader.process.returncode == 1
    assert "leads since" in leader.said().strip().splitlines()[-1]
    assert "Traceback" not in leader.said()

    leader.launch()
    wait_until(lambda: leader.is_in("standby"), within_s=30, told=leader.said)
    other.kill()
    died = wait_until(lambda: leader.is_in("ready"), within_s=LEADS_WITHIN_S, told=leader.said)
    time.sleep(1)
    assert leader.stop() == 0
    verified = leader.command("ledger", "verify")

    print(f"frozen: replaced in {took:.1f} s; killed: in {died:.1f} s; epoch {require_epochs_in_order(dsn)}")  # noqa: T201
    assert verified.returncode == 0, verified.stderr
    require_nothing_lost_or_doubled(kept(dsn))


def _kill_connections(dsn: str, leader: DrilledBot) -> None:
    """End the leader's connections, and wait until somebody trades again."""
    before = progress(dsn)
    assert asked(dsn, KILL_LEADERS, *LOCK_HALVES)[0]["ended"] > 0
    wait_until(lambda: progress(dsn) > before, within_s=LEADS_WITHIN_S, told=leader.said)


def _said(bot: DrilledBot) -> str:
    return bot.said()


def _roles(leader: DrilledBot, other: DrilledBot) -> tuple[DrilledBot, DrilledBot]:
    """Who leads now; one that lost the race has ended and is started again, as a service manager does."""
    if leader.is_in("ready", "database"):
        return leader, other
    wait_until(lambda: not leader.runs(), within_s=15, told=leader.said)
    leader.launch()
    wait_until(lambda: leader.is_in("standby"), within_s=30, told=leader.said)
    return other, leader


def _require_that_it_only_shows(standby: DrilledBot, leader: DrilledBot) -> None:
    assert leader.process is not None
    named = f":{leader.process.pid} leads since"
    assert named in standby.readiness()["reason"]
    made = standby.command("apikey", "create", "--name", "drill", "--role", "trader", "--json")
    key = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}
    with httpx.Client(base_url=standby.address, headers=key, timeout=10) as client:
        status = client.get("/api/v1/status").json()
        halted = client.post("/api/v1/halt", json={"reason": "drill"}, headers={"Idempotency-Key": "drill-1"})
        seen = wait_until(lambda: len(client.get("/api/v1/fills").json()["items"]) > 0, within_s=15, told=leader.said)
    assert (status["phase"], status["leader"]) == ("standby", False)
    assert named in halted.text
    assert seen < 15
    # Commands of the command line go through the database, so that the leader hears them from anywhere.
    closed = standby.command("close", "XOM")
    assert closed.returncode == 1
    assert "XOM" in closed.stderr
    assert "withdrawn" not in closed.stderr


@pytest.mark.slow
@pytest.mark.postgres
def test_who_is_told_to_stop_hands_over(pair: tuple[DrilledBot, DrilledBot]) -> None:
    leader, other = pair
    leader.launch()
    wait_until(lambda: leader.is_in("ready"), within_s=60, told=leader.said)
    other.launch()
    wait_until(lambda: other.is_in("standby"), within_s=30, told=other.said)

    leader.tell(signal.SIGTERM)
    took = wait_until(lambda: other.is_in("ready"), within_s=LEADS_WITHIN_S, told=other.said)

    assert leader.process is not None
    assert leader.process.wait(timeout=15) == 0
    assert took < LEADS_WITHIN_S
    assert other.stop() == 0
