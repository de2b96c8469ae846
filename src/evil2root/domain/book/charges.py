"""What a venue charges beside its fees: the borrow of shorts."""

from dataclasses import dataclass
from datetime import datetime

from evil2root.domain.core.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The borrow of a short for some days, unique by `ref`."""

    symbol: str
    amount: Money
    """Never negative, account currency."""
    days: int
    at: datetime
    ref: str
    """`borrow:VENUE:ACCOUNT:SYMBOL:DAY`."""
