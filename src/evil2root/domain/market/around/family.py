"""What a family of such features is, and what it may look at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.market.fundamentals import CompanyEvent
from evil2root.domain.market.indicators import Column, Floats


class Role(StrEnum):
    """What another series is to a symbol."""

    INDEX = "index"
    VOLATILITY = "volatility"  # an index of expected volatility, in percent a year: VIX
    RATE = "rate"  # a yield, in percent a year
    SECTOR = "sector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Symbols of the series around, by role; a role without one gives no features."""

    symbols: Mapping[Role, str] = field(default_factory=dict)
    sectors: Mapping[str, str] = field(default_factory=dict)
    """The symbol that stands for a sector, by the sector's name (`core/sectors.py`)."""

    def of(self, role: Role, *, sector: str) -> str | None:
        """Return the symbol of a role for a company of this sector; none when none is set."""
        return self.sectors.get(sector) if role is Role.SECTOR else self.symbols.get(role)


US_NEIGHBOURS = Neighbours(
    symbols={Role.INDEX: "^GSPC", Role.VOLATILITY: "^VIX", Role.RATE: "^TNX"},
    sectors={
        "technology": "XLK", "communication": "XLC", "consumer discretionary": "XLY", "consumer staples": "XLP",
        "health care": "XLV", "financials": "XLF", "industrials": "XLI", "energy": "XLE", "materials": "XLB",
        "utilities": "XLU", "real estate": "XLRE",
    },
)  # fmt: skip
"""As Yahoo names them: S&P 500, VIX, the yield of 10-year notes, and the SPDR funds of the sectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known beside a symbol's own bars; what is missing gives nulls."""

    session: Session | None = None
    """The regular hours of its market."""
    events: tuple[CompanyEvent, ...] = ()
    series: Mapping[Role, pl.DataFrame] = field(default_factory=dict)
    """`closed_at` and `close` by role, oldest first."""
    ranks: pl.DataFrame | None = None
    """The symbol's standing in the universe, as `universe.standings` makes it for all symbols at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A function that makes some columns, and all there is to know of them."""

    name: str
    version: int
    """Raised by hand when the formula changes without changing names or parameters."""
    compute: Callable[[pl.DataFrame, Around], Mapping[str, Floats]]
    """Bars and what is around; one value a bar by column, NaN for none."""
    columns: tuple[Column, ...]
    """Warm-up counts rows of the bars, where everything around them is there."""

    @property
    def formula(self) -> str:
        """Name, version and columns as one stable line."""
        return f"{self.name} v{self.version} -> {', '.join(c.name for c in self.columns)}"


def aligned(bars: pl.DataFrame, other: pl.DataFrame, *, days_max: int) -> Floats:
    """The close of the newest bar of `other` that closed no later than each bar; NaN where that is older than `days_max`.

    An index that closes after the symbol gives its close of the day before: nothing of its future is seen.
    """
    closes = other.select("closed_at", pl.col("close").alias("_other"))
    joined = bars.select("closed_at").join_asof(closes, on="closed_at", strategy="backward", tolerance=f"{days_max}d")
    return joined["_other"].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
