"""One limit with its number, and what an order is judged by."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from evil2root.domain.book.orders import Order
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.risk.breaker import Breaker
from evil2root.domain.risk.exposure import Exposure
from evil2root.domain.risk.limits import Limits


class Unit(StrEnum):
    """What the numbers of a check are, for whoever shows them."""

    MONEY = "money"
    SHARE = "share"
    """A share of something, in [0, 1] mostly."""
    COUNT = "count"
    UNITS = "units"
    """Of the instrument."""
    NUMBER = "number"
    FLAG = "flag"
    """1 for yes, 0 for no: the name says it all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One limit, with its number."""

    name: str
    value: Decimal
    limit: Decimal
    holds: bool
    advice: str
    """What to do when it does not hold."""
    unit: Unit = Unit.NUMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An entry that asks to be let through, and everything it is held against."""

    order: Order
    price: Decimal
    """What one unit is judged at."""
    exposure: Exposure
    limits: Limits
    breaker: Breaker
    instrument: Instrument

    @property
    def notional(self) -> Decimal:
        """Value of the order, account currency."""
        assert self.exposure.rate is not None, "without a rate nothing is ordered"
        return self.order.quantity * self.price * self.exposure.rate

    def share(self, part: Decimal) -> Decimal:
        """Return a part of equity."""
        return part * self.exposure.equity


def at_most(name: str, value: Decimal, limit: Decimal, advice: str, unit: Unit) -> Check:
    """Hold `value` to at most `limit`; the limit itself passes."""
    return Check(name=name, value=value, limit=limit, holds=value <= limit, advice=advice, unit=unit)


def at_least(name: str, value: Decimal, limit: Decimal, advice: str, unit: Unit) -> Check:
    """Hold `value` to at least `limit`; the limit itself passes."""
    return Check(name=name, value=value, limit=limit, holds=value >= limit, advice=advice, unit=unit)


def below(name: str, value: Decimal, limit: Decimal, advice: str, unit: Unit) -> Check:
    """Hold `value` below `limit`; reaching it is too much."""
    return Check(name=name, value=value, limit=limit, holds=value < limit, advice=advice, unit=unit)


def flag(name: str, advice: str, *, holds: bool) -> Check:
    """State a thing that is or is not so."""
    return Check(
        name=name, value=Decimal(1 if holds else 0), limit=Decimal(1), holds=holds, advice=advice, unit=Unit.FLAG
    )
