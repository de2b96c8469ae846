"""Volume: with the side that trades more."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evil2root.domain.signals.source import (
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
)

FLOW_MIN = 0.2
"""Least size of the score: below it buyers and sellers are about even."""

_INPUTS = ("close", "obv_pressure_20", "mfi_14", "cmf_20", "vwma_20", "atr_14")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFlow:
    """Up when volume comes on rising bars: On-Balance Volume, money flow, accumulation, and the way above VWAP.

    OBV votes by its change over 20 bars as a share of their volume, full at a half; MFI in full at 20 and 80;
    Chaikin's money flow (accumulation less distribution of 20 bars over their volume) at a quarter; the close at one
    ATR from the 20-bar VWAP. The score is their mean; below `FLOW_MIN`, and without volume, it abstains. The numbers
    are conventions, not fits.
    """

    name: str = "volume_flow"
    version: str = "1"
    horizon: int = 5
    inputs: tuple[str, ...] = _INPUTS
    warm_up: int = longest_warm_up(_INPUTS)

    def weigh(self, features: pl.DataFrame) -> Weighed:
        """Score over `horizon` bars; NaN while the sides are even, without volume, or warming up."""
        close, pressure, flow, chaikin, vwap, atr = columns(features, _INPUTS)
        with np.errstate(all="ignore"):
            parts = (
                0.25 * clipped(2.0 * pressure),
                0.25 * clipped((flow - 50.0) / 30.0),
                0.25 * clipped(4.0 * chaikin),
                0.25 * clipped(ratio(close - vwap, atr)),
            )
        weighed = pooled(parts)
        return Weighed(scores=np.where(np.abs(weighed.scores) >= FLOW_MIN, weighed.scores, np.nan), parts=weighed.parts)

    def phrases(self, row: Row) -> tuple[str, ...]:
        """OBV, MFI with its word, accumulation, and the way from VWAP."""
        close, pressure, flow, chaikin, vwap, atr = (known(row, name) for name in _INPUTS)
        return (
            f"OBV moved by {pressure:+.0%} of 20 bars' volume",
            f"money flow index {flow:.3g}",
            f"{'accumulation' if chaikin >= 0.0 else 'distribution'} {chaikin:+.2f}",
            f"close {abs(close - vwap) / atr:.2f} ATR {'above' if close > vwap else 'below'} VWAP",
        )

    def silence(self, row: Row) -> str:
        """No value, no volume, or sides that are even."""
        if numbers(row, _INPUTS) is None:
            return missing(row, _INPUTS)
        if known(row, "atr_14") <= 0.0:
            return "Abstains: the price has no range (ATR 0)."
        return (
            f"Abstains: money flow index {known(row, 'mfi_14'):.3g} and accumulation {known(row, 'cmf_20'):+.2f}, "
            "the sides are about even."
        )
