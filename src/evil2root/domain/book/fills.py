"""A fill is a fact: so much, at that price, then."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from evil2root.domain.core.money import ONE, Money, Price, Quantity, nearest_to
from evil2root.domain.core.side import Side

FINE = Decimal("1e-10")
"""Converted amounts are kept to this step, so that sums stay exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution, unique by (venue, account, execution id)."""

    venue: str
    account: str
    execution_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Quantity
    price: Price
    fee: Money
    """Never negative."""
    at: datetime
    slippage: Money
    """What the fill cost against the undisturbed price, account currency, never negative."""
    rate: Decimal = ONE
    """Account currency for a price of 1 at that moment; exactly 1 for what is quoted in it."""

    def __post_init__(self) -> None:
        if self.quantity <= 0 or self.price <= 0 or self.fee < 0 or self.rate <= 0:
            msg = (
                f"Fill {self.execution_id}: quantity {self.quantity}, price {self.price} and rate {self.rate} must be above zero "
                f"and the fee {self.fee} not negative."
            )
            raise ValueError(msg)

    @property
    def quoted(self) -> Decimal:
        """Quantity times price as it is quoted, above zero."""
        return self.quantity * self.price

    @property
    def notional(self) -> Money:
        """Quantity times price in the account's currency, above zero; a conversion is rounded to 1e-10."""
        return Money(self.quoted if self.rate == ONE else nearest_to(self.quoted * self.rate, step=FINE))

    @property
    def cash(self) -> Money:
        """What the fill does to cash: a buy takes the notional and the fee, a sale brings the notional less the fee."""
        return Money(-self.side.sign * self.notional - self.fee)
