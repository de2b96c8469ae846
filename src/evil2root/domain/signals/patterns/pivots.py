"""Turning points that are confirmed: no pivot counts before enough later bars have stayed on its near side."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from evil2root.domain.market.indicators import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Pivot:
    """A high or low that no bar within `reach` bars on either side goes beyond."""

    row: int
    price: float
    is_high: bool
    known: int
    """Row of the bar whose close confirms it: `row + reach`."""


def pivots(high: Floats, low: Floats, *, reach: int) -> tuple[Pivot, ...]:
    """Every confirmed pivot, in the order in which they become known (a high before a low of the same bar).

    Of equal extremes within `reach` bars the first counts. Cost: two window passes, O(bars x reach), no Python loop
    but over the pivots found.
    """
    span = 2 * reach + 1
    if high.size < span:
        return ()
    found = []
    for values, is_high in ((high, True), (-low, False)):
        windows = sliding_window_view(values, span)
        rows = np.flatnonzero(windows.argmax(axis=1) == reach) + reach
        found += [
            Pivot(row=int(row), price=float(abs(values[row])), is_high=is_high, known=int(row) + reach) for row in rows
        ]
    return tuple(sorted(found, key=lambda pivot: (pivot.row, not pivot.is_high)))


class Zigzag:
    """The pivots known so far as a line of alternating highs and lows."""

    def __init__(self) -> None:
        self.turns: list[Pivot] = []

    def add(self, pivot: Pivot) -> bool:
        """Take the next pivot; False when a more extreme one of its kind stands already."""
        if self.turns and self.turns[-1].is_high == pivot.is_high:
            last = self.turns[-1]
            further = pivot.price > last.price if pivot.is_high else pivot.price < last.price
            if not further:
                return False
            self.turns[-1] = pivot
            return True
        self.turns.append(pivot)
        return True
