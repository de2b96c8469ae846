"""How much more than usual was traded in a bar."""

import numpy as np

from evil2root.domain.market.cleaning.table import Floats

VOLUME_BARS = 20
"""Bars before that say what is usual."""
VOLUME_FEW = 5
"""With fewer nothing is."""
VOLUME_ABSURD = 100.0
"""Times the usual volume beyond which it may be a wrong number itself, and confirms nothing alone."""


def times_usual(volume: Floats, at: int, *, is_backed: bool = False) -> float:
    """Volume of bar `at` over the median of those before it; 0 where it can confirm nothing.

    `is_backed`: something beside the bar itself speaks for it, so that an absurd volume counts.
    """
    usual = _usual(volume, at)
    times = float(volume[at]) / usual if usual > 0 else 0.0
    return times if is_backed or times <= VOLUME_ABSURD else 0.0


def times_after(volume: Floats, at: int, until: int) -> float:
    """Median volume of the bars after `at` and before `until` over that of the bars before it; infinite without them."""
    usual, after = _usual(volume, at), volume[at + 1 : until]
    return float(np.median(after)) / usual if usual > 0 and len(after) else float("inf")


def _usual(volume: Floats, at: int) -> float:
    before = volume[max(0, at - VOLUME_BARS) : at]
    return float(np.median(before)) if len(before) >= VOLUME_FEW else 0.0
