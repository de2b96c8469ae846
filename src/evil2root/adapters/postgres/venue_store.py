"""Keeps the paper venue's accounts: the venue's own memory, beside our books and not in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.codec import FILL, VENUE_ACCOUNT
from evil2root.adapters.postgres.failures import first_line
from evil2root.adapters.postgres.leadership import fence, require_lead
from evil2root.adapters.postgres.tables import paper_accounts, paper_fills
from evil2root.domain.book.fills import Fill
from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.execution.venue import Phase, VenueAccount
from evil2root.engine.leading import UNOPPOSED, Leader

_ACCOUNT = insert(paper_accounts)
_ACCOUNT = _ACCOUNT.on_conflict_do_update(
    index_elements=["account"],
    set_={name: _ACCOUNT.excluded[name] for name in ("document", "played_at", "played_phase")},
)
_FILL = insert(paper_fills).on_conflict_do_nothing()


class PostgresVenueStore:
    """Keeps accounts of the simulated venue; `BrokerUnavailable` when the database is away.

    What it keeps is checked against the leader's epoch as the journal's commits are.
    """

    def __init__(self, engine: AsyncEngine, *, leader: Leader = UNOPPOSED) -> None:
        self._engine = engine
        self._leader = leader

    async def load(self, account: str) -> tuple[VenueAccount, datetime | None, Phase | None] | None:
        """Give the account and the last phase that was played; None when it was never saved."""
        table = paper_accounts.c
        query = select(table.document, table.played_at, table.played_phase).where(table.account == account)
        try:
            async with self._engine.connect() as connection:
                row = (await connection.execute(query)).first()
        except (SQLAlchemyError, OSError) as error:
            raise _away(error) from error
        if row is None:
            return None
        phase = None if row.played_phase is None else Phase(row.played_phase)
        return VENUE_ACCOUNT.value(row.document), row.played_at, phase

    async def save(
        self, account: VenueAccount, *, played_at: datetime | None, phase: Phase | None, fills: Sequence[Fill]
    ) -> None:
        """Keep the account as it is now, and its new fills, in one transaction."""
        row: dict[str, Any] = {
            "account": account.account, "document": VENUE_ACCOUNT.text(account), "played_at": played_at,
            "played_phase": phase,
        }  # fmt: skip
        epoch = require_lead(self._leader)
        try:
            async with self._engine.begin() as connection:
                await fence(connection, self._leader, epoch)
                await connection.execute(_ACCOUNT, row)
                if fills:
                    await connection.execute(_FILL, [FILL.row(fill) for fill in fills])
        except (SQLAlchemyError, OSError) as error:
            raise _away(error) from error

    async def fills_since(self, account: str, known: Sequence[str]) -> tuple[Fill, ...]:
        """Give the fills whose execution ids are not in `known`, oldest first."""
        heard = func.unnest(bindparam("known", list(known), type_=ARRAY(Text))).column_valued("heard")
        query = (
            select(paper_fills)
            .where(paper_fills.c.account == account)
            .where(~select(heard).where(heard == paper_fills.c.execution_id).exists())
            .order_by(paper_fills.c.number)
        )
        try:
            async with self._engine.connect() as connection:
                return tuple(FILL.value(row) for row in (await connection.execute(query)).mappings())
        except (SQLAlchemyError, OSError) as error:
            raise _away(error) from error


def _away(error: Exception) -> BrokerUnavailable:
    return BrokerUnavailable(f"The paper venue's memory can't be reached: {first_line(error)}")
