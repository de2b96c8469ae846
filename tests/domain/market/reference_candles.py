"""Candlestick patterns once more, from their descriptions and TA-Lib's documented settings: see `reference.py`.

A body or shadow is long, short or next to nothing beside the mean of the bars before it, times a factor. `p[k]` is the
candle `k` bars back. Source of the pictures: G. Morris, Candlestick Charting Explained, 1992; T. Bulkowski, 2008.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from evil2root.domain.market.indicators import Floats
from tests.domain.market.reference import Bars, ago

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Candles:
    """Every bar of a series, or every bar some bars back."""

    bars: Bars
    back: int = 0

    def __getitem__(self, back: int) -> "Candles":
        return Candles(self.bars, back)

    def _then(self, values: Floats) -> Floats:
        return ago(values, self.back) if self.back else values

    def _usual(self, values: Floats, length: int, factor: float) -> Floats:
        if values.size < length:
            return np.full(values.size, np.nan)
        means = sliding_window_view(values, length).mean(axis=1)
        return self._then(factor * ago(np.concatenate((np.full(length - 1, np.nan), means)), 1))

    @cached_property
    def o(self) -> Floats:
        return self._then(self.bars["open"])

    @cached_property
    def h(self) -> Floats:
        return self._then(self.bars["high"])

    @cached_property
    def l(self) -> Floats:  # noqa: E743 - as charts have it
        return self._then(self.bars["low"])

    @cached_property
    def c(self) -> Floats:
        return self._then(self.bars["close"])

    @property
    def body(self) -> Floats:
        return np.abs(self.c - self.o)

    @property
    def top(self) -> Floats:
        return np.maximum(self.c, self.o)

    @property
    def foot(self) -> Floats:
        return np.minimum(self.c, self.o)

    @property
    def upper(self) -> Floats:
        return self.h - self.top

    @property
    def lower(self) -> Floats:
        return self.foot - self.l

    @property
    def white(self) -> Flags:
        return self.c >= self.o

    @property
    def black(self) -> Flags:
        return self.c < self.o

    @property
    def colour(self) -> Floats:
        return np.where(self.white, 1.0, -1.0)

    @property
    def _bodies(self) -> Floats:
        return np.abs(self.bars["close"] - self.bars["open"])

    @property
    def _ranges(self) -> Floats:
        return self.bars["high"] - self.bars["low"]

    @cached_property
    def usual_body(self) -> Floats:
        return self._usual(self._bodies, 10, 1.0)

    @cached_property
    def usual_shadow(self) -> Floats:
        """Half of both shadows."""
        return self._usual(self._ranges - self._bodies, 10, 0.5)

    @cached_property
    def tenth(self) -> Floats:
        return self._usual(self._ranges, 10, 0.1)

    @cached_property
    def near(self) -> Floats:
        return self._usual(self._ranges, 5, 0.2)

    @cached_property
    def far(self) -> Floats:
        return self._usual(self._ranges, 5, 0.6)

    @cached_property
    def equal(self) -> Floats:
        return self._usual(self._ranges, 5, 0.05)

    @property
    def is_long(self) -> Flags:
        return self.body > self.usual_body

    @property
    def is_short(self) -> Flags:
        return self.body < self.usual_body

    @property
    def is_not_long(self) -> Flags:
        return self.body <= self.usual_body

    @property
    def is_doji(self) -> Flags:
        return self.body <= self.tenth

    @property
    def is_shaven_above(self) -> Flags:
        return self.upper < self.tenth

    @property
    def is_shaven_below(self) -> Flags:
        return self.lower < self.tenth

    @property
    def is_shaven(self) -> Flags:
        return self.is_shaven_above & self.is_shaven_below

    def is_above(self, other: "Candles") -> Flags:
        """Its body is wholly above the other's."""
        return self.foot > other.top

    def is_below(self, other: "Candles") -> Flags:
        return self.top < other.foot

    def is_within(self, other: "Candles") -> Flags:
        return (self.top < other.top) & (self.foot > other.foot)


def about(value: Floats, other: Floats, by: Floats) -> Flags:
    return (value <= other + by) & (value >= other - by)


def signed(yes: Flags, no: Flags) -> Floats:
    """100 where bullish, -100 where bearish."""
    return np.where(yes, 100.0, np.where(no, -100.0, 0.0))


def bull(*all_of: Flags) -> Floats:
    return np.where(np.logical_and.reduce(all_of), 100.0, 0.0)


def bear(*all_of: Flags) -> Floats:
    return -bull(*all_of)
