"""Orders and the moves they may make."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from evil2root.domain.book.protection import Protect
from evil2root.domain.core.money import ZERO, Price, Quantity
from evil2root.domain.core.side import Side


class OrderState(StrEnum):
    """Where an order stands. The commit of `SENDING` is the point of no return."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    ACCEPTED = "ACCEPTED"
    PARTIAL = "PARTIAL"
    FILLED = "FILLED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    CANCEL_SENT = "CANCEL_SENT"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    NOT_PLACED = "NOT_PLACED"


S = OrderState
MOVES: dict[OrderState, frozenset[OrderState]] = {
    S.PENDING: frozenset({S.SENDING, S.CANCELED}),
    S.SENDING: frozenset({S.ACCEPTED, S.PARTIAL, S.FILLED, S.REJECTED, S.UNKNOWN, S.CANCELED, S.EXPIRED}),
    S.ACCEPTED: frozenset({S.PARTIAL, S.FILLED, S.REJECTED, S.CANCEL_SENT, S.CANCELED, S.EXPIRED, S.UNKNOWN}),
    S.PARTIAL: frozenset({S.PARTIAL, S.FILLED, S.CANCEL_SENT, S.CANCELED, S.EXPIRED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.ACCEPTED, S.PARTIAL, S.FILLED, S.REJECTED, S.CANCELED, S.EXPIRED, S.NOT_PLACED}),
    S.CANCEL_SENT: frozenset({S.CANCELED, S.PARTIAL, S.FILLED, S.REJECTED, S.EXPIRED, S.UNKNOWN, S.ACCEPTED}),
    # A late fill on a dead order is legal: it is booked and alarmed.
    S.CANCELED: frozenset({S.PARTIAL, S.FILLED}),
    S.EXPIRED: frozenset({S.PARTIAL, S.FILLED}),
    S.NOT_PLACED: frozenset({S.PARTIAL, S.FILLED}),
    S.FILLED: frozenset(),
    S.REJECTED: frozenset(),
}
"""From each state, the states an order may move to. The database enforces the same table."""
del S

FINAL = frozenset(
    {OrderState.FILLED, OrderState.REJECTED, OrderState.CANCELED, OrderState.EXPIRED, OrderState.NOT_PLACED}
)


class OrderKind(StrEnum):
    """How an order waits for its price."""

    MARKET = "market"
    """Fills at the next open."""
    LIMIT = "limit"
    """Fills at its limit when the bar trades through it by a tick."""
    STOP_ENTRY = "stop_entry"
    """Fills at the worse of open and trigger."""
    STOP = "stop"
    """Protects a position: fills at the stop, or at an open beyond it."""
    TARGET = "target"
    """Takes profit: fills at the target when touched, or at an open beyond it."""


class Leg(StrEnum):
    """What an order is for within the life of one position."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    TARGET = "target"
    MANUAL = "manual"


class IllegalMove(ValueError):  # noqa: N818 - named for what is wrong
    """An order was asked to make a move its state does not allow."""


NOTHING = Quantity(ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A sized and approved wish, named by a derived id."""

    client_order_id: str
    decision_id: str
    account: str
    strategy: str
    symbol: str
    side: Side
    kind: OrderKind
    leg: Leg
    quantity: Quantity
    price: Price | None
    """Limit, trigger, stop or target; none for a market order."""
    reduce_only: bool
    reason: str
    """Why it exists, in a word: `entry`, `signal`, `stop`, `trailing`, `target`, `manual`, `halt`."""
    created_at: datetime
    updated_at: datetime
    bar_at: datetime
    """Opening of the bar it was decided on; part of its id."""
    attempt: int = 1
    revision: int = 0
    """How often its price or quantity was changed; a venue that replaces orders names each by it."""
    cancel_wanted: bool = False
    """It is to be canceled as soon as the broker has answered that it has it."""
    protect: Protect | None = None
    """For entries: how far from the fill the guards will lie."""
    state: OrderState = OrderState.PENDING
    filled: Quantity = NOTHING
    average_price: Price | None = None
    broker_order_id: str | None = None
    sent_at: datetime | None = None
    live_from: datetime | None = None
    """A protective order that must not act on bars opened before this moment."""
    why_state: str = ""
    not_found_at: datetime | None = None
    """When the venue first said that it has no such order, since the outcome became unknown; by the machine's clock."""

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            msg = f"An order for {self.quantity} {self.symbol} is no order; the quantity must be above zero."
            raise ValueError(msg)
        if (self.kind is OrderKind.MARKET) != (self.price is None):
            msg = f"A {self.kind} order for {self.symbol} has the price {self.price}; only market orders have none."
            raise ValueError(msg)
        if self.filled > self.quantity:
            msg = f"Order {self.client_order_id} for {self.quantity} can't have {self.filled} filled."
            raise ValueError(msg)

    @property
    def left(self) -> Quantity:
        """What may still fill."""
        return Quantity(self.quantity - self.filled)

    @property
    def is_open(self) -> bool:
        """May it still fill?"""
        return self.state not in FINAL

    @property
    def is_wanted(self) -> bool:
        """Is it open, and neither being canceled nor to be canceled once it is accepted?"""
        return self.is_open and self.state is not OrderState.CANCEL_SENT and not self.cancel_wanted

    @property
    def is_guard(self) -> bool:
        """Is it one of the two orders that guard a position?"""
        return self.leg in (Leg.STOP, Leg.TARGET)

    def moved(self, to: OrderState, *, at: datetime, why: str = "") -> "Order":
        """Return the order in state `to`, or raise `IllegalMove`."""
        if to not in MOVES[self.state]:
            msg = f"Order {self.client_order_id} can't go from {self.state} to {to}."
            raise IllegalMove(msg)
        sent_at = at if to is OrderState.SENDING else self.sent_at
        return replace(self, state=to, updated_at=at, sent_at=sent_at, why_state=why, not_found_at=None)

    def after_fill(self, *, quantity: Decimal, price: Decimal, at: datetime) -> "Order":
        """Return the order with one more execution in it; raises `ValueError` on an overfill."""
        filled = Quantity(self.filled + quantity)
        if filled > self.quantity:
            msg = f"Order {self.client_order_id} for {self.quantity} got {filled} filled; {quantity} is too much."
            raise ValueError(msg)
        value = (self.average_price or ZERO) * self.filled + price * quantity
        to = OrderState.FILLED if filled == self.quantity else OrderState.PARTIAL
        return replace(self.moved(to, at=at), filled=filled, average_price=Price(value / filled))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One line of an order's own history; `sequence` counts from 1 within the order."""

    client_order_id: str
    sequence: int
    state: OrderState
    reason: str
    at: datetime
