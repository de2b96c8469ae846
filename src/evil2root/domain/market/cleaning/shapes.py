"""Ratios between two prices that have a name: units and splits."""

import numpy as np

from evil2root.domain.market.sessions import DAY

UNITS = (100.0, 1_000.0, 10_000.0, 1_000_000.0)
UNIT_NEAR = 0.15
"""Logarithm within which a ratio counts as a unit's: the market moves meanwhile."""
SPLITS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 1.5)
SPLIT_NEAR = 0.06
DIVIDENDS = float(np.log(1 / 0.85))
"""Log of a factor that dividends may explain at once, and as much again with every year; more takes a split."""
YEAR = 365 * DAY


def named_ratio(move: float) -> tuple[str | None, str]:
    """Tell whether a log ratio is a unit's or a split's, with words; none when it is neither."""
    size, words = abs(move), "{:g} times those" if move > 0 else "1/{:g}"
    for name, ratios, near in (("unit", UNITS, UNIT_NEAR), ("split", SPLITS, SPLIT_NEAR)):
        ratio = min(ratios, key=lambda one: abs(float(np.log(one)) - size))
        if abs(float(np.log(ratio)) - size) < near:
            return name, words.format(ratio).replace(" those", "")
    return None, ""
