"""Series with a known pattern in them: turns joined by straight lines, noise, then bars with small wicks."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from tests.domain.market.series import bars_of

LEAD = 15
"""Bars before the first turn that make it one."""
# Each: (bar, level) turns within the shape, on a height of about 1, ending beyond the breakout.
TURNS: dict[str, list[tuple[float, float]]] = {
    "double_top": [(0, -1.5), (30, 1.0), (45, 0.0), (60, 1.0), (80, -0.6)],
    "triple_top": [(0, -1.5), (30, 1.0), (45, 0.0), (60, 1.02), (75, 0.02), (90, 0.99), (110, -0.6)],
    "head_and_shoulders": [(0, -1.5), (30, 0.6), (42, 0.0), (57, 1.1), (72, 0.02), (84, 0.58), (104, -0.6)],
    "ascending_triangle": [(0, -1.0), (20, 1.0), (35, 0.0), (48, 1.0), (60, 0.35), (71, 1.0), (80, 0.65), (95, 1.8)],
    "symmetric_triangle": [(0, -1.0), (20, 1.0), (35, 0.0), (48, 0.85), (60, 0.18), (71, 0.68), (80, 0.33), (98, 1.7)],
    "rising_wedge": [(0, -1.0), (12, 0.6), (24, 0.0), (38, 1.0), (52, 0.62), (66, 1.4), (78, 1.18), (88, 1.71), (112, -0.3)],
    "channel": [(0, -1.0), (20, 1.0), (35, 0.2), (50, 1.5), (65, 0.7), (80, 2.0), (95, 1.2), (125, 4.2)],
    "rectangle": [(0, -1.0), (20, 1.0), (35, 0.0), (50, 1.0), (65, 0.0), (80, 1.0), (95, 0.0), (125, 2.0)],
    "flag": [(0, 0.0), (14, 4.0), (24, 3.2), (32, 3.75), (42, 2.95), (60, 5.5)],
    "pennant": [(0, 0.0), (14, 4.0), (24, 3.0), (32, 3.75), (40, 3.25), (56, 5.5)],
}  # fmt: skip
MIRRORED = {
    "double_top": "double_bottom",
    "triple_top": "triple_bottom",
    "head_and_shoulders": "inverse_head_and_shoulders",
    "ascending_triangle": "descending_triangle",
    "rising_wedge": "falling_wedge",
    "rounding_bottom": "rounding_top",
}
ROUND = ("rounding_bottom", "cup_and_handle")
KINDS = (*TURNS, *MIRRORED.values(), *ROUND)


def drawn(kind: str, *, seed: int, noise: float = 0.02, stretch: float = 1.0, level: float = 100.0) -> pl.DataFrame:
    """Bars with one pattern of `kind`, of a height of a tenth of `level`; noise is a share of the height."""
    numbers = np.random.default_rng(seed)
    origin = {other: one for one, other in MIRRORED.items()}.get(kind, kind)
    path = _path(origin, stretch)
    if origin != kind:
        path = path.max() + path.min() - path
    path = level * (1.0 + 0.1 * (path - path.min())) + 0.1 * level * noise * numbers.normal(0.0, 1.0, path.size)
    opening = np.concatenate((path[:1], path[:-1]))
    wick = 0.1 * level * noise * np.abs(numbers.normal(0.0, 0.5, (2, path.size)))
    return bars_of(
        opening=opening,
        high=np.maximum(opening, path) + wick[0],
        low=np.minimum(opening, path) - wick[1],
        close=path,
        volume=np.full(path.size, 1e6),
    )


def walked(turns: Sequence[tuple[float, float]]) -> pl.DataFrame:
    """Bars without wicks that close on the straight lines from each (bar, price) to the next."""
    at = np.arange(int(turns[0][0]), int(turns[-1][0]) + 1)
    close = np.interp(at, [bar for bar, _ in turns], [price for _, price in turns])
    opening = np.concatenate((close[:1], close[:-1]))
    return bars_of(
        opening=opening, high=np.maximum(opening, close), low=np.minimum(opening, close), close=close,
        volume=np.full(close.size, 1e6),
    )  # fmt: skip


def _path(kind: str, stretch: float) -> np.ndarray:
    if kind in ROUND:
        size = int(80 * stretch)
        bowl = np.linspace(-1.0, 1.0, size) ** 2
        rise = np.linspace(-0.5, 1.0, int(20 * stretch))
        if kind == "rounding_bottom":
            return np.concatenate((rise, bowl, np.linspace(1.0, 1.6, int(15 * stretch))))
        handle = np.concatenate((np.linspace(1.0, 0.7, int(12 * stretch)), np.linspace(0.7, 1.7, int(18 * stretch))))
        return np.concatenate((rise, bowl, handle))
    first, second = TURNS[kind][0][1], TURNS[kind][1][1]
    turns = [(-LEAD, first + 0.4 * (second - first)), *TURNS[kind]]
    at = np.arange(int(-LEAD * stretch), int(turns[-1][0] * stretch) + 1)
    return np.interp(at, [bar * stretch for bar, _ in turns], [price for _, price in turns])
