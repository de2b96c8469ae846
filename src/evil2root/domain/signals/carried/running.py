"""The inputs of the sources, one new bar at a time."""

from collections.abc import Sequence
from math import frexp, inf, isfinite, ldexp, nan

import numpy as np
import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.features import EXPONENT_MAX, NEAR
from evil2root.domain.market.indicators import Indicator, Unit
from evil2root.domain.signals.carried.steps import TAIL_BARS, Past, Step, opened
from evil2root.domain.signals.higher import HIGHER_INDICATORS, begins, higher_bar, higher_bars, joined

_NUMBERS = ("open", "high", "low", "close", "volume")


_Edges = tuple[bool, bool, float, float]
"""Is it a price, is it tame, and its lowest and highest."""

_PRICES: tuple[_Edges, ...] = ((True, True, -inf, inf),)
"""Every value is a price that needs no look: most indicators."""


class Running:
    """A table of indicators after its last bar, as `features` makes it: `take` gives the row of the next one."""

    def __init__(self, bars: pl.DataFrame, indicators: Sequence[Indicator]) -> None:
        """Open on the bars before: at least as many as the longest warm-up needs.

        Raises `ValueError` on fewer, and where `features` has anything to strike out.
        """
        self._exponent = max(-EXPONENT_MAX, min(EXPONENT_MAX, frexp(bars["close"][0])[1]))
        down = ldexp(1.0, -self._exponent)
        past: Past = {
            name: np.ascontiguousarray(bars[name].to_numpy() * (1.0 if name == "volume" else down)) for name in _NUMBERS
        }
        if not (past["high"].max() < NEAR and past["low"].min() > 1.0 / NEAR):
            msg = "Prices lie too far apart to be carried forward."
            raise ValueError(msg)
        self._tail = {name: values[-TAIL_BARS:].tolist() for name, values in past.items()}
        self._up = ldexp(1.0, self._exponent)
        self._steps: list[tuple[Step, tuple[_Edges, ...]]] = [(opened(one, past), _edges(one)) for one in indicators]

    def take(self, numbers: Sequence[float]) -> list[float]:
        """Values of the next bar (open, high, low, close, volume), one a column of the indicators; NaN for none.

        Raises `ValueError` for a bar that can't be carried on from. Nothing may be asked of this object afterwards.
        """
        down, up = ldexp(1.0, -self._exponent), self._up
        for name, number in zip(_NUMBERS, numbers, strict=True):
            values = self._tail[name]
            values.append(number if name == "volume" else number * down)
            del values[:-TAIL_BARS]
        if not (self._tail["high"][-1] < NEAR and self._tail["low"][-1] > 1.0 / NEAR):
            msg = "The bar lies too far from the first one to be carried on from."
            raise ValueError(msg)
        row: list[float] = []
        for step, edges in self._steps:
            made = step(self._tail)
            if not edges:
                row.extend(made)
                continue
            if edges is _PRICES:
                row.extend([value * up for value in made])
                continue
            for value, (is_price, is_tame, low, high) in zip(made, edges, strict=True):
                held = value * up if is_price else float(value)
                if high < inf and held == held:  # noqa: PLR0124 - NaN
                    held = max(min(held, high), low)
                row.append(held if is_tame or (isfinite(held) and held >= low) else nan)
        return row


def _edges(indicator: Indicator) -> tuple[_Edges, ...]:
    """What is done to each value: scaled, held to an edge, struck out; empty when nothing is."""
    columns = indicator.columns
    if indicator.is_tame and all(column.high == inf for column in columns):
        prices = {column.unit is Unit.PRICE for column in columns}
        if len(prices) == 1:
            return _PRICES if prices.pop() else ()
    return tuple((c.unit is Unit.PRICE, indicator.is_tame, c.low, c.high) for c in columns)


class RunningHigher:
    """The newest higher bar that is over, as `higher` sees it: `take` gives its four numbers on the next bar."""

    def __init__(self, bars: pl.DataFrame, *, interval: Interval, session: Session) -> None:
        """Open on the bars before. Raises as `Running`."""
        self._interval, self._session = interval, session
        numbers = higher_bars(bars["opened_at"].to_physical().to_numpy(), interval=interval, session=session)
        table = joined(bars, begins(numbers))
        over, last = table.head(table.height - 1), table.row(table.height - 1, named=True)
        if over.height < 2:
            msg = "No two higher bars are over yet."
            raise ValueError(msg)
        self._running = Running(over.head(over.height - 1), HIGHER_INDICATORS)
        self._values: list[float] = []
        self._end([over[name][-1] for name in _NUMBERS])
        self._number = int(numbers[-1])
        self._forming = [float(last[name]) for name in _NUMBERS]
        self._first_exponent = frexp(table["close"][0])[1]

    def take(self, numbers: Sequence[float], *, opened_at: int) -> list[float]:
        """Close, SMA 10 and 30 and mean range of 14, given a bar's five numbers and its opening in microseconds."""
        number = higher_bar(opened_at, interval=self._interval, session=self._session)
        if number != self._number:
            self._end(self._forming)
            self._number, self._forming = number, list(numbers)
        else:
            _, high, low, _, volume = self._forming
            self._forming[1:] = [
                max(high, numbers[1]), min(low, numbers[2]), numbers[3], volume + numbers[4],
            ]  # fmt: skip
        down = ldexp(1.0, -self._first_exponent)
        if not (self._forming[1] * down < NEAR and self._forming[2] * down > 1.0 / NEAR):
            msg = "The bar lies too far from the first one to be carried on from."
            raise ValueError(msg)
        return self._values

    def _end(self, numbers: Sequence[float]) -> None:
        self._values = [numbers[3], *self._running.take(numbers)]


def numbers_of(bar: Bar) -> tuple[float, float, float, float, float]:
    """Open, high, low, close and volume."""
    return bar.open, bar.high, bar.low, bar.close, bar.volume
