"""A fill is a fact: so much, at that price, then."""

from dataclasses import dataclass
from datetime import datetime

from evil2root.domain.core.money import Money, Price, Quantity
from evil2root.domain.core.side import Side


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

    def __post_init__(self) -> None:
        if self.quantity <= 0 or self.price <= 0 or self.fee < 0:
            msg = (
                f"Fill {self.execution_id}: quantity {self.quantity} and price {self.price} must be above zero "
                f"and the fee {self.fee} not negative."
            )
            raise ValueError(msg)

    @property
    def notional(self) -> Money:
        """Quantity times price, above zero."""
        return Money(self.quantity * self.price)

    @property
    def cash(self) -> Money:
        """What the fill does to cash: a buy takes the notional and the fee, a sale brings the notional less the fee."""
        return Money(-self.side.sign * self.notional - self.fee)
