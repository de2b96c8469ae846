"""How an entry of the catalogue is written: a TA-Lib function, what it reads, what it makes."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from evil2root.domain.market.indicators import FLAT_FRAC, Column, Floats, Indicator, Unit
from evil2root.domain.market.lean_talib import talib

C = ("close",)
HL = ("high", "low")
HLC = ("high", "low", "close")
OHLC = ("open", "high", "low", "close")
HLCV = ("high", "low", "close", "volume")
CV = ("close", "volume")
V = ("volume",)

Shape = tuple[Unit, float, float]
"""Unit, lowest and highest value of a column."""

PRICE: Shape = (Unit.PRICE, -inf, inf)
POSITIVE: Shape = (Unit.PRICE, 0.0, inf)
POINTS: Shape = (Unit.POINTS, -inf, inf)
PERCENT: Shape = (Unit.POINTS, 0.0, 100.0)
SIGNED: Shape = (Unit.POINTS, -100.0, 100.0)
RATIO: Shape = (Unit.RATIO, -inf, inf)
VOLUME: Shape = (Unit.VOLUME, -inf, inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaLib:
    """A TA-Lib function by name, NaN where the market stood still.

    TA-Lib answers 0 when a range is nothing, which for an oscillator reads as an extreme. With `still` above 0 the
    value is NaN when no price of the last `still` bars differs from another. Whole numbers have no NaN, so TA-Lib
    fills the `warm_up` rows of a flag with 0: they become NaN here.
    """

    function: str
    warm_up: int
    still: int = 0

    def __call__(self, *inputs: Floats, **params: float) -> tuple[Floats, ...]:
        """One array an output."""
        compute: Callable[..., Any] = getattr(talib, self.function)
        made = compute(*inputs, **params)
        outputs = made if isinstance(made, tuple) else (made,)
        values = tuple(self._as_floats(output) for output in outputs)
        if not self.still or inputs[0].size < self.still:
            return values
        prices = inputs[:3]
        highest = talib.MAX(np.maximum.reduce(prices), self.still)
        lowest = talib.MIN(np.minimum.reduce(prices), self.still)
        moved = ~(highest - lowest <= FLAT_FRAC * highest)
        return tuple(np.where(moved, value, np.nan) for value in values)

    def _as_floats(self, output: npt.NDArray[Any]) -> Floats:
        values = output.astype(np.float64, copy=False)
        if values is not output:
            values[: self.warm_up] = np.nan
        return values


def by_talib(
    function: str, inputs: tuple[str, ...], columns: dict[str, Shape], *, warm_up: int, still: int = 0, **params: float
) -> Indicator:
    """Make the entry of one TA-Lib function; `params` keep TA-Lib's names.

    `columns` are in TA-Lib's order of outputs. Integer outputs (flags) become floats.
    """
    return Indicator(
        name=function.lower(),
        compute=TaLib(function=function, warm_up=warm_up, still=still),
        inputs=inputs,
        params=tuple(params.items()),
        columns=tuple(
            Column(name=name, unit=unit, warm_up=warm_up, low=low, high=high)
            for name, (unit, low, high) in columns.items()
        ),
    )
