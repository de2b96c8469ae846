"""Probabilities and log-odds, and the prior by which a score becomes a probability."""

from math import exp, log, log1p

PRIOR_P_MAX = 0.70
"""What a rule at full strength is believed, before anyone has measured it. The weakest is 1 less this."""

PRIOR_SLOPE = log(PRIOR_P_MAX / (1.0 - PRIOR_P_MAX))
"""Log-odds of a score of 1: 7 to 3. A belief, not a measurement, hence modest; calibration takes its place."""


def logit(p: float) -> float:
    """Log-odds of a probability inside (0, 1); 0 at one half."""
    return log(p) - log1p(-p)


def logistic(log_odds: float) -> float:
    """Probability of log-odds; neither tail overflows."""
    if log_odds >= 0.0:
        return 1.0 / (1.0 + exp(-log_odds))
    odds = exp(log_odds)
    return odds / (1.0 + odds)
