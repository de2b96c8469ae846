"""Limits of what goes wrong together: symbols that move alike, stops that are hit at once, bad bars."""

from decimal import Decimal

import numpy as np

from evil2root.domain.core.money import ONE, exact
from evil2root.domain.risk.check import Asked, Check, Unit, at_most, flag
from evil2root.domain.risk.exposure import risk_of_unit
from evil2root.domain.risk.tails import tail

WAIT = "the returns of the last bars are not known: wait for the next close"


def cluster_exposure(asked: Asked) -> Check | None:
    """Hold so much that moves as the new position does."""
    part, company = asked.limits.cluster_frac, asked.exposure.company
    if part is None:
        return None
    if company is None:
        return flag("cluster exposure", WAIT, holds=False)
    advice = f"close some of {', '.join(company.cluster)} or raise cluster_frac" if company.cluster else "order less"
    value = company.cluster_used + asked.notional
    return at_most("cluster exposure", value, asked.share(part), advice, Unit.MONEY)


def correlation(asked: Asked) -> Check | None:
    """Be no copy of what is held."""
    most, company = asked.limits.correlation_max, asked.exposure.company
    if most is None:
        return None
    if company is None:
        return flag("correlation with what is held", WAIT, holds=False)
    advice = "close what moves alike or raise correlation_max"
    return at_most("correlation with what is held", company.correlation, most, advice, Unit.NUMBER)


def heat(asked: Asked) -> Check | None:
    """Lose so much if every stop is hit, the new one too; without a stop the whole order is at risk."""
    part = asked.limits.heat_frac
    if part is None:
        return None
    order = asked.order
    # Stops lie in the currency of the price, equity is the account's.
    risk = risk_of_unit(asked.price, order.side, order.protect) * (asked.exposure.rate or ONE)
    value = asked.exposure.heat + order.quantity * risk
    advice = "close something, tighten stops or raise heat_frac"
    return at_most("loss if every stop is hit", value, asked.share(part), advice, Unit.MONEY)


def value_at_risk(asked: Asked) -> Check | None:
    """Lose so much on a bad bar, one in twenty, by the last bars' history."""
    return _tail(asked, "value at risk, one bar", asked.limits.value_at_risk_frac, place=0)


def expected_shortfall(asked: Asked) -> Check | None:
    """Lose so much on the mean of the worst bars, one in twenty."""
    return _tail(asked, "expected shortfall, one bar", asked.limits.shortfall_frac, place=1)


def _tail(asked: Asked, name: str, part: Decimal | None, *, place: int) -> Check | None:
    company = asked.exposure.company
    if part is None:
        return None
    if company is None:
        return flag(name, WAIT, holds=False)
    profits = np.array(company.held) + float(asked.notional) * np.array(company.unit)
    loss = round(exact(tail(profits)[place], what=name), 6)
    option = "value_at_risk_frac" if place == 0 else "shortfall_frac"
    return at_most(name, loss, asked.share(part), f"close something or raise {option}", Unit.MONEY)
