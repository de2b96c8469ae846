"""The API over the real read side: what the journal kept comes out of the routes."""

import csv
from dataclasses import replace
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.access import PostgresAccess
from evil2root.adapters.postgres.audit import PostgresAudit
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.idempotency import PostgresOnce
from evil2root.adapters.postgres.journal import PostgresJournal
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.domain.kernel.policy import Policy
from evil2root.engine.access import Access, Role
from evil2root.engine.desk import Status
from evil2root.engine.idempotency import Once
from tests.adapters.bar_histories import a_history
from tests.adapters.kernel_runs import BEGIN, Run, a_run
from tests.api.door import API, House, assert_problem, idempotent
from tests.fakes.access import SECRET, QuickHasher
from tests.fakes.desk import FakeDesk, a_desk

pytestmark = pytest.mark.postgres


class OverPostgres:
    """A desk whose read side is the real one, showing a run of the real kernel."""

    def __init__(self, *, run: Run, reads: PostgresReads, fake: FakeDesk) -> None:
        self.reads = reads
        self.policy: Policy = run.policy
        self._run = run
        self._fake = fake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fake, name)

    def status(self) -> Status:
        state = self._run.state
        now = state.carry.closed_at or self._fake.status().now
        return replace(self._fake.status(), carry=state.carry, portfolio=state.portfolio, now=now)


@pytest.fixture(scope="module")
def run() -> Run:
    return a_run(days=25)


@pytest.fixture
async def house(engine: AsyncEngine, run: Run, shared_app: FastAPI) -> House:
    journal = PostgresJournal(engine, account="paper")
    await journal.commit([one for keeps, _ in run.steps for one in keeps], run.state.carry)
    fake = a_desk(bars=1)
    made = House(fake, app=shared_app)
    made.access = Access(PostgresAccess(engine), hasher=QuickHasher(), clock=made.clock, secret=SECRET)
    shared_app.state.desk = OverPostgres(run=run, reads=PostgresReads(engine, account="paper"), fake=fake)
    shared_app.state.access = made.access
    shared_app.state.once = Once(PostgresOnce(engine), clock=made.clock)
    return made


async def all_of(house: House, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 7}
    async with house.keyed() as client:
        while True:
            page = (await client.get(f"{API}/{path}", params=params)).json()
            found += page["items"]
            if page["next"] is None:
                return found
            params["cursor"] = page["next"]


async def test_every_list_gives_each_row_once(house: House, run: Run) -> None:
    decisions = await all_of(house, "decisions")
    fills = await all_of(house, "fills")
    orders = await all_of(house, "orders")

    assert len({d["id"] for d in decisions}) == len(decisions) == run.state.carry.decisions
    assert len({f["execution_id"] for f in fills}) == len(fills) > 0
    assert len({o["id"] for o in orders}) == len(orders) > 0
    async with house.keyed() as client:
        for row in decisions:
            assert (await client.get(f"{API}/decisions/{row['id']}")).json()["outcome"] == row["outcome"]
        for row in orders:
            assert (await client.get(f"{API}/orders/{row['id']}")).json()["events"]


async def test_trades_and_their_file_agree(house: House) -> None:
    trades = await all_of(house, "trades")
    async with house.keyed() as client:
        text = (await client.get(f"{API}/trades.csv")).text
        performance = (await client.get(f"{API}/portfolio/performance")).json()

    lines = list(csv.DictReader(StringIO(text)))
    assert [line["pnl"] for line in lines] == [t["pnl"] for t in reversed(trades)]
    assert performance["trades"]["count"] == len(trades) > 0


@pytest.mark.parametrize("path", ["decisions", "orders", "fills", "trades", "audit"])
@pytest.mark.parametrize("cursor", ["nonsense", "\u0661", "%ff", "YmVmb3JlOi0x", "x" * 500])
async def test_a_cursor_of_nobody_is_refused(house: House, path: str, cursor: str) -> None:
    async with house.keyed() as client:
        assert_problem(await client.get(f"{API}/{path}", params={"cursor": cursor}), 422, "cursor")


async def test_bars_of_a_symbol_that_is_stored_but_not_traded_are_shown(house: House, engine: AsyncEngine) -> None:
    now = house.app.state.desk.status().now
    await PostgresBars(engine).add(a_history(rows=60, symbol="IBM", begin=BEGIN))
    async with house.keyed() as client:
        bars = (await client.get(f"{API}/symbols/IBM/bars")).json()["items"]
        indicators = (await client.get(f"{API}/symbols/IBM/indicators")).json()
        missing = await client.get(f"{API}/symbols/NOPE/bars")

    assert 20 < len(bars) < 60
    assert datetime.fromisoformat(bars[-1]["closed_at"]) <= now
    assert indicators["opened_at"] == [b["opened_at"] for b in bars]
    assert indicators["columns"]["close"] == [b["close"] for b in bars]
    assert_problem(missing, 404, "NOPE")


async def test_the_audit_and_the_system_are_shown(house: House, engine: AsyncEngine) -> None:
    await PostgresAudit(engine).write(
        at=house.clock.at, actor="ada", origin="test", action="drill", subject="account:paper", before=None, after="x"
    )
    async with house.keyed() as client:
        newest = (await client.get(f"{API}/audit", params={"limit": 2})).json()["items"]
        system = (await client.get(f"{API}/system")).json()

    assert [line["action"] for line in newest] == ["apikey.added", "drill"]
    assert system["database"]["size_bytes"] > 0
    assert system["memory_bytes"] > 10_000_000


async def test_a_halt_sent_twice_is_asked_for_once(house: House) -> None:
    async with house.keyed(Role.TRADER) as client:
        first = await client.post(f"{API}/halt", headers=idempotent("k"))
        again = await client.post(f"{API}/halt", headers=idempotent("k"))

    assert first.content == again.content
    assert len(house.desk.asked) == 1


@pytest.mark.parametrize("odd", ["D-\u0661", "D-99999999999999999999", "\ud7ff", "'; DROP TABLE users", "D-1 "])
async def test_odd_ids_are_not_there(house: House, odd: str) -> None:
    async with house.keyed() as client:
        assert_problem(await client.get(f"{API}/decisions/{odd}"), 404)
        assert_problem(await client.get(f"{API}/orders/{odd}"), 404)
        assert_problem(await client.delete(f"{API}/apikeys/{odd}"), 404)
