"""Trend following: with the moving averages, while there is a trend to follow."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evil2root.domain.signals.odds import clipped, prior_p_up
from evil2root.domain.signals.source import Row, columns, longest_warm_up, missing, numbers

ADX_MIN = 20.0
"""Below it there is no trend (Wilder speaks of 20 to 25); mean reversion speaks there instead."""

ADX_STRONG = 40.0
"""From here on a trend counts in full; at `ADX_MIN` it counts half."""

_INPUTS = ("close", "sma_20", "sma_50", "sma_200", "macd_hist", "adx_14", "atr_14")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendFollowing:
    """Up when close, SMA 20, 50 and 200 are stacked upwards and MACD gains; abstains while ADX is below 20.

    Each step of the stack is a vote in [-1, 1]: its distance in ATRs, full at 1 (2 for SMA 50 to 200). The MACD
    histogram votes in full at a quarter ATR. Score = strength x (3/4 mean of the steps + 1/4 MACD), where strength
    goes from 1/2 at ADX 20 to 1 at ADX 40. The numbers are conventions, not fits.
    """

    name: str = "trend_following"
    version: str = "1"
    horizon: int = 10
    inputs: tuple[str, ...] = _INPUTS
    warm_up: int = longest_warm_up(_INPUTS)

    def p_up(self, features: pl.DataFrame) -> pl.Series:
        """Prior probability of a rise over `horizon` bars; null below ADX 20, without range, or warming up."""
        close, fast, middle, slow, histogram, adx, atr = columns(features, _INPUTS)
        range_ = np.where(atr > 0.0, atr, np.nan)
        with np.errstate(over="ignore"):
            steps = (
                clipped((close - fast) / range_)
                + clipped((fast - middle) / range_)
                + clipped((middle - slow) / (2.0 * range_))
            ) / 3.0
            momentum = clipped(histogram / (0.25 * range_))
        trend = np.where(adx >= ADX_MIN, adx, np.nan)
        strength = 0.5 + 0.5 * np.minimum(1.0, (trend - ADX_MIN) / (ADX_STRONG - ADX_MIN))
        return prior_p_up(clipped(strength * (0.75 * steps + 0.25 * momentum)), name=self.name)

    def reason(self, row: Row) -> str:
        """The stack in the order of price, the MACD histogram and ADX."""
        values = numbers(row, _INPUTS)
        if values is None:
            return missing(row, _INPUTS)
        close, fast, middle, slow, histogram, adx, atr = values
        if atr <= 0.0:
            return "Abstains: the price has no range (ATR 0)."
        if adx < ADX_MIN:
            return f"Abstains: ADX {adx:.3g} is below {ADX_MIN:.0f}, there is no trend."
        return (
            f"Close {close:.6g} {_than(close, fast)} SMA 20 {fast:.6g}, {_than(fast, middle)} SMA 50 {middle:.6g}, "
            f"{_than(middle, slow)} SMA 200 {slow:.6g}; MACD histogram {histogram:+.3g}; ADX {adx:.3g}, a trend."
        )


def _than(value: float, other: float) -> str:
    if value == other:
        return "at"
    return "above" if value > other else "below"
