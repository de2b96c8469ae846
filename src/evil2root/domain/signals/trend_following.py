"""Trend following: with the moving averages, MACD, SuperTrend and the channel, while there is a trend to follow."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evil2root.domain.signals.source import (
    OUT_OF_RANGE,
    Row,
    Weighed,
    clipped,
    columns,
    known,
    longest_warm_up,
    missing,
    numbers,
    pooled,
    ratio,
    than,
)

ADX_MIN = 20.0
"""Below it there is no trend (Wilder speaks of 20 to 25); mean reversion speaks there instead."""

ADX_STRONG = 40.0
"""From here on a trend counts in full; at `ADX_MIN` it counts half."""

_INPUTS = (
    "close", "sma_20", "sma_50", "sma_200", "macd_hist", "adx_14", "atr_14", "supertrend_side_10",
    "donchian_high_20", "donchian_low_20",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendFollowing:
    """Up when close, SMA 20, 50 and 200 are stacked upwards and MACD, SuperTrend and the channel agree.

    Abstains while ADX is below 20. Each step of the stack is a vote in [-1, 1]: its distance in ATRs, full at 1 (2
    for SMA 50 to 200). The MACD histogram votes in full at a quarter ATR, SuperTrend by its side, the Donchian
    channel by the close's place in it. Score = strength x (1/2 mean of the steps + 1/6 each of the others), where
    strength goes from 1/2 at ADX 20 to 1 at ADX 40. The numbers are conventions, not fits.
    """

    name: str = "trend_following"
    version: str = "2"
    horizon: int = 10
    inputs: tuple[str, ...] = _INPUTS
    warm_up: int = longest_warm_up(_INPUTS)

    def weigh(self, features: pl.DataFrame) -> Weighed:
        """Score over `horizon` bars; NaN below ADX 20, without range, or warming up."""
        close, fast, middle, slow, histogram, adx, atr, side, highest, lowest = columns(features, _INPUTS)
        with np.errstate(all="ignore"):
            steps = (
                clipped(ratio(close - fast, atr))
                + clipped(ratio(fast - middle, atr))
                + clipped(ratio(middle - slow, 2.0 * atr))
            ) / 3.0
            momentum = clipped(ratio(histogram, 0.25 * atr))
            place = clipped(ratio(2.0 * close - highest - lowest, highest - lowest))
            strength = 0.5 + 0.5 * np.minimum(1.0, (adx - ADX_MIN) / (ADX_STRONG - ADX_MIN))
            parts = (
                0.5 * strength * steps,
                strength * momentum / 6.0,
                strength * clipped(side) / 6.0,
                strength * place / 6.0,
            )
        return pooled(parts, speaks=adx >= ADX_MIN)

    def phrases(self, row: Row) -> tuple[str, ...]:
        """The stack in the order of price, MACD, SuperTrend and the channel."""
        close, fast, middle, slow = (known(row, name) for name in _INPUTS[:4])
        return (
            (
                f"close {close:.6g} {than(close, fast)} SMA 20 {fast:.6g}, {than(fast, middle)} SMA 50 {middle:.6g}, "
                f"{than(middle, slow)} SMA 200 {slow:.6g} at ADX {known(row, 'adx_14'):.3g}, a trend"
            ),
            f"MACD histogram {known(row, 'macd_hist'):+.3g}",
            f"SuperTrend {'up' if known(row, 'supertrend_side_10') > 0.0 else 'down'}",
            f"20-bar channel {known(row, 'donchian_low_20'):.6g} to {known(row, 'donchian_high_20'):.6g}",
        )

    def silence(self, row: Row) -> str:
        """No value, no range, or no trend and how far ADX is from one."""
        if numbers(row, _INPUTS) is None:
            return missing(row, _INPUTS)
        if known(row, "atr_14") <= 0.0:
            return "Abstains: the price has no range (ATR 0)."
        adx = known(row, "adx_14")
        if adx < ADX_MIN:
            return f"Abstains: ADX {adx:.3g} is {ADX_MIN - adx:.3g} short of {ADX_MIN:.0f}, there is no trend."
        return OUT_OF_RANGE
