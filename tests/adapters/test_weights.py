"""Changes of weights: kept by account together with their audit line, and found again."""

from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.policies import PostgresPolicies
from evil2root.adapters.postgres.weights import PostgresWeights
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS
from evil2root.engine.leading import Unopposed

pytestmark = pytest.mark.postgres

AT = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
WEIGHTS = {"trend": 0.1 + 0.2, "breakout": 0.7}


async def test_the_newest_of_the_account_is_found_to_the_last_bit_with_its_audit_line(
    engine: AsyncEngine, connection: asyncpg.Connection
) -> None:
    store = PostgresWeights(engine, account="paper", set_options={})
    assert await store.newest() is None

    await store.keep(None, at=AT, actor="bob", origin="web here", before="b", after="a")
    kept = await store.keep(WEIGHTS, at=AT, actor="ann", origin="api here", before="old", after="new")
    await PostgresWeights(engine, account="other", set_options={}).keep(
        None, at=AT, actor="eve", origin="t", before="", after=""
    )

    assert await store.newest() == kept
    assert kept.weights == WEIGHTS
    line = await connection.fetchrow("SELECT * FROM v_audit WHERE actor = 'ann'")
    assert (line["action"], line["object"], line["before"]) == ("weights", "sources", "old")
    assert line["after"] == f"new [version {kept.number}]"


async def test_a_policy_with_changed_weights_is_put_together_again(engine: AsyncEngine) -> None:
    options = {"threshold": "0.6"}
    changed = {f"{name}_weight": str(1.0 * (place == 0)) for place, (name, _) in enumerate(DEFAULT_WEIGHTS.by_source)}
    policy = make_policy(
        "fusion", options | changed, account="paper", currency="USD", interval=Interval.D1,
        instruments={"AAPL": instrument_for("AAPL")},
    )  # fmt: skip

    await PostgresWeights(engine, account="paper", set_options=options).keep_policy(policy, changed)

    assert await PostgresPolicies(engine).find(policy.digest) == policy


async def test_only_who_leads_writes_a_change_down(engine: AsyncEngine) -> None:
    store = PostgresWeights(engine, account="paper", set_options={}, leader=Unopposed(leads=False))

    with pytest.raises(ConnectionError, match="lost for now"):
        await store.keep(WEIGHTS, at=AT, actor="ann", origin="t", before="", after="")

    assert await store.newest() is None
