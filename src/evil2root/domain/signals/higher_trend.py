"""The trend of the next longer interval, where it confirms this one's."""

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

_INPUTS = ("higher_close", "higher_sma_10", "higher_sma_30", "higher_range_14", "close", "sma_50")


@dataclass(frozen=True, slots=True, kw_only=True)
class HigherTrend:
    """Up when closed bars of the higher interval (weeks for days, days for hours) trend up and this one agrees.

    Votes: the higher close from its mean of 10 bars, and that from the mean of 30, in mean ranges of 14 higher bars, full at 1 and 2.
    Abstains where the votes' sum and the close's side of its SMA 50 disagree: there is nothing to confirm. Only
    higher bars that are over count. The numbers are conventions, not fits.
    """

    name: str = "higher_trend"
    version: str = "3"
    horizon: int = 10
    inputs: tuple[str, ...] = _INPUTS
    warm_up: int = longest_warm_up(_INPUTS)

    def weigh(self, features: pl.DataFrame) -> Weighed:
        """Score over `horizon` bars; NaN where the two intervals disagree, or warming up."""
        higher, fast, slow, atr, close, mean = columns(features, _INPUTS)
        with np.errstate(all="ignore"):
            parts = (0.5 * clipped(ratio(higher - fast, atr)), 0.5 * clipped(ratio(fast - slow, 2.0 * atr)))
            agrees = (parts[0] + parts[1]) * np.sign(close - mean) > 0.0
        return pooled(parts, speaks=agrees)

    def phrases(self, row: Row) -> tuple[str, ...]:
        """The stack of the higher interval."""
        higher, fast, slow = (known(row, name) for name in _INPUTS[:3])
        return (
            f"higher close {higher:.6g} {than(higher, fast)} its mean of 10 {fast:.6g}",
            f"that mean {than(fast, slow)} its mean of 30 {slow:.6g}",
        )

    def silence(self, row: Row) -> str:
        """No value, or intervals that disagree."""
        if numbers(row, _INPUTS) is None:
            return missing(row, _INPUTS)
        higher, fast, _, atr, close, mean = (known(row, name) for name in _INPUTS)
        if atr <= 0.0:
            return "Abstains: the higher interval has no range."
        if max(abs(value) for value in (higher, fast, close, mean)) > 1e200:
            return OUT_OF_RANGE
        return (
            f"Abstains: the higher close {higher:.6g} {than(higher, fast)} its mean of 10 {fast:.6g} does not confirm "
            f"close {close:.6g} {than(close, mean)} SMA 50 {mean:.6g}."
        )
