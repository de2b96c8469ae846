"""Where names may stand on a drawn chart: beside what they name, off the candles and off one another."""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

import numpy as np
import polars as pl

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in pixels from the picture's lower left corner."""

Path = Sequence[tuple[float, float]]
"""Points from left to right: rows and prices, or pixels."""

GAP = 5.0
"""Pixels between a name and a candle or another name."""


class Board:
    """The pane of the prices, in pixels. Its limits must be set for good: places are not computed anew."""

    def __init__(self, axes: Any, bars: pl.DataFrame, *, floor_frac: float) -> None:
        pane = axes.get_window_extent()
        self._axes = axes
        self._left, self._right, self._ceiling = pane.x0 + GAP, pane.x1 - GAP, pane.y1 - GAP
        self._floor = pane.y0 + floor_frac * pane.height + GAP
        rows = np.arange(bars.height)
        highs = axes.transData.transform(np.column_stack((rows, bars["high"].to_numpy())))
        lows = axes.transData.transform(np.column_stack((rows, bars["low"].to_numpy())))
        self._at, self._highs, self._lows = highs[:, 0], highs[:, 1], lows[:, 1]
        self._taken: list[Box] = []

    def pixels(self, path: Path) -> Path:
        """Where prices at rows lie."""
        return [(float(x), float(y)) for x, y in self._axes.transData.transform(path)]

    def name(self, text: Any, *, middle: float, paths: Sequence[Path], within: float = inf) -> None:
        """Move a text (centred, on its base line) above or below what is drawn around `middle`, whichever is nearer.

        It keeps off candles where it can, and off other names always: where no place within so many pixels is free,
        it is left out, rather than to stand where it would seem to name something else.
        """
        size = text.get_window_extent()
        half = size.width / 2.0
        x = min(max(middle, self._left + half), max(self._right - half, self._left + half))
        left, right = x - half, x + half
        for roof, base in (
            self._around(left, right, paths, is_clear=True),
            self._around(left, right, paths, is_clear=False),
        ):
            places = [(away, y) for away, y in self._beside(left, right, size.height, roof, base) if away <= within]
            if places:
                y = min(places)[1]
                text.set_position((x, y))
                self.take((left, y, right, y + size.height))
                return
        text.remove()

    def beyond(self, middle: float, edge: float, *, width: float, height: float, is_below: bool) -> float:
        """Take the first free place under or over an edge, and return its bottom."""
        left, right = middle - width / 2.0, middle + width / 2.0
        start = edge - GAP - height if is_below else edge + GAP
        y = next(self._sink(left, right, height, start) if is_below else self._climb(left, right, height, start))
        self.take((left, y, right, y + height))
        return y

    def take(self, box: Box) -> None:
        """Keep names off a box."""
        self._taken.append(box)

    def _around(
        self, left: float, right: float, paths: Sequence[Path], *, is_clear: bool
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Top of the paths between two edges and of what is to be kept clear there; the same of the bottoms."""
        mine = [y for path in paths for x, y in path if left <= x <= right]
        for path in paths:
            mine += np.interp((left, right), [x for x, _ in path], [y for _, y in path]).tolist()
        under = (self._at > left - GAP) & (self._at < right + GAP) & is_clear
        return (max(mine), max([*mine, *self._highs[under]])), (min(mine), min([*mine, *self._lows[under]]))

    def _beside(
        self, left: float, right: float, height: float, roof: tuple[float, float], base: tuple[float, float]
    ) -> Iterator[tuple[float, float]]:
        """How far away and where: the first free place above, and the first one below."""
        above = next(self._climb(left, right, height, roof[1] + GAP))
        below = next(self._sink(left, right, height, base[1] - GAP - height))
        if above + height <= self._ceiling:
            yield above - roof[0], above
        if below >= self._floor:
            yield base[0] - below - height, below

    def _climb(self, left: float, right: float, height: float, y: float) -> Iterator[float]:
        """Free bottoms from `y` upwards; the first always comes."""
        while True:
            met = [box[3] for box in self._taken if _meet(box, (left, y, right, y + height))]
            if not met:
                yield y
            y = max(met, default=y + height) + 1.0

    def _sink(self, left: float, right: float, height: float, y: float) -> Iterator[float]:
        while True:
            met = [box[1] for box in self._taken if _meet(box, (left, y, right, y + height))]
            if not met:
                yield y
            y = min(met, default=y) - height - 1.0


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
