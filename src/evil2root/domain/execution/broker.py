"""The port to whoever executes orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from evil2root.domain.book.charges import Charge
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.execution.costs import Conditions
from evil2root.domain.execution.venue import Phase
from evil2root.domain.market.bars import Bar
from evil2root.domain.risk.gate import Approved


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the broker says of an order, apart from fills."""

    client_order_id: str
    state: OrderState
    broker_order_id: str | None
    why: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The broker's own view of the account."""

    cash: Decimal
    positions: Mapping[str, Decimal]
    """Signed units by symbol, without zeros."""
    orders: tuple[Order, ...]
    """Working orders."""


class BrokerUnavailable(Exception):  # noqa: N818 - named for what is wrong
    """The broker gave no answer. Whether an order was placed is unknown: it is looked up, never sent again blindly."""


class Broker(Protocol):
    """Executes approved orders. Sending the same client order id twice has no second effect."""

    async def submit(self, approved: Approved) -> Answer: ...
    async def cancel(self, order: Order) -> Answer: ...
    async def amend(self, order: Order) -> None: ...
    async def books(self) -> Books: ...
    async def charges(self) -> tuple[Charge, ...]:
        """Return the last charge of each symbol, for whoever may have lost it."""
        ...

    async def fills_since(self, known: Sequence[str]) -> tuple[Fill, ...]:
        """Return the fills whose execution ids are not in `known`, oldest first."""
        ...


class SimulatedVenue(Protocol):
    """A broker that fills orders on bars it is shown. Showing the same phase of a bar again does nothing."""

    async def play(
        self,
        phase: Phase,
        bars: Mapping[str, Bar],
        at: datetime,
        *,
        rates: Mapping[str, Decimal],
        seen: Mapping[str, Conditions],
    ) -> tuple[Fill | Answer | Charge, ...]: ...
