"""The last code before the broker, and the only maker of `Approved`."""

from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.book.positions import Position
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.side import Side
from evil2root.domain.risk.breaker import Breaker
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.sizing import Exposure


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One limit, with its number."""

    name: str
    value: Decimal
    limit: Decimal
    holds: bool
    advice: str
    """What to do when it does not hold."""


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
    """Judge an order that opens or enlarges a position, at `price` a unit."""
    notional = order.quantity * price
    equity = exposure.equity
    spend = notional * (1 + exposure.fee_frac + (0 if exposure.asked_at_open else exposure.slippage_frac))
    reserve = limits.cash_reserve_frac * equity
    checks = [
        _at_most("symbol exposure", exposure.symbol + notional, limits.per_symbol_frac * equity,
                 "close some of it or raise per_symbol_frac"),
        _at_most("gross exposure", exposure.gross + notional, limits.gross_frac * equity,
                 "close something or raise gross_frac"),
        _at_most("positions", Decimal(exposure.positions + 1), Decimal(limits.positions_max),
                 "close one or raise positions_max"),
        _at_least("order value", notional, instrument.minimum_notional, "the account is too small for this instrument"),
    ]  # fmt: skip
    if order.side is Side.BUY:
        checks.append(
            _at_most("cash", spend, exposure.cash - exposure.cash_in_flight - reserve,
                     "close something, add cash or lower cash_reserve_frac")
        )  # fmt: skip
    else:
        checks.append(
            Check(name="short allowed", value=Decimal(1), limit=Decimal(1),
                  holds=limits.short_allowed and instrument.shortable,
                  advice=f"{order.symbol} can't be sold short here")
        )  # fmt: skip
    if limits.daily_loss_frac is not None:
        checks.append(_below("daily loss", exposure.day_loss_frac, limits.daily_loss_frac, "wait for the next day"))
    checks.append(
        Check(name="breaker", value=Decimal(0 if breaker.lets_in else 1), limit=Decimal(0), holds=breaker.lets_in,
              advice=f"{breaker.state}: {breaker.reason}" if not breaker.lets_in else "")
    )  # fmt: skip
    return _answer(order, tuple(checks))


def judge_exit(order: Order, *, position: Position | None) -> Approved | Refused:
    """Judge an order that can only make a position smaller. No halt and no limit holds it back."""
    held = position.size if position is not None and position.side is not order.side else Decimal(0)
    check = _at_most("reduces only", Decimal(order.quantity), Decimal(held), "there is not so much to close")
    flag = Check(
        name="reduce-only flag", value=Decimal(order.reduce_only), limit=Decimal(1), holds=order.reduce_only,
        advice="an exit must be marked reduce-only",
    )  # fmt: skip
    return _answer(order, (check, flag))


def approved_before(order: Order) -> Approved:
    """Give back the approval of an order that was committed as sent before a crash, so that it can be sent again.

    Raises `ValueError` for an order in any other state: it would go round the limits.
    """
    if order.state not in (OrderState.SENDING, OrderState.UNKNOWN):
        msg = f"Order {order.client_order_id} is {order.state}; only one that was being sent is sent again."
        raise ValueError(msg)
    return Approved(order=order, checks=())


def _answer(order: Order, checks: tuple[Check, ...]) -> Approved | Refused:
    broken = [c for c in checks if not c.holds]
    if not broken:
        return Approved(order=order, checks=checks)
    why = "; ".join(f"{c.name} {_short(c.value)} against {_short(c.limit)}: {c.advice}" for c in broken)
    return Refused(order=order, checks=checks, reason=why[0].upper() + why[1:] + ".")


def _at_most(name: str, value: Decimal, limit: Decimal, advice: str) -> Check:
    return Check(name=name, value=value, limit=limit, holds=value <= limit, advice=advice)


def _below(name: str, value: Decimal, limit: Decimal, advice: str) -> Check:
    return Check(name=name, value=value, limit=limit, holds=value < limit, advice=advice)


def _at_least(name: str, value: Decimal, limit: Decimal, advice: str) -> Check:
    return Check(name=name, value=value, limit=limit, holds=value >= limit, advice=advice)


def _short(value: Decimal) -> str:
    text = f"{value:.4f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
