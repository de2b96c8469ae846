"""The limits no opinion can argue with."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All fractions are of equity at the last close unless they say otherwise; none switches a limit off."""

    per_symbol_frac: Decimal = Decimal("0.20")
    gross_frac: Decimal = Decimal("1.00")
    net_frac: Decimal | None = Decimal("1.00")
    """Longs less shorts, either way."""
    leverage_max: Decimal | None = Decimal(2)
    """Gross exposure over equity, whatever the other limits say."""
    sector_frac: Decimal | None = Decimal("0.50")
    """Symbols of one sector together; symbols of unknown sector are not thrown together."""
    asset_class_frac: Decimal | None = None
    currency_frac: Decimal | None = None
    cash_reserve_frac: Decimal = Decimal("0.02")
    """Share of equity that entries leave in cash."""
    positions_max: int = 10
    order_units_max: Decimal | None = None
    """Units of one order."""
    order_value_frac: Decimal | None = Decimal("0.25")
    """Value of one order."""
    price_collar_frac: Decimal | None = Decimal("0.10")
    """How far the price may be from the last one and from the previous close, either way, as a share of those."""
    volume_share_frac: Decimal | None = Decimal("0.10")
    """Largest share of the last bar's volume an entry may ask for."""
    average_volume_frac: Decimal | None = Decimal("0.05")
    """Largest share of the mean volume of the last 20 bars."""
    correlation_max: Decimal | None = Decimal("0.80")
    """Mean correlation of a new position with what is held."""
    cluster_frac: Decimal | None = Decimal("0.50")
    """A position and what is held that moves as it does, together."""
    heat_frac: Decimal | None = Decimal("0.10")
    """Loss if every stop is hit."""
    value_at_risk_frac: Decimal | None = Decimal("0.05")
    """Loss of a bar that 95 % of the last bars stayed below."""
    shortfall_frac: Decimal | None = Decimal("0.075")
    """Mean loss of the other 5 %."""
    duplicate_s: int = 60
    """Seconds in which an entry of the same symbol, side and quantity is a repetition; 0 lets it through."""
    orders_per_second_max: int | None = 10
    orders_per_minute_max: int | None = 30
    orders_per_day_max: int | None = 200
    stale_bars_max: Decimal | None = Decimal(1)
    """How old the bar may be that an entry rests on, in bar lengths."""
    missing_bars_max: int | None = 4
    """Missing of the last 20 bars of the market's calendar, quarantined ones included."""
    repeated_bars_max: int | None = 5
    """Bars in a row with the same five numbers."""
    daily_loss_frac: Decimal | None = Decimal("0.05")
    """Loss since the previous day's close that stops entries until the next day."""
    drawdown_frac: Decimal | None = Decimal("0.30")
    """Fall from the peak that stops entries until a person resumes."""
    losing_streak_max: int | None = 8
    """Losing round trips in a row that stop entries until the next day."""
    rejections_max: int | None = 5
    """Orders in a row that the broker rejected, which stop entries until the next day."""
    short_allowed: bool = True

    def __post_init__(self) -> None:
        for name, least, most in BOUNDS:
            value = getattr(self, name)
            if value is not None and not Decimal(least) <= value <= Decimal(most):
                msg = f"{name} is {value}; it must be from {least} to {most}."
                raise ValueError(msg)

    @property
    def needs_returns(self) -> bool:
        """Does any limit rest on the returns of the last bars?"""
        limits = (self.correlation_max, self.cluster_frac, self.value_at_risk_frac, self.shortfall_frac)
        return any(limit is not None for limit in limits)


BOUNDS = (
    ("per_symbol_frac", "0", "10"),
    ("gross_frac", "0", "10"),
    ("net_frac", "0", "10"),
    ("leverage_max", "0", "100"),
    ("sector_frac", "0", "10"),
    ("asset_class_frac", "0", "10"),
    ("currency_frac", "0", "10"),
    ("cash_reserve_frac", "0", "1"),
    ("positions_max", "0", "10000"),
    ("order_units_max", "0", "1000000000000"),
    ("order_value_frac", "0", "10"),
    ("price_collar_frac", "0", "10"),
    ("volume_share_frac", "0", "1"),
    ("average_volume_frac", "0", "1"),
    ("correlation_max", "-1", "1"),
    ("cluster_frac", "0", "10"),
    ("heat_frac", "0", "1"),
    ("value_at_risk_frac", "0", "1"),
    ("shortfall_frac", "0", "1"),
    ("duplicate_s", "0", "60"),
    ("orders_per_second_max", "0", "1000000"),
    ("orders_per_minute_max", "0", "1000000"),
    ("orders_per_day_max", "0", "1000000"),
    ("stale_bars_max", "0", "1000"),
    ("missing_bars_max", "0", "20"),
    ("repeated_bars_max", "1", "1000000"),
    ("daily_loss_frac", "0", "1"),
    ("drawdown_frac", "0", "1"),
    ("losing_streak_max", "1", "10000"),
    ("rejections_max", "1", "10000"),
)
"""Name, least and most: the one place where they are written; options and settings are read by it."""

ALWAYS_ON = frozenset({"per_symbol_frac", "gross_frac", "cash_reserve_frac", "positions_max", "duplicate_s"})
"""Limits that can be wide, but not none."""

WIDE = Limits(
    per_symbol_frac=Decimal(10), gross_frac=Decimal(10), net_frac=None, leverage_max=None, sector_frac=None,
    cash_reserve_frac=Decimal(0), positions_max=10_000, order_value_frac=None, price_collar_frac=None,
    volume_share_frac=None, average_volume_frac=None, correlation_max=None, cluster_frac=None, heat_frac=None,
    value_at_risk_frac=None, shortfall_frac=None, duplicate_s=0, orders_per_second_max=None,
    orders_per_minute_max=None, orders_per_day_max=None, stale_bars_max=None, missing_bars_max=None, repeated_bars_max=None,
    daily_loss_frac=None,
    drawdown_frac=None, losing_streak_max=None, rejections_max=None, short_allowed=False,
)  # fmt: skip
"""For a yardstick or a drill: what a limit refuses there measures the limit. Only cash and the venue bound it."""
