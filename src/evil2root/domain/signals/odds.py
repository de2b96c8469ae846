"""Probabilities and log-odds, and the prior by which a score becomes a probability."""

from math import exp, log, log1p

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import Floats

PRIOR_P_MAX = 0.70
"""What a rule at full strength is believed, before anyone has measured it. The weakest is 1 less this."""

PRIOR_SLOPE = log(PRIOR_P_MAX / (1.0 - PRIOR_P_MAX))
"""Log-odds of a score of 1: 7 to 3."""


def logit(p: float) -> float:
    """Log-odds of a probability inside (0, 1); 0 at one half."""
    return log(p) - log1p(-p)


def logistic(log_odds: float) -> float:
    """Probability of log-odds; neither tail overflows."""
    if log_odds >= 0.0:
        return 1.0 / (1.0 + exp(-log_odds))
    odds = exp(log_odds)
    return odds / (1.0 + odds)


def prior_p_up(scores: Floats, *, name: str) -> pl.Series:
    """Probabilities from a rule's scores in [-1, 1], by a stated prior: `logistic(PRIOR_SLOPE * score)`.

    This is a belief, not a measurement: no score here has been held against what prices did afterwards. Hence the
    modest range, [0.30, 0.70], which calibration on outcomes is to replace. A score that is NaN abstains: null.

    Numbers go through `math` one by one: numpy's vector `exp` may round by a number's place in the array.
    """
    p_up = [logistic(PRIOR_SLOPE * score) if score == score else None for score in scores.tolist()]  # noqa: PLR0124 - NaN
    return pl.Series(name, p_up, dtype=pl.Float64)


def clipped(values: Floats) -> Floats:
    """Values held to [-1, 1]; NaN stays."""
    return np.clip(values, -1.0, 1.0)
