"""The last code before the broker, and the only maker of `Approved`."""

from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.book.positions import Position
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.risk.breaker import Breaker
from evil2root.domain.risk.check import Asked, Check, Unit, at_most, flag
from evil2root.domain.risk.exposure import Exposure
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.rules import checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """An order that passed every limit. Only this module makes one; brokers accept nothing else."""

    order: Order
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An order that did not, and why."""

    order: Order | None
    checks: tuple[Check, ...]
    reason: str


def judge_entry(  # noqa: PLR0913 - each is a fact the limits are checked against
    order: Order, *, price: Decimal, exposure: Exposure, limits: Limits, breaker: Breaker, instrument: Instrument
) -> Approved | Refused:
    """Judge an order that opens or enlarges a position, at `price` a unit. Cost: the rules, none looks at a position."""
    asked = Asked(order=order, price=price, exposure=exposure, limits=limits, breaker=breaker, instrument=instrument)
    return _answer(order, checks(asked))


def judge_exit(order: Order, *, position: Position | None) -> Approved | Refused:
    """Judge an order that can only make a position smaller. No halt and no limit holds it back."""
    held = position.size if position is not None and position.side is not order.side else Decimal(0)
    check = at_most("reduces only", Decimal(order.quantity), Decimal(held), "there is not so much to close", Unit.UNITS)
    marked = flag("reduce-only flag", "an exit must be marked reduce-only", holds=order.reduce_only)
    return _answer(order, (check, marked))


def approved_before(order: Order) -> Approved:
    """Give back the approval of an order that was committed as sent before a crash, so that it can be sent again.

    Raises `ValueError` for an order in any other state: it would go round the limits.
    """
    if order.state not in (OrderState.SENDING, OrderState.UNKNOWN):
        msg = f"Order {order.client_order_id} is {order.state}; only one that was being sent is sent again."
        raise ValueError(msg)
    return Approved(order=order, checks=())


def _answer(order: Order, found: tuple[Check, ...]) -> Approved | Refused:
    broken = [c for c in found if not c.holds]
    if not broken:
        return Approved(order=order, checks=found)
    why = "; ".join(map(_told, broken))
    return Refused(order=order, checks=found, reason=why[0].upper() + why[1:] + ".")


def _told(check: Check) -> str:
    if check.unit is Unit.FLAG:
        return f"{check.name}: {check.advice}"
    return f"{check.name} {_short(check.value)} against {_short(check.limit)}: {check.advice}"


def _short(value: Decimal) -> str:
    text = f"{value:.4f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
