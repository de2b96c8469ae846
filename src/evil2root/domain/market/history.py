"""A recorded series: raw bars, the factors that adjust them, and where they come from."""

from dataclasses import dataclass

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.adjust import adjusted
from evil2root.domain.market.frame import BARS_SCHEMA, check_bars

STORED_SCHEMA = pl.Schema({**BARS_SCHEMA, "factor": pl.Float64()})
"""Raw bars with the factor that adjusts their prices; 1 where there is nothing to adjust for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A series of raw bars with their factors, checked at birth: `BadBars` for what can't be true."""

    symbol: str
    interval: Interval
    stored: pl.DataFrame
    """`STORED_SCHEMA`, oldest first."""
    origin: str
    """Source, dates and licence as one line for people."""

    def __post_init__(self) -> None:
        check_bars(self.raw)
        adjusted(self.raw, factor=self.stored["factor"])  # refuses factors that are not finite and above zero

    @property
    def raw(self) -> pl.DataFrame:
        """The bars as they were traded."""
        return self.stored.drop("factor")

    @property
    def adjusted(self) -> pl.DataFrame:
        """The bars adjusted for splits and dividends: what decisions are made from."""
        return adjusted(self.raw, factor=self.stored["factor"])
