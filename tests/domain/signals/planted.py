"""Markets whose character is known, because it was planted."""

import numpy as np
import polars as pl

from tests.domain.market.series import bars_of

SPREAD = 0.01
"""Deviation of a bar's return that has no cause."""
BAR_DRIFT = 0.003
"""Drift of a bar while a planted trend lasts, up or down."""
TREND_BARS = (80, 200)
"""How long a planted trend lasts."""
PULL = 0.10
"""Share of its distance from the middle that a reverting price comes back on a bar."""


def a_trending_market(rows: int, *, seed: int) -> pl.DataFrame:
    """Trends up and down by turns, each some months of bars long; as many of the one as of the other."""
    numbers = np.random.default_rng(seed)
    drift = np.empty(0)
    way = 1.0
    while drift.size < rows:
        drift = np.append(drift, np.full(numbers.integers(*TREND_BARS), way * BAR_DRIFT))
        way = -way
    return _bars(np.cumsum(drift[:rows] + numbers.normal(0.0, SPREAD, rows)), numbers)


def a_reverting_market(rows: int, *, seed: int) -> pl.DataFrame:
    """A price that is drawn back to its middle (Ornstein and Uhlenbeck), half the way in some 7 bars."""
    numbers = np.random.default_rng(seed)
    shocks = numbers.normal(0.0, SPREAD, rows)
    log = np.zeros(rows)
    for row in range(1, rows):
        log[row] = (1.0 - PULL) * log[row - 1] + shocks[row]
    return _bars(log, numbers)


def a_random_walk(rows: int, *, seed: int) -> pl.DataFrame:
    """No memory at all."""
    numbers = np.random.default_rng(seed)
    return _bars(np.cumsum(numbers.normal(0.0, SPREAD, rows)), numbers)


def _bars(log: np.ndarray, numbers: np.random.Generator) -> pl.DataFrame:
    close = 100.0 * np.exp(log)
    opening = np.concatenate((close[:1], close[:-1]))
    wick = SPREAD * numbers.uniform(0.0, 0.6, (2, log.size))
    return bars_of(
        opening=opening, high=np.maximum(opening, close) * (1.0 + wick[0]),
        low=np.minimum(opening, close) * (1.0 - wick[1]), close=close,
        volume=numbers.uniform(5e5, 1.5e6, log.size),
    )  # fmt: skip
