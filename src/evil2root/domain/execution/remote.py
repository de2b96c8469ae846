"""The port to a venue out there: it answers late, twice or not at all, and remembers what we may have forgotten."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order, OrderKind, OrderState
from evil2root.domain.core.side import Side
from evil2root.domain.execution.broker import Answer, Books
from evil2root.domain.risk.gate import Approved


class Repeat(StrEnum):
    """What may be done with an order whose outcome is unknown."""

    SAFE = "A"
    """The venue de-duplicates by client order id: the same order may be sent again."""
    LOOK_UP = "B"
    """The client order id can be looked up: asked about, never sent again."""
    BLIND = "C"
    """Neither: a person confirms, the symbol is frozen meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a venue can do, as its adapter declares and the contract suite proves."""

    venue: str
    """Its name in fills: `alpaca`, `binance`."""
    repeat: Repeat
    guards: frozenset[OrderKind]
    """Protective orders it keeps for us; the others are watched here and sent as market orders when touched."""
    shorts: bool
    """Can units be sold that are not held?"""
    cent: Decimal
    """How far its cash may be off from the sum of its fills by rounding alone."""
    reserves: bool
    """Does a working stop hold its units back, so that they can't be sold before it is canceled?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """What the venue remembers of one order, ours or not."""

    client_order_id: str
    """Empty when whoever placed it gave none."""
    broker_order_id: str
    symbol: str
    """As we write it."""
    side: Side
    kind: str
    """As the venue writes it, for people."""
    quantity: Decimal | None
    """None for an order in money."""
    price: Decimal | None
    """Limit or trigger, where it has one."""
    filled: Decimal
    """Units that moved, as the executions tell them: less what the venue kept of a purchase as its fee."""
    state: OrderState
    """Never UNKNOWN, PENDING or SENDING. FILLED says that fills are on their way; they alone are booked."""
    why: str
    created_at: datetime
    updated_at: datetime

    @property
    def answer(self) -> Answer:
        """The same as an answer to a question about our order."""
        return Answer(
            client_order_id=self.client_order_id, state=self.state, broker_order_id=self.broker_order_id, why=self.why,
            at=self.updated_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One page of executions, oldest first."""

    fills: tuple[tuple[Fill, str], ...]
    """Each with the cursor to go on after it. `client_order_id` is empty where the venue does not tell it."""
    garbled: tuple[str, ...] = ()
    """Executions that could not be read, as they came: set aside for a person, never guessed at."""
    more: bool = False
    """Is there another page?"""
    after: str = ""
    """Where the next page begins, when there is one."""


class OrderEntry(Protocol):
    """Takes approved orders to a venue.

    Every method raises `BrokerUnavailable` when there was no answer that can be relied on: a time-out, a cut
    connection, a status or a body that proves nothing. What became of the order is then unknown.
    """

    async def submit(self, approved: Approved) -> Answer:
        """Send an order once. Only what the venue's own record of the order says is an answer.

        REJECTED means the venue has a record of the order that says so; a refusal without one is no proof that
        nothing was placed, and raises `BrokerUnavailable` with the venue's words. CANCELED without a record at the
        venue means that nothing was sent, since its published rules forbid it (a lot, a smallest value).
        """
        ...

    async def cancel(self, order: Order) -> Answer:
        """Ask for a cancel. The answer is CANCEL_SENT until the venue's record says that it is over."""
        ...

    async def amend(self, order: Order) -> Answer:
        """Give a working order `order`'s price and quantity; asking again for the same revision has no second effect.

        The answer is ACCEPTED when the venue's record has them.
        """
        ...


class VenueRecords(Protocol):
    """What a venue remembers. Every method raises `BrokerUnavailable` as those of `OrderEntry` do."""

    async def look_up(self, order: Order) -> VenueOrder | None:
        """Return the venue's record. None only when the venue itself says that it has none: never for a fault."""
        ...

    async def orders(self, since: datetime) -> tuple[VenueOrder, ...]:
        """Return every order that is open, and every one that was made at or after `since`."""
        ...

    async def executions(self, cursor: str, *, since: datetime) -> Heard:
        """Return executions after `cursor` (empty: from `since` on), oldest first, a page at a time."""
        ...

    async def books(self) -> Books:
        """Return cash and positions as the venue has them; `orders` stays empty."""
        ...


class RemoteBroker(OrderEntry, VenueRecords, Protocol):
    """A venue out there."""

    @property
    def traits(self) -> Traits: ...

    def hints(self) -> AsyncIterator[None]:
        """Yield whenever something may have changed at the venue. Only speeds up what asking finds anyway.

        Ends or raises `BrokerUnavailable` when the stream is gone; the caller comes back later.
        """
        ...

    async def close(self) -> None:
        """Give up connections."""
        ...
