"""What the worst bars cost: value at risk and expected shortfall by history."""

import numpy as np

from evil2root.domain.risk.recent import Floats

TAIL = 0.05
"""Share of bars that are called the worst ones: 95 % are better."""


def tail(profits: Floats) -> tuple[float, float]:
    """Return the loss that 95 % of bars stay below, and the mean loss of the others.

    Parameters
    ----------
    profits
        Shape (T,), T at least 1: what each bar would have earned, in money.

    Returns
    -------
    tuple[float, float]
        Value at risk and expected shortfall, in money, never negative, the second never below the first.

    Notes
    -----
    The worst bars are the T x 0.05 lowest, rounded down, at least one; the mildest of them is the value at risk, which
    errs to the worse side. 60 bars leave three of them: a rough measure, not a promise.
    """
    worst = np.sort(profits)[: max(1, int(len(profits) * TAIL))]
    return max(0.0, -float(worst[-1])), max(0.0, -float(worst.mean()))
