"""The paper broker: the simulated venue with a durable account of its own.

It de-duplicates by client order id, like a venue of the safest class: what is sent again after a crash has no second
effect. Its account lives beside our books, not in them, so that recovery meets a real counterpart.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from evil2root.domain.book.charges import Charge
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.money import Money
from evil2root.domain.execution import venue
from evil2root.domain.execution.broker import Answer, Books
from evil2root.domain.execution.costs import Conditions
from evil2root.domain.execution.venue import Dropped, Phase, Terms, VenueAccount
from evil2root.domain.market.bars import Bar
from evil2root.domain.risk.gate import Approved

RANK = {Phase.EXITS: 1, Phase.ENTRIES: 2, Phase.INSIDE: 3}


class VenueStore(Protocol):
    """Keeps the venue's account. `save` is one transaction; the same execution id is kept once."""

    async def load(self, account: str) -> tuple[VenueAccount, datetime | None, Phase | None] | None: ...
    async def save(
        self, account: VenueAccount, *, played_at: datetime | None, phase: Phase | None, fills: Sequence[Fill]
    ) -> None: ...
    async def fills_since(self, account: str, known: Sequence[str]) -> tuple[Fill, ...]: ...


class PaperBroker:
    """A broker that fills orders on the bars it is shown."""

    def __init__(self, store: VenueStore, terms: Terms, clock: Clock, *, account: str, cash: Money) -> None:
        self._store = store
        self._terms = terms
        self._clock = clock
        self._account = VenueAccount(account=account, cash=cash)
        self._played: tuple[datetime, int] | None = None
        self._phase: Phase | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Load the account, or open it with the starting cash."""
        kept = await self._store.load(self._account.account)
        if kept is None:
            await self._keep(self._account)
            return
        self._account, at, self._phase = kept
        self._played = (at, RANK[self._phase]) if at is not None and self._phase is not None else None

    async def submit(self, approved: Approved) -> Answer:
        """Take the order; a second time it is only acknowledged."""
        order = approved.order
        if not order.is_guard and self._terms.costs.rejects(order.client_order_id):
            return self._answer(order, OrderState.REJECTED, venue.DRILL)
        async with self._turn:
            await self._keep(venue.accepted(self._account, order))
        return self._answer(order, OrderState.ACCEPTED, "")

    async def charges(self) -> tuple[Charge, ...]:
        """Return the last charge of each symbol."""
        return tuple(self._account.charges.values())

    async def cancel(self, order: Order) -> Answer:
        """Take the order out; one that is gone already is acknowledged as canceled."""
        async with self._turn:
            if order.client_order_id in self._account.working:
                await self._keep(venue.canceled(self._account, order.client_order_id))
        return self._answer(order, OrderState.CANCELED, order.why_state)

    async def amend(self, order: Order) -> None:
        """Change price and quantity of a working order."""
        async with self._turn:
            await self._keep(venue.amended(self._account, order))

    async def books(self) -> Books:
        """Return the venue's own view of the account."""
        held: dict[str, Decimal] = {s: q for s, q in self._account.positions.items() if q}
        return Books(cash=self._account.cash, positions=held, orders=tuple(self._account.working.values()))

    async def fills_since(self, known: Sequence[str]) -> tuple[Fill, ...]:
        """Return the executions that are not in `known`, oldest first."""
        return await self._store.fills_since(self._account.account, known)

    async def play(
        self,
        phase: Phase,
        bars: Mapping[str, Bar],
        at: datetime,
        *,
        rates: Mapping[str, Decimal] = venue.NO_RATES,
        seen: Mapping[str, Conditions] = venue.NO_CONDITIONS,
    ) -> tuple[Fill | Answer | Charge, ...]:
        """Play a phase of the bars that close at `at`. What was played before stays as it was."""
        async with self._turn:
            done = self._played is not None and (at, RANK[phase]) <= self._played
            if done or self._account.idle:
                return ()
            account, happened = venue.play(self._account, phase, bars, self._terms, rates=rates, seen=seen)
            if happened:
                fills = tuple(e for e in happened if isinstance(e, Fill))
                await self._keep(account, played=(at, phase), fills=fills)
        moment = min(b.opened_at for b in bars.values()) if phase is not Phase.INSIDE else at
        return tuple(_dropped(e, moment) if isinstance(e, Dropped) else e for e in happened)

    async def _keep(
        self, account: VenueAccount, *, played: tuple[datetime, Phase] | None = None, fills: Sequence[Fill] = ()
    ) -> None:
        """Make a change durable, then believe it: a change that can't be stored has not happened."""
        at, phase = played or (self._played[0] if self._played is not None else None, self._phase)
        await self._store.save(account, played_at=at, phase=phase, fills=fills)
        self._account, self._phase = account, phase
        if played is not None:
            self._played = (played[0], RANK[played[1]])

    def _answer(self, order: Order, state: OrderState, why: str) -> Answer:
        return Answer(
            client_order_id=order.client_order_id, state=state, broker_order_id=f"P-{order.client_order_id[:8]}",
            why=why, at=self._clock.now(),
        )  # fmt: skip


def _dropped(event: Dropped, at: datetime) -> Answer:
    return Answer(
        client_order_id=event.client_order_id, state=OrderState.CANCELED, broker_order_id=None, why=event.why, at=at
    )
