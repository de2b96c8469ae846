"""Symbols, bars and indicators: market data is floats, and numbers in JSON."""

from dataclasses import asdict
from math import isfinite
from typing import Self

import polars as pl

from evil2root.api.values import Moment, Out
from evil2root.domain.core.instrument import AssetClass, instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.indicators import Indicator, Unit
from evil2root.domain.market.passport import Passport
from evil2root.domain.market.report import SeriesQuality
from evil2root.engine.reads import SymbolRow


class SymbolOut(Out):
    """A symbol and the bars stored for it."""

    symbol: str
    name: str
    asset_class: AssetClass
    currency: str
    interval: Interval
    bars: int
    first: Moment
    last: Moment
    source: str
    traded: bool
    """Is it on the watchlist?"""

    @classmethod
    def of(cls, row: SymbolRow, *, traded: bool) -> Self:
        """Make it from what is stored."""
        instrument = instrument_for(row.symbol)
        return cls(
            symbol=row.symbol, name=instrument.name, asset_class=instrument.asset_class, currency=instrument.currency,
            interval=row.interval, bars=row.bars, first=row.first, last=row.last, source=row.source, traded=traded,
        )  # fmt: skip


class BarOut(Out):
    """What an instrument did between two moments, adjusted for splits and dividends."""

    opened_at: Moment
    closed_at: Moment
    open: float
    high: float
    low: float
    close: float
    volume: float


class BarsOut(Out):
    """Bars, oldest first."""

    items: list[BarOut]
    next: str | None
    """Give it as `cursor` for the bars before these; null when there are none."""


class IndicatorsOut(Out):
    """Indicators of the same bars, one column each, null while warming up."""

    opened_at: list[Moment]
    columns: dict[str, list[float | None]]

    @classmethod
    def of(cls, table: pl.DataFrame) -> Self:
        """Make it from a table of features."""
        names = [name for name in table.columns if name not in {"opened_at", "closed_at"}]
        return cls(opened_at=table["opened_at"].to_list(), columns={name: table[name].to_list() for name in names})


class ColumnOut(Out):
    """One column an indicator makes."""

    name: str
    unit: Unit
    warm_up: int
    """Rows at the start of a series without a value."""
    low: float | None
    high: float | None
    """Its range; null where it has no end."""


class IndicatorOut(Out):
    """An indicator: what it reads, its parameters, what it makes."""

    name: str
    inputs: list[str]
    params: dict[str, float]
    columns: list[ColumnOut]

    @classmethod
    def of(cls, indicator: Indicator) -> Self:
        """Make it from the registry's entry."""
        columns = [
            ColumnOut(name=c.name, unit=c.unit, warm_up=c.warm_up, low=_finite(c.low), high=_finite(c.high))
            for c in indicator.columns
        ]
        return cls(name=indicator.name, inputs=list(indicator.inputs), params=dict(indicator.params), columns=columns)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


class IssueOut(Out):
    """One oddity."""

    kind: str
    start: Moment
    end: Moment
    rows: int
    action: str
    detail: str


class PassportOut(Out):
    """The quality of the data behind one bar; stored with every decision."""

    calendar: str
    expected: int
    missing: int
    off_calendar: bool
    repeats: int
    source: str
    repaired: int
    agreed: bool

    @classmethod
    def of(cls, passport: Passport | None) -> Self | None:
        """Make it from the value."""
        return None if passport is None else cls(**asdict(passport))


class QualityOut(Out):
    """A series with everything odd about it, oldest first."""

    symbol: str
    interval: Interval
    bars: int
    first: Moment | None
    last: Moment | None
    source: str
    issues: list[IssueOut]
    passport: PassportOut | None

    @classmethod
    def of(cls, quality: SeriesQuality) -> Self:
        """Make it from the report."""
        return cls(
            symbol=quality.symbol, interval=quality.interval, bars=quality.bars, first=quality.first,
            last=quality.last, source=quality.source, issues=[IssueOut(**asdict(one)) for one in quality.issues],
            passport=PassportOut.of(quality.passport),
        )  # fmt: skip
