"""What is held, and what a round trip earned."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from evil2root.domain.book.fills import Fill
from evil2root.domain.core.money import ONE, ZERO, Money, Price, Quantity
from evil2root.domain.core.side import Side

NO_UNITS, NO_MONEY = Quantity(ZERO), Money(ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """An open holding in one symbol, long or short, from its first fill."""

    symbol: str
    quantity: Decimal
    """Signed: above zero long, below zero short; never zero."""
    average_price: Price
    opened_at: datetime
    decision_id: str
    """The decision whose entry opened it."""
    entry_quantity: Quantity
    """All that was ever bought (long) or sold (short) into it."""
    exit_quantity: Quantity = NO_UNITS
    exit_value: Money = NO_MONEY
    """Sum of price times quantity over the exits so far, as quoted."""
    entry_rate: Decimal = ONE
    """Account currency for a price of 1 over the entries: `average_price` times it is what a unit cost the account."""
    fees: Money = NO_MONEY
    borrow: Money = NO_MONEY
    """What lending the units of a short has cost so far."""
    realised: Money = NO_MONEY
    """Profit of the exits so far, before fees."""
    stop: Price | None = None
    target: Price | None = None
    initial_stop: Price | None = None
    best_price: Price | None = None
    """The most favourable high (long) or low (short) of bars that are over, since entry."""
    trailing: bool = False
    """Has the trailing stop armed?"""
    unprotected_since: datetime | None = None

    def __post_init__(self) -> None:
        if self.quantity == 0:
            msg = f"A position of zero {self.symbol} is no position."
            raise ValueError(msg)

    @property
    def side(self) -> Side:
        """The side that opened it."""
        return Side.BUY if self.quantity > 0 else Side.SELL

    @property
    def size(self) -> Quantity:
        """Units held, without sign."""
        return Quantity(abs(self.quantity))

    def value(self, mark: Decimal, *, rate: Decimal) -> Money:
        """Market value at `mark` in the account's currency, negative for a short."""
        return Money(self.quantity * mark * rate)

    def counted(self, quantity: Decimal, *, price: Price) -> "Position":
        """Return it with `quantity` units (signed, of the same side), those that came taken in at `price`."""
        more = abs(quantity) - self.size
        if more < 0:
            return replace(self, quantity=quantity, entry_quantity=Quantity(self.entry_quantity + more))
        average = Price((self.average_price * self.size + price * more) / abs(quantity))
        return replace(
            self, quantity=quantity, average_price=average, entry_quantity=Quantity(self.entry_quantity + more)
        )

    def ended(self, *, price: Price, rate: Decimal, at: datetime, reason: str) -> "Trade":
        """Return the round trip of a position that is found to be gone, taken to have left at `price`, without a fee."""
        fill = Fill(
            venue="", account="", execution_id=reason, client_order_id="", symbol=self.symbol, side=self.side.opposite,
            quantity=self.size, price=price, fee=Money(ZERO), at=at, slippage=Money(ZERO), rate=rate,
        )  # fmt: skip
        trade = reduced(self, fill, reason=reason, decision_id=None)[1]
        assert trade is not None, "all of it left"
        return trade

    def unrealised(self, mark: Decimal, *, rate: Decimal) -> Money:
        """Profit if closed at `mark`, before fees, in the account's currency: the move of the rate is part of it."""
        return Money(self.quantity * (mark * rate - self.average_price * self.entry_rate))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A closed round trip."""

    id: str
    symbol: str
    side: Side
    quantity: Quantity
    entry_time: datetime
    entry_price: Price
    exit_time: datetime
    exit_price: Price
    exit_reason: str
    fees: Money
    pnl: Money
    """After fees and borrow."""
    risk: Money | None
    """What the entry risked to its first stop; none when it had no stop."""
    entry_decision_id: str
    exit_decision_id: str | None
    borrow: Money = NO_MONEY
    """What lending the units of a short cost."""

    @property
    def r(self) -> Decimal | None:
        """The result in multiples of the risk taken."""
        return self.pnl / self.risk if self.risk else None


def entered(position: Position | None, fill: Fill, *, decision_id: str) -> Position:
    """Open a position with `fill`, or add to one on the same side; the average price is weighted by quantity."""
    if position is None:
        return Position(
            symbol=fill.symbol,
            quantity=fill.side.sign * fill.quantity,
            average_price=fill.price,
            opened_at=fill.at,
            decision_id=decision_id,
            entry_quantity=fill.quantity,
            entry_rate=fill.rate,
            fees=fill.fee,
        )
    if fill.side is not position.side:
        msg = f"{fill.side} of {fill.symbol} does not add to a position of {position.quantity}."
        raise ValueError(msg)
    size = position.size + fill.quantity
    average = Price((position.average_price * position.size + fill.price * fill.quantity) / size)
    rate = fill.rate
    if rate != position.entry_rate:
        cost = position.average_price * position.entry_rate * position.size + fill.price * rate * fill.quantity
        rate = cost / (average * size)
    return replace(
        position,
        quantity=position.quantity + fill.side.sign * fill.quantity,
        average_price=average,
        entry_rate=rate,
        entry_quantity=Quantity(position.entry_quantity + fill.quantity),
        fees=Money(position.fees + fill.fee),
    )


def reduced(
    position: Position, fill: Fill, *, reason: str, decision_id: str | None
) -> tuple[Position | None, Trade | None]:
    """Take `fill` out of a position: what is left of it, and the round trip when nothing is.

    Raises `ValueError` when the fill is larger than the position: the caller splits it first.
    """
    if fill.side is position.side or fill.quantity > position.size:
        msg = f"{fill.side} {fill.quantity} {fill.symbol} does not reduce a position of {position.quantity}."
        raise ValueError(msg)
    paid, got = position.average_price * position.entry_rate, fill.price * fill.rate
    gain = position.side.sign * (got - paid) * fill.quantity
    after = replace(
        position,
        exit_quantity=Quantity(position.exit_quantity + fill.quantity),
        exit_value=Money(position.exit_value + fill.quoted),
        fees=Money(position.fees + fill.fee),
        realised=Money(position.realised + gain),
    )
    left = position.quantity + fill.side.sign * fill.quantity
    if left != 0:
        return replace(after, quantity=left), None
    risk = None
    if after.initial_stop is not None:
        risk = Money(abs(after.average_price - after.initial_stop) * after.entry_quantity * after.entry_rate)
    return None, Trade(
        id=f"{after.decision_id}/{after.symbol}/{after.opened_at.isoformat()}",
        symbol=after.symbol,
        side=after.side,
        quantity=after.entry_quantity,
        entry_time=after.opened_at,
        entry_price=after.average_price,
        exit_time=fill.at,
        exit_price=Price(after.exit_value / after.exit_quantity),
        exit_reason=reason,
        fees=after.fees,
        pnl=Money(after.realised - after.fees - after.borrow),
        borrow=after.borrow,
        risk=risk,
        entry_decision_id=after.decision_id,
        exit_decision_id=decision_id,
    )
