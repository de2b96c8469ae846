"""What trading costs on the simulated venue."""

from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.core.money import ZERO, Money, nearest_to

CENT_OF_A_CENT = Decimal("1e-10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Fees and slippage, each side."""

    fee_frac: Decimal = Decimal("0.001")
    """Share of the notional; 0.001 is 0.1 %."""
    fee_minimum: Decimal = ZERO
    slippage_bps: Decimal = Decimal(5)
    """How far every fill that takes liquidity moves against us, in hundredths of a percent."""
    volume_share_frac: Decimal | None = Decimal("0.1")
    """Largest share of a bar's volume one symbol's fills may take; none switches the cap off."""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("fee_frac", self.fee_frac, Decimal(1)),
            ("fee_minimum", self.fee_minimum, None),
            ("slippage_bps", self.slippage_bps, Decimal(10_000)),
            ("volume_share_frac", self.volume_share_frac, Decimal(1)),
        ):
            if value is not None and (value < 0 or (most is not None and value > most)):
                msg = f"{name} is {value}; it must be from 0 to {most if most is not None else 'any amount'}."
                raise ValueError(msg)

    def fee(self, notional: Decimal) -> Money:
        """Return the fee for a fill of `notional`."""
        return Money(nearest_to(max(self.fee_frac * notional, self.fee_minimum), step=CENT_OF_A_CENT))

    def slipped(self, price: Decimal, *, sign: int) -> Decimal:
        """Return the price moved against whoever takes it: `sign` +1 for a buyer, -1 for a seller."""
        return price * (1 + sign * self.slippage_bps / 10_000)
