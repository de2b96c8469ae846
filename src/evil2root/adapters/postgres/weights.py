"""Changes of the sources' default weights, each with its line in the audit log."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

import orjson
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.audit import audit
from evil2root.adapters.postgres.failures import GONE, first_line
from evil2root.adapters.postgres.leadership import fence, require_lead
from evil2root.adapters.postgres.policies import PostgresPolicies
from evil2root.adapters.postgres.tables import weight_changes
from evil2root.domain.kernel.policy import Policy
from evil2root.engine.leading import UNOPPOSED, Leader, LeadsNotNow, Superseded
from evil2root.engine.weights_kept import WeightChange


class PostgresWeights:
    """Appends the changes of one account.

    Parameters
    ----------
    set_options
        What the settings say about a policy; the options of a change go on top.
    leader
        Tells whether this process leads: only then is a change written, and the next leader finds it.
    """

    def __init__(
        self, engine: AsyncEngine, *, account: str, set_options: Mapping[str, str], leader: Leader = UNOPPOSED
    ) -> None:
        self._engine = engine
        self._leader = leader
        self._account = account
        self._set = dict(set_options)

    async def newest(self) -> WeightChange | None:
        """Return the change in force."""
        query = (
            select(weight_changes)
            .where(weight_changes.c.account == self._account)
            .order_by(weight_changes.c.number.desc())
            .limit(1)
        )
        async with _reached(), self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        weights = None if row["weights"] is None else orjson.loads(row["weights"])
        return WeightChange(number=row["number"], at=row["at"], actor=row["actor"], weights=weights)

    async def keep_policy(self, policy: Policy, options: Mapping[str, str]) -> None:
        """Remember how a policy is put together."""
        async with _reached():
            await PostgresPolicies(self._engine).keep(policy, self._set | dict(options))

    async def keep(  # noqa: PLR0913 - a change and its line in the audit log
        self, weights: Mapping[str, float] | None, *, at: datetime, actor: str, origin: str, before: str, after: str
    ) -> WeightChange:
        """Append a change and its audit line in one transaction."""
        row = {
            "account": self._account, "at": at, "actor": actor,
            "weights": None if weights is None else orjson.dumps(dict(weights)).decode(),
        }  # fmt: skip
        async with _reached(), self._engine.begin() as connection:
            await fence(connection, self._leader, require_lead(self._leader))
            done = await connection.execute(insert(weight_changes).values(row).returning(weight_changes.c.number))
            number = int(done.scalar_one())
            await audit(
                connection, at=at, actor=actor, origin=origin, action="weights", subject="sources", before=before,
                after=f"{after} [version {number}]",
            )  # fmt: skip
        return WeightChange(number=number, at=at, actor=actor, weights=weights)


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    """Say in one way that the database is away."""
    try:
        yield
    except (SQLAlchemyError, OSError, TimeoutError, LeadsNotNow, Superseded, *GONE) as error:
        msg = f"The weights can't be written down or read: {first_line(error)}"
        raise ConnectionError(msg) from error
