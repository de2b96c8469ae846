"""What the drills share: bots that need not be ready, what their database holds, and what it should hold."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import polars as pl

from evil2root.adapters.market_data.replay import ReplayFeed, load_histories
from evil2root.adapters.postgres.dsn import plain_dsn
from evil2root.adapters.postgres.embedded import attach, attach_or_start
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.book.orders import FINAL
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.profiles import make_policy
from evil2root.engine.replay import Run, backtest
from tests.system.running import Bot, environment


def note_restarts(seconds: list[float]) -> None:
    """Write how long each start took so far until `/readyz` said yes, for the benchmark that asked.

    A test judges no time.
    """
    path = os.environ.get("RESTARTS_FILE")
    if path:
        Path(path).write_text(json.dumps(seconds))


@dataclass
class DrilledBot(Bot):
    """A bot that may stand by, and whose process may be frozen."""

    def launch(self) -> None:
        """Start it and wait for nothing."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "evil2root", "serve", "--port", str(self.port)],
                env=environment(self.data_dir, **self.settings), cwd=self.data_dir.parent, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def log(self) -> Path:
        return self.data_dir.parent / "bot.log"

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def readiness(self) -> Mapping[str, str]:
        """`/readyz`: status and reason; `away` when nobody answers."""
        status, body = self.asked("/readyz")
        if not status:
            return {"status": "away", "reason": body.decode()}
        found: Mapping[str, str] = json.loads(body)
        return found

    def is_in(self, *phases: str) -> bool:
        return self.readiness()["status"] in phases

    def freeze(self) -> None:
        self.tell(signal.SIGSTOP)

    def thaw(self) -> None:
        self.tell(signal.SIGCONT)

    def tell(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        if self.runs():
            assert self.process is not None
            self.process.kill()
            self.process.wait(timeout=20)


def wait_until(what: Callable[[], bool], *, within_s: float, told: Callable[[], str] = str) -> float:
    """Wait for something; seconds that took."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > within_s:
            msg = f"It did not come about within {within_s:g} s.\n{told()[-3_000:]}"
            raise AssertionError(msg)
        time.sleep(0.05)
    return time.monotonic() - began


def family(pid: int) -> list[int]:
    """A process and its children: a PostgreSQL and its sessions."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, listed)]


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def asked(dsn: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    """Ask the database from outside."""

    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(plain_dsn(dsn), server_settings={"search_path": "evil2root"}, timeout=10)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    return asyncio.run(ask())


def progress(dsn: str) -> int:
    """Commits of the account so far."""
    rows = asked(dsn, "SELECT steps FROM account_state")
    return int(rows[0]["steps"]) if rows else 0


def kept(dsn: str) -> Mapping[str, Any]:
    """What the database holds of the account."""
    fills = asked(dsn, "SELECT execution_id, symbol, side, quantity, price, fee FROM fills ORDER BY number")
    return {
        "closed_at": asked(dsn, "SELECT max(at) AS at FROM equity_points")[0]["at"],
        "fills": [tuple(row) for row in fills],
        "orders": {
            row["client_order_id"]: row["quantity"]
            for row in asked(dsn, "SELECT client_order_id, quantity FROM orders")
        },
        "decisions": asked(dsn, "SELECT count(*) AS n FROM decisions")[0]["n"],
        "equity": asked(dsn, "SELECT equity FROM equity_points ORDER BY at DESC LIMIT 1")[0]["equity"],
    }


def undisturbed(*, until: datetime) -> Run:
    """The same bars through the backtest, which nobody disturbs."""
    histories = load_histories(path=None, watchlist=(), interval=Interval.D1, now=SystemClock().now())
    feed = ReplayFeed(histories)
    policy = make_policy(
        "metronome", {}, account="paper", currency="USD", interval=Interval.D1,
        instruments={symbol: instrument_for(symbol) for symbol in histories},
    )  # fmt: skip
    frames = {s: h.adjusted.filter(pl.col("closed_at") <= until) for s, h in histories.items()}
    return backtest(policy, frames, cash=Money(Decimal(100_000)), start=feed.starts_after)


def require_nothing_lost_or_doubled(books: Mapping[str, Any]) -> None:
    """Hold what is kept against what would be there if nothing had happened."""
    told = undisturbed(until=books["closed_at"])
    assert books["fills"] == [(f.execution_id, f.symbol, f.side.value, f.quantity, f.price, f.fee) for f in told.fills]
    assert books["orders"] == {o.client_order_id: o.quantity for o in told.orders.values()}
    assert books["decisions"] == len(told.decided)
    assert books["equity"] == told.points[-1].equity


def require_epochs_in_order(dsn: str) -> int:
    """No write of an old epoch after one of a newer: in the order of the commits epochs only grow. The last one."""
    rows = asked(
        dsn,
        "SELECT e.epoch FROM order_events e JOIN orders o USING (client_order_id) "
        "ORDER BY pg_xact_commit_timestamp(e.xmin), o.number, e.seq",
    )
    epochs = [int(row["epoch"]) for row in rows]
    assert epochs == sorted(epochs)
    leader = asked(dsn, "SELECT epoch FROM v_leader")[0]["epoch"]
    assert not epochs or epochs[-1] <= leader
    return int(leader)


async def settled(bot: Bot, *, flat: bool = False) -> None:
    """Wait until no order is under way, and with `flat` until nothing is held: what is held may be sold any moment."""
    left = (
        "SELECT (SELECT count(*) FROM v_orders WHERE state <> ALL($1)) AS orders, "
        "(SELECT count(*) FROM v_positions WHERE quantity <> 0) AS held"
    )
    async with asyncio.timeout(60):
        while True:
            (row,) = await rows_of(bot, left, [state.value for state in FINAL])
            if not row["orders"] and not (flat and row["held"]):
                return
            await asyncio.sleep(0.5)


async def rows_of(bot: Bot, query: str, *arguments: object) -> list[asyncpg.Record]:
    """Ask a running bot's database."""
    connection = await asyncpg.connect(
        plain_dsn((await attach(bot.data_dir)).dsn), server_settings={"search_path": "evil2root"}, timeout=10
    )
    try:
        return list(await connection.fetch(query, *arguments))
    finally:
        await connection.close()


async def kept_books(data_dir: Path) -> Mapping[str, Any]:
    """What the database of a bot that has stopped holds: orders, positions, executions, cash."""
    async with attach_or_start(data_dir) as running:
        connection = await asyncpg.connect(running.dsn.replace("postgresql+asyncpg", "postgresql"))
        try:
            await connection.execute("SET search_path TO evil2root")
            orders = await connection.fetch("SELECT client_order_id, state FROM orders")
            held = await connection.fetch("SELECT symbol, quantity FROM positions")
            fills = await connection.fetch("SELECT execution_id FROM fills")
            cash = "SELECT sum(amount) FROM ledger_entries WHERE account = 'cash'"
            return {
                "orders": {row["client_order_id"]: row["state"] for row in orders},
                "positions": {row["symbol"]: row["quantity"] for row in held},
                "fills": [row["execution_id"] for row in fills],
                "cash": await connection.fetchval(cash),
            }
        finally:
            await connection.close()
