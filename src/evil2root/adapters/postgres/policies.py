"""Policies by their digest: what decisions were made by, to be put together again when one is recomputed."""

from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy


class PostgresPolicies:
    """Keeps recipes of policies; keeping one twice adds nothing."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, policy: Policy, options: Mapping[str, str]) -> None:
        """Remember how `policy` was put together."""
        row = {
            "digest": policy.digest, "strategy": policy.strategy.name,
            "options": orjson.dumps(dict(options), option=orjson.OPT_SORT_KEYS).decode(), "account": policy.account,
            "currency": policy.currency, "interval": policy.interval.value, "symbols": list(policy.instruments),
            "rates": sorted(policy.rates),
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(insert(tables.policies).values(row).on_conflict_do_nothing())

    async def find(self, digest: str) -> Policy | None:
        """Put a policy together again. Raises `LookupError` when this version's rules give another one."""
        table = tables.policies
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(table).where(table.c.digest == digest))).mappings().first()
        if row is None:
            return None
        symbols: Sequence[str] = row["symbols"]
        policy = make_policy(
            row["strategy"], orjson.loads(row["options"]), account=row["account"], currency=row["currency"],
            interval=Interval(row["interval"]), instruments={s: instrument_for(s) for s in symbols}, rates=row["rates"],
        )  # fmt: skip
        if policy.digest != digest:
            msg = f"The policy {digest} can't be put together again: this version's rules make {policy.digest} of it."
            raise LookupError(msg)
        return policy
