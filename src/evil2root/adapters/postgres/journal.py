"""The journal of one account: every step in one transaction, and the state back from what was written.

Commits are numbered. A writer that has not seen the last commit is refused, and a commit whose answer was lost on the
way is recognised when it is tried again, so nothing is ever written twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.books import awaiting_decisions, held, ledger_balances, open_orders
from evil2root.adapters.postgres.codec import CARRY
from evil2root.adapters.postgres.failures import GONE, first_line
from evil2root.adapters.postgres.keeping import batch
from evil2root.adapters.postgres.leadership import fence, require_lead
from evil2root.domain.book.ledger import CASH
from evil2root.domain.book.portfolio import Portfolio
from evil2root.domain.book.positions import Position
from evil2root.domain.core.money import ZERO, Money
from evil2root.domain.kernel import actions as keep
from evil2root.domain.kernel.journal import JournalUnavailable, StepRefused
from evil2root.domain.kernel.state import Carry, State
from evil2root.engine.leading import UNOPPOSED, Leader, LeadsNotNow

REFUSALS = (IntegrityError, DataError, ProgrammingError)
"""The server took the statement and will never do it."""


class BooksDisagree(Exception):  # noqa: N818 - named for what is wrong
    """What the ledger sums to is not what the positions say: nothing may be traded on such books."""


class PostgresJournal:
    """Keeps the steps of one account.

    Parameters
    ----------
    leader
        Tells whether this process leads. Its epoch is the fencing token: written to every order, and checked in the
        transaction of every commit.
    """

    def __init__(self, engine: AsyncEngine, *, account: str, leader: Leader = UNOPPOSED) -> None:
        self._engine = engine
        self._account = account
        self._leader = leader
        self._steps = 0
        """Commits that this writer has seen."""
        self._unsure = False
        """The last commit was tried, and no answer came."""

    async def commit(self, keeps: Sequence[keep.Keep], carry: Carry) -> None:
        """Write steps down, whole or not at all; durable when it returns.

        Raises `LeadsNotNow` and `Superseded` beside what the port says.
        """
        epoch = require_lead(self._leader)
        work = list(batch(keeps, account=self._account, epoch=epoch))
        text = CARRY.text(carry)
        self._unsure, unsure = True, self._unsure
        with away_is_unavailable():
            try:
                async with self._engine.begin() as connection:
                    await fence(connection, self._leader, epoch)
                    if not await self._count(connection, text, unsure=unsure):
                        for statement, rows in work:
                            await connection.execute(statement, rows)
            except (LeadsNotNow, *REFUSALS):
                self._unsure = unsure  # this try was turned down for certain; an earlier one may still have held
                raise
        self._steps, self._unsure = self._steps + 1, False

    async def _count(self, connection: AsyncConnection, carry: str, *, unsure: bool) -> bool:
        """Number the commit. True when it is the repetition of one that was kept, though no answer came."""
        state, seen = tables.account_state, self._steps
        values = {"of_account": self._account, "next": seen + 1, "document": carry}
        if seen == 0:
            counted = await connection.execute(_FIRST, values)
        else:
            counted = await connection.execute(_COUNT, values | {"seen": seen})
        if counted.first() is not None:
            return False
        found = await connection.execute(select(state.c.steps, state.c.carry).where(state.c.account == self._account))
        if unsure and [tuple(row) for row in found] == [(self._steps + 1, carry)]:
            return True
        msg = (
            f"Another process writes the account {self._account}: this one has seen {self._steps} commits, and there "
            "are others. Stop one of the two."
        )
        raise StepRefused(msg)

    async def load(self) -> State | None:
        """Give back the state after the last commit; None for an account that never began.

        Raises
        ------
        BooksDisagree
            The ledger and the positions say different things.
        """
        with away_is_unavailable():
            async with self._engine.connect() as connection:
                await connection.execution_options(isolation_level="REPEATABLE READ")
                found = tables.account_state.c
                begun = (
                    await connection.execute(select(found.steps, found.carry).where(found.account == self._account))
                ).first()
                if begun is None:
                    return None
                carry = CARRY.value(begun.carry)
                balances = await ledger_balances(connection, self._account)
                positions = await held(connection, self._account)
                orders = await open_orders(connection, self._account)
                awaiting = await awaiting_decisions(connection, self._account)
        _require_agreement(positions, balances)
        self._steps, self._unsure = begun.steps, False
        return State(
            portfolio=Portfolio(
                cash=Money(balances.get(CASH, ZERO)),
                positions={position.symbol: position for position in positions},
                marks=carry.marks,
                rates=carry.rates,
            ),
            carry=carry,
            orders={order.client_order_id: order for order in orders},
            awaiting={decision.id: decision for decision in awaiting},
        )

    async def recorded_execution_ids(self) -> list[str]:
        """Name all executions that were kept, oldest first."""
        fills = tables.fills.c
        query = select(fills.execution_id).where(fills.account == self._account).order_by(fills.number)
        with away_is_unavailable():
            async with self._engine.connect() as connection:
                return list((await connection.execute(query)).scalars())


def _require_agreement(positions: Sequence[Position], balances: Mapping[str, Decimal]) -> None:
    booked = {name.partition(":")[2]: total for name, total in balances.items() if name != CASH}
    said = {position.symbol: position.quantity for position in positions}
    for symbol in sorted(booked.keys() | said.keys()):
        ours, theirs = said.get(symbol, ZERO), booked.get(symbol, ZERO)
        if ours != theirs:
            msg = (
                f"positions says {ours} {symbol}, the ledger sums to {theirs}: run `evil2root ledger verify`, "
                "and restore a backup if it finds a breach."
            )
            raise BooksDisagree(msg)


@contextmanager
def away_is_unavailable() -> Iterator[None]:
    """Turn the database's errors into the port's, in one line."""
    try:
        yield
    except REFUSALS as error:
        msg = f"The database refused a step: {first_line(error)}"
        raise StepRefused(msg) from error
    except (SQLAlchemyError, OSError, TimeoutError, *GONE) as error:
        msg = f"The database can't be reached: {first_line(error)}"
        raise JournalUnavailable(msg) from error


_STATE = tables.account_state.c
_NUMBERED: Any = {"steps": bindparam("next"), "carry": bindparam("document")}
_FIRST = (
    insert(tables.account_state)
    .values(account=bindparam("of_account"), **_NUMBERED)
    .on_conflict_do_nothing()
    .returning(_STATE.steps)
)
_COUNT = (
    update(tables.account_state)
    .where(_STATE.account == bindparam("of_account"), _STATE.steps == bindparam("seen"))
    .values(**_NUMBERED)
    .returning(_STATE.steps)
)
