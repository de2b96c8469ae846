"""Exact money. Floats end where an order begins; from there on everything is `Decimal`.

`Price`, `Quantity` and `Money` are distinct types to the type checker and plain `Decimal` at run time:
`Price * Quantity` is a `Decimal` that has to be called `Money` on purpose.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import NewType

Price = NewType("Price", Decimal)
"""Quote currency for one unit, above zero."""
Quantity = NewType("Quantity", Decimal)
"""Units of an instrument, never negative; the side says the direction."""
Money = NewType("Money", Decimal)
"""An amount in the account's currency, signed."""

ZERO = Decimal(0)
ONE = Decimal(1)


def exact(raw: float | str | Decimal, *, what: str) -> Decimal:
    """Cross from a float to `Decimal` by its shortest text, so that 0.1 stays 0.1.

    Raises `ValueError` naming `what` when the value is not a finite number.
    """
    value = raw if isinstance(raw, Decimal) else Decimal(str(raw))
    if not value.is_finite():
        msg = f"{what} is {raw}; it must be a finite number."
        raise ValueError(msg)
    return value


def floor_to(raw: Decimal, *, step: Decimal) -> Decimal:
    """Round down to a multiple of `step` (a lot or a tick); `raw` is not negative."""
    return (raw / step).to_integral_value(rounding=ROUND_DOWN) * step


def nearest_to(raw: Decimal, *, step: Decimal) -> Decimal:
    """Round to the nearest multiple of `step`, ties to even."""
    return (raw / step).to_integral_value(rounding=ROUND_HALF_EVEN) * step


def up_to(raw: Decimal, *, step: Decimal) -> Decimal:
    """Round up to a multiple of `step`: the worse price for a buyer."""
    return (raw / step).to_integral_value(rounding=ROUND_CEILING) * step


def down_to(raw: Decimal, *, step: Decimal) -> Decimal:
    """Round down to a multiple of `step`, towards minus infinity: the worse price for a seller."""
    return (raw / step).to_integral_value(rounding=ROUND_FLOOR) * step
