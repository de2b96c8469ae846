"""What a strategy may look at on one bar, and nothing later."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from evil2root.domain.core.money import Price
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.passport import Passport
from evil2root.domain.signals.values import Signal, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A bar with all that was computed from it and the bars before it."""

    bar: Bar
    number: int
    """The bar's place in its stored series, counted from 1."""
    window_from: datetime
    """Opening of the first bar the features were computed from."""
    features: Mapping[str, float | None]
    """By name; none while warming up."""
    signals: tuple[Signal, ...]
    """One a source, in the sources' order; empty for strategies without sources."""
    view: View | None
    """The fused signal; none when every source abstained."""
    passport: Passport | None = None
    """The quality of the data; none where the run has no calendars."""

    def feature(self, name: str) -> float | None:
        """Return a feature by name, none while it warms up."""
        return self.features[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What is held in the symbol when the strategy looks, as much of it as a strategy may know."""

    quantity: Decimal
    """Signed."""
    average_price: Price
    opened_at: datetime
