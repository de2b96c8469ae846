"""Orders, fills, positions and trades: money, so decimals as text."""

from typing import Self

from pydantic import AliasPath, Field, StrictBool, model_validator

from evil2root.api.strict import Amount, Body, Words
from evil2root.api.values import Exact, Moment, Out
from evil2root.domain.book.orders import Leg, Order, OrderEvent, OrderKind, OrderState
from evil2root.domain.book.portfolio import Portfolio
from evil2root.domain.book.positions import Position
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.side import Side


class OrderOut(Out):
    """A sized and approved wish."""

    id: str = Field(validation_alias=AliasPath("client_order_id"))
    client_order_id: str
    broker_order_id: str | None
    decision_id: str
    account: str
    strategy: str
    symbol: str
    side: Side
    kind: OrderKind
    leg: Leg
    quantity: Exact
    filled_quantity: Exact = Field(validation_alias="filled")
    average_price: Exact | None
    price: Exact | None
    """Limit, trigger, stop or target; null for a market order."""
    reduce_only: bool
    reason: str
    state: OrderState
    why_state: str
    attempt: int
    created_at: Moment
    sent_at: Moment | None
    updated_at: Moment


class OrderEventOut(Out):
    """One line of an order's own history."""

    sequence: int
    state: OrderState
    reason: str
    at: Moment


class OrderDetailOut(OrderOut):
    """An order with its history."""

    events: list[OrderEventOut] = Field(default_factory=list)

    @classmethod
    def of(cls, order: Order, events: tuple[OrderEvent, ...]) -> Self:
        """Make it from an order and its history."""
        lines = [OrderEventOut.model_validate(e) for e in events]
        return cls.model_validate(order).model_copy(update={"events": lines})


class FillOut(Out):
    """One execution."""

    venue: str
    account: str
    execution_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Exact
    price: Exact
    fee: Exact
    slippage: Exact
    at: Moment


class PositionOut(Out):
    """What is held in a symbol."""

    symbol: str
    side: Side
    quantity: Exact
    """Negative: short."""
    average_price: Exact
    mark: Exact
    """The last known price."""
    value: Exact
    """Account currency, as are all amounts; prices are quoted."""
    quoted_value: Exact
    """In `currency`."""
    currency: str
    """What its price is quoted in."""
    quote_unit: Exact
    """How much of `currency` a price of 1 is: 0.01 for pence."""
    rate: Exact
    """Account currency for a price of 1, at the last close."""
    unrealised: Exact
    """Profit if closed at the mark, before fees."""
    realised: Exact
    fees: Exact
    borrow: Exact
    """What lending the units of a short has cost so far."""
    stop: Exact | None
    initial_stop: Exact | None
    target: Exact | None
    trailing: bool
    unprotected_since: Moment | None
    opened_at: Moment
    decision_id: str

    @classmethod
    def of(cls, position: Position, portfolio: Portfolio) -> Self:
        """Make it from a position and the marks."""
        mark, instrument = portfolio.mark(position), instrument_for(position.symbol)
        return cls(
            symbol=position.symbol, side=position.side, quantity=position.quantity,
            average_price=position.average_price, mark=mark, value=portfolio.value_of(position),
            quoted_value=position.quantity * mark * instrument.quote_unit, currency=instrument.currency,
            quote_unit=instrument.quote_unit, rate=portfolio.rate(position), borrow=position.borrow,
            unrealised=portfolio.unrealised_of(position), realised=position.realised, fees=position.fees, stop=position.stop,
            initial_stop=position.initial_stop, target=position.target, trailing=position.trailing,
            unprotected_since=position.unprotected_since, opened_at=position.opened_at,
            decision_id=position.decision_id,
        )  # fmt: skip


class TradeOut(Out):
    """A closed round trip."""

    id: str
    symbol: str
    side: Side
    quantity: Exact
    entry_time: Moment
    entry_price: Exact
    exit_time: Moment
    exit_price: Exact
    exit_reason: str
    fees: Exact
    borrow: Exact
    pnl: Exact
    risk: Exact | None
    r: Exact | None
    """The result in multiples of the risk taken."""
    entry_decision_id: str
    exit_decision_id: str | None


class CloseIn(Body):
    """Close a position, or a part of it."""

    quantity: Amount | None = None
    """Units to close; all of it when left out."""


class GuardsIn(Body):
    """Move a position's stop or target. A stop only tightens."""

    stop: Amount | None = None
    target: Amount | None = None

    @model_validator(mode="after")
    def _moves_something(self) -> Self:
        if self.stop is None and self.target is None:
            msg = "give a stop, a target or both"
            raise ValueError(msg)
        return self


class HaltIn(Body):
    """Stop entries."""

    reason: Words = "Asked for through the API"
    cancel: StrictBool = True
    """Cancel working entries too."""
    flatten: StrictBool = False
    """Close every position too."""


class ResumeIn(Body):
    """End a halt."""

    reason: Words


class ReplyOut(Out):
    """What the desk answered."""

    done: bool
    says: str
