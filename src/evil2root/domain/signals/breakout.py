"""Breakout: with a close beyond the channel of the 20 bars before."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evil2root.domain.signals.source import (
    OUT_OF_RANGE,
    Row,
    Weighed,
    columns,
    known,
    longest_warm_up,
    missing,
    numbers,
    pooled,
    ratio,
    share,
)

_INPUTS = ("close", "donchian_high_20", "donchian_low_20", "bb_upper", "bb_lower", "atr_14", "squeeze_10")
_VOLUME = "volume_ratio_20"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakout:
    """Up on a close above the highest high of the 20 bars before, down below their lowest low; else abstains.

    Strength: 0.4 for the break itself, up to 0.2 for its size (full at one ATR beyond), up to 0.2 for volume (none
    at the usual, full at twice), up to 0.1 for opening bands (none when half their width is one ATR, full at two)
    and up to 0.1 for a squeeze it comes out of (all of the 10 bars before had their Bollinger bands inside their
    Keltner channel). Without volume (currencies) that part is nothing. The numbers are conventions, not fits.
    """

    name: str = "breakout"
    version: str = "2"
    horizon: int = 10
    inputs: tuple[str, ...] = (*_INPUTS, _VOLUME)
    warm_up: int = longest_warm_up(_INPUTS)

    def weigh(self, features: pl.DataFrame) -> Weighed:
        """Score over `horizon` bars; NaN inside the channel, without range, or warming up."""
        close, highest, lowest, upper, lower, atr, squeeze = columns(features, _INPUTS)
        (volume,) = columns(features, (_VOLUME,))
        direction = np.where(close > highest, 1.0, np.where(close < lowest, -1.0, np.nan))
        direction[np.isnan(highest) | np.isnan(lowest)] = np.nan  # half a channel is none
        with np.errstate(all="ignore"):
            beyond = np.where(direction > 0.0, close - highest, lowest - close)
            size, opening = share(ratio(beyond, atr)), share(ratio(upper - lower, 2.0 * atr) - 1.0)
        parts = (0.4 * direction + 0.2 * direction * size, 0.1 * direction * opening, 0.1 * direction * squeeze)
        return pooled(parts, optional=(0.2 * direction * share(volume - 1.0),))

    def phrases(self, row: Row) -> tuple[str, ...]:
        """The edge that was broken and by how much, how wide the bands are, the squeeze, the volume."""
        close, highest, lowest, upper, lower, atr, squeeze = (known(row, name) for name in _INPUTS)
        edge, word = (highest, "above the 20-bar high") if close > highest else (lowest, "below the 20-bar low")
        return (
            f"close {close:.6g} is {abs(close - edge) / atr:.2f} ATR {word} {edge:.6g}",
            f"half the Bollinger width is {(upper - lower) / (2.0 * atr):.2f} ATR",
            f"{squeeze:.0%} of the 10 bars before were squeezed",
            f"volume {known(row, _VOLUME):.2f} times the usual",
        )

    def silence(self, row: Row) -> str:
        """No value, no range, or a close inside the channel and how far it is from the nearer edge."""
        values = numbers(row, _INPUTS)
        if values is None:
            return missing(row, _INPUTS)
        close, highest, lowest, _, _, atr, _ = values
        if atr <= 0.0:
            return "Abstains: the price has no range (ATR 0)."
        if lowest <= close <= highest:
            near = min(highest - close, close - lowest) / atr
            return (
                f"Abstains: close {close:.6g} is inside its 20-bar channel, {lowest:.6g} to {highest:.6g}, "
                f"{near:.2f} ATR from the nearer edge."
            )
        return OUT_OF_RANGE
