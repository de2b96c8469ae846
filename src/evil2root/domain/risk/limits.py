"""The limits no opinion can argue with."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All fractions are of equity at the last close."""

    per_symbol_frac: Decimal = Decimal("0.20")
    gross_frac: Decimal = Decimal("1.00")
    cash_reserve_frac: Decimal = Decimal("0.02")
    """Share of equity that entries leave in cash."""
    positions_max: int = 10
    daily_loss_frac: Decimal | None = Decimal("0.05")
    """Loss since the previous day's close that stops entries until the next day; none switches it off."""
    volume_share_frac: Decimal | None = Decimal("0.10")
    """Largest share of the last bar's volume an entry may ask for; none switches it off."""
    short_allowed: bool = True

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("per_symbol_frac", self.per_symbol_frac, Decimal(0), Decimal(10)),
            ("gross_frac", self.gross_frac, Decimal(0), Decimal(10)),
            ("cash_reserve_frac", self.cash_reserve_frac, Decimal(0), Decimal(1)),
            ("daily_loss_frac", self.daily_loss_frac, Decimal(0), Decimal(1)),
            ("volume_share_frac", self.volume_share_frac, Decimal(0), Decimal(1)),
            ("positions_max", Decimal(self.positions_max), Decimal(0), Decimal(10_000)),
        ):
            if value is not None and not least <= value <= most:
                msg = f"{name} is {value}; it must be from {least} to {most}."
                raise ValueError(msg)
