"""How much more than usual was traded in a bar."""

import numpy as np

from evil2root.domain.market.cleaning.table import Floats

VOLUME_BARS = 20
"""Bars before that say what is usual."""
VOLUME_FEW = 5
"""With fewer nothing is."""
VOLUME_ABSURD = 100.0
"""Times the usual volume beyond which it is a wrong number itself, and confirms nothing."""


def times_usual(volume: Floats, at: int) -> float:
    """Volume of bar `at` over the median of those before it; 0 where it can confirm nothing."""
    usual = volume[max(0, at - VOLUME_BARS) : at]
    middle = float(np.median(usual)) if len(usual) >= VOLUME_FEW else 0.0
    times = float(volume[at]) / middle if middle > 0 else 0.0
    return times if times <= VOLUME_ABSURD else 0.0
