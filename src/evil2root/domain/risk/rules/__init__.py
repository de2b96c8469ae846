"""One function a limit. Each is pure and gives a `Check`, or none where its limit is off or has nothing to say."""

from collections.abc import Callable

from evil2root.domain.risk.check import Asked, Check
from evil2root.domain.risk.rules import company, data, exposure, order, pace

Rule = Callable[[Asked], Check | None]

RULES: tuple[Rule, ...] = (
    exposure.symbol_exposure,
    exposure.gross_exposure,
    exposure.net_exposure,
    exposure.leverage,
    exposure.sector_exposure,
    exposure.asset_class_exposure,
    exposure.currency_exposure,
    exposure.positions,
    exposure.cash,
    company.cluster_exposure,
    company.correlation,
    company.heat,
    company.value_at_risk,
    company.expected_shortfall,
    order.order_value_least,
    order.order_value_most,
    order.order_units,
    order.lot,
    order.tick,
    order.price_against_last,
    order.price_against_previous_close,
    order.volume_share,
    order.average_volume_share,
    order.short_allowed,
    order.opens,
    pace.duplicate,
    pace.orders_a_second,
    pace.orders_a_minute,
    pace.orders_a_day,
    pace.bar_age,
    data.missing_bars,
    data.repeated_bars,
    data.on_calendar,
    pace.daily_loss,
    pace.drawdown,
    pace.losing_streak,
    pace.rejections,
    pace.breaker,
)
"""Every limit of an entry, in the order they are shown."""


def checks(asked: Asked) -> tuple[Check, ...]:
    """Hold an entry against every limit that is on."""
    found = (rule(asked) for rule in RULES)
    return tuple(check for check in found if check is not None)
