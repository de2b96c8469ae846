"""Limits of one order, whatever else is held."""

from decimal import Decimal

from evil2root.domain.core.money import ZERO
from evil2root.domain.core.side import Side
from evil2root.domain.risk.check import Asked, Check, Unit, at_least, at_most, flag


def order_value_least(asked: Asked) -> Check:
    """Ask for at least the instrument's minimum."""
    advice = "the account is too small for this instrument"
    return at_least(
        "smallest order value",
        asked.order.quantity * asked.price,
        asked.instrument.minimum_notional,
        advice,
        Unit.MONEY,
    )


def order_value_most(asked: Asked) -> Check | None:
    """Ask for at most a share of equity in one order."""
    part = asked.limits.order_value_frac
    if part is None:
        return None
    advice = "order less or raise order_value_frac"
    return at_most("largest order value", asked.notional, asked.share(part), advice, Unit.MONEY)


def order_units(asked: Asked) -> Check | None:
    """Ask for at most so many units in one order."""
    most = asked.limits.order_units_max
    if most is None:
        return None
    return at_most("order units", asked.order.quantity, most, "order less or raise order_units_max", Unit.UNITS)


def lot(asked: Asked) -> Check:
    """Ask for whole lots."""
    step = asked.instrument.lot
    return flag(f"whole lots of {step}", f"order a multiple of {step}", holds=asked.order.quantity % step == 0)


def tick(asked: Asked) -> Check | None:
    """Ask at a price that can be traded at; a market order names none."""
    price, step = asked.order.price, asked.instrument.tick
    if price is None or step is None:
        return None
    return flag(f"whole ticks of {step}", f"name a multiple of {step}", holds=price % step == 0)


def price_against_last(asked: Asked) -> Check | None:
    """Ask near the last price that was known to be good."""
    return _collar(asked, "price against the last one", asked.exposure.last_price)


def price_against_previous_close(asked: Asked) -> Check | None:
    """Ask near the close of the bar before."""
    return _collar(asked, "price against the previous close", asked.exposure.previous_close)


def _collar(asked: Asked, name: str, good: Decimal | None) -> Check | None:
    part = asked.limits.price_collar_frac
    if part is None:
        return None
    advice = "look at the price; if it is true, wait a bar or raise price_collar_frac"
    if good is None:
        return flag(name, "no price is known to compare with: wait for the next close", holds=False)
    # Compared as a difference: a quotient would have to be rounded, and the limit itself must pass.
    away = abs(asked.price - good)
    return Check(name=name, value=away / good, limit=part, holds=away <= part * good, advice=advice, unit=Unit.SHARE)


def volume_share(asked: Asked) -> Check | None:
    """Ask for at most a share of the last bar's volume."""
    part, volume = asked.limits.volume_share_frac, asked.exposure.day_volume
    if part is None or volume is None:
        return None
    advice = "order less or raise volume_share_frac"
    return at_most("share of the last bar's volume", asked.order.quantity, part * volume, advice, Unit.UNITS)


def average_volume_share(asked: Asked) -> Check | None:
    """Ask for at most a share of the average volume; nothing to say where no volume is known."""
    part, volume = asked.limits.average_volume_frac, asked.exposure.average_volume
    if part is None or volume is None:
        return None
    advice = "order less or raise average_volume_frac"
    return at_most("share of the average volume", asked.order.quantity, part * volume, advice, Unit.UNITS)


def short_allowed(asked: Asked) -> Check | None:
    """Sell what is not held only where that is allowed."""
    if asked.order.side is Side.BUY:
        return None
    holds = asked.limits.short_allowed and asked.instrument.shortable
    return flag("short allowed", f"{asked.order.symbol} can't be sold short here", holds=holds)


def opens(asked: Asked) -> Check:
    """Be an entry: not marked as reducing, and on the side of what is held already."""
    order = asked.order
    holds = not order.reduce_only and asked.exposure.held * order.side.sign >= ZERO
    return flag("opens, reduces nothing", "close what is held on the other side first", holds=holds)
