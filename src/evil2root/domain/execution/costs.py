"""What trading costs on the simulated venue, and how it treats orders beside their price."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from math import sqrt

from evil2root.domain.core.instrument import AssetClass
from evil2root.domain.core.money import ZERO, Money, exact, nearest_to

CENT_OF_A_CENT = Decimal("1e-10")
DAYS_A_YEAR = 365


class Slippage(StrEnum):
    """By what a fill that takes liquidity moves against us."""

    FIXED = "fixed"
    HALF_SPREAD = "half_spread"
    IMPACT = "impact"
    """k x volatility x square root of (quantity / average volume)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How a symbol traded up to the bar before: what the impact of an order rests on."""

    volatility: Decimal
    """Standard deviation of its returns a bar."""
    average_volume: Decimal
    """Mean volume a bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Fees and slippage, each side; the borrow of shorts; latency and rejects."""

    fee_frac: Decimal = Decimal("0.001")
    """Share of the notional; 0.001 is 0.1 %."""
    fee_equity_frac: Decimal | None = None
    """The same for shares; none takes `fee_frac`."""
    fee_crypto_frac: Decimal | None = None
    fee_fx_frac: Decimal | None = None
    fee_minimum: Decimal = ZERO
    fee_per_share: Decimal = ZERO
    """Added for each unit of a share, account currency."""
    slippage: Slippage = Slippage.FIXED
    slippage_bps: Decimal = Decimal(5)
    """`fixed`: how far fills move, in hundredths of a percent. `impact` takes it where volume or volatility is unknown."""
    spread_bps: Decimal = Decimal(10)
    """`half_spread`: the whole spread; fills move by half of it."""
    impact_k: Decimal = Decimal(1)
    volume_share_frac: Decimal | None = Decimal("0.1")
    """Largest share of a bar's volume one symbol's fills may take; none switches the cap off."""
    borrow_frac: Decimal = ZERO
    """What shorts pay a year, as a share of their value."""
    latency: timedelta = timedelta(0)
    """How long an order is on its way: it acts from the first open at or after its arrival."""
    reject_frac: Decimal = ZERO
    """Share of entries and exits that are rejected, for drills; guards never are."""
    seed: int = 0
    """Decides, with the order's id, which."""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("fee_frac", self.fee_frac, Decimal(1)),
            ("fee_equity_frac", self.fee_equity_frac, Decimal(1)),
            ("fee_crypto_frac", self.fee_crypto_frac, Decimal(1)),
            ("fee_fx_frac", self.fee_fx_frac, Decimal(1)),
            ("fee_minimum", self.fee_minimum, None),
            ("fee_per_share", self.fee_per_share, None),
            ("slippage_bps", self.slippage_bps, Decimal(10_000)),
            ("spread_bps", self.spread_bps, Decimal(10_000)),
            ("impact_k", self.impact_k, None),
            ("volume_share_frac", self.volume_share_frac, Decimal(1)),
            ("borrow_frac", self.borrow_frac, None),
            ("reject_frac", self.reject_frac, Decimal(1)),
        ):
            if value is not None and (value < 0 or (most is not None and value > most)):
                msg = f"{name} is {value}; it must be from 0 to {most if most is not None else 'any amount'}."
                raise ValueError(msg)

    def rate(self, kind: AssetClass) -> Decimal:
        """Return the fee of an asset class as a share of the notional."""
        own = {
            AssetClass.EQUITY: self.fee_equity_frac, AssetClass.CRYPTO: self.fee_crypto_frac,
            AssetClass.FX: self.fee_fx_frac,
        }[kind]  # fmt: skip
        return self.fee_frac if own is None else own

    def per_unit(self, kind: AssetClass) -> Decimal:
        """Return the fee of one unit, account currency."""
        return self.fee_per_share if kind is AssetClass.EQUITY else ZERO

    def fee(self, notional: Decimal, *, quantity: Decimal, kind: AssetClass) -> Money:
        """Return the fee for a fill of `notional` (account currency) and `quantity` units."""
        asked = self.rate(kind) * notional + self.per_unit(kind) * quantity
        return Money(nearest_to(max(asked, self.fee_minimum), step=CENT_OF_A_CENT))

    def slipped(self, price: Decimal, *, sign: int, quantity: Decimal, seen: Conditions | None) -> Decimal:
        """Return the price moved against whoever takes it: `sign` +1 for a buyer, -1 for a seller.

        Never at or below zero: a seller loses at most 99 %.
        """
        return price * (1 + sign * min(self.moved_frac(quantity, seen), Decimal("0.99")))

    def moved_frac(self, quantity: Decimal, seen: Conditions | None) -> Decimal:
        """Return how far a fill of `quantity` units moves, as a share of the price. Never negative.

        Source of the square root: B. Torre, BARRA Market Impact Model Handbook, 1997.
        """
        match self.slippage:
            case Slippage.HALF_SPREAD:
                return self.spread_bps / 20_000
            case Slippage.IMPACT if seen is not None:
                root = exact(sqrt(quantity / seen.average_volume), what="The square root of the share of volume")
                return self.impact_k * seen.volatility * root
            case _:
                return self.slippage_bps / 10_000

    def borrow(self, value: Decimal, *, days: int) -> Money:
        """Return what lending units worth `value` costs for some days."""
        return Money(nearest_to(value * self.borrow_frac * days / DAYS_A_YEAR, step=CENT_OF_A_CENT))

    def rejects(self, client_order_id: str) -> bool:
        """Is this order one of those that are rejected? The same seed and id always give the same answer."""
        if not self.reject_frac:
            return False
        drawn = int.from_bytes(sha256(f"{self.seed}|{client_order_id}".encode()).digest()[:8])
        return drawn < self.reject_frac * 2**64
