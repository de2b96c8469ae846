"""Breakout: with a close beyond the channel of the 20 bars before."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.odds import clipped, prior_p_up
from evil2root.domain.signals.source import Row, columns, longest_warm_up, missing, numbers

_INPUTS = ("close", "donchian_high_20", "donchian_low_20", "bb_upper", "bb_lower", "atr_14")
_VOLUME = "volume_ratio_20"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakout:
    """Up on a close above the highest high of the 20 bars before, down below their lowest low; else abstains.

    Strength: 0.4 for the break itself, up to 0.2 for its size (full at one ATR beyond), up to 0.2 for volume (none
    at the usual, full at twice) and up to 0.2 for opening bands (none when half their width is one ATR, full at two).
    Without volume (currencies) that part is nothing. The numbers are conventions, not fits.
    """

    name: str = "breakout"
    version: str = "1"
    horizon: int = 10
    inputs: tuple[str, ...] = (*_INPUTS, _VOLUME)
    warm_up: int = longest_warm_up(_INPUTS)

    def p_up(self, features: pl.DataFrame) -> pl.Series:
        """Prior probability of a rise over `horizon` bars; null inside the channel, without range, or warming up."""
        close, highest, lowest, upper, lower, atr = columns(features, _INPUTS)
        (volume,) = columns(features, (_VOLUME,))
        range_ = np.where(atr > 0.0, atr, np.nan)
        direction = np.where(close > highest, 1.0, np.where(close < lowest, -1.0, np.nan))
        direction[np.isnan(highest) | np.isnan(lowest)] = np.nan  # half a channel is none
        beyond = np.where(direction > 0.0, close - highest, lowest - close)
        with np.errstate(over="ignore"):
            size = _share(beyond / range_)
            opening = _share((upper - lower) / (2.0 * range_) - 1.0)
        crowd = np.where(np.isnan(volume), 0.0, _share(volume - 1.0))
        return prior_p_up(clipped(direction * (0.4 + 0.2 * size + 0.2 * crowd + 0.2 * opening)), name=self.name)

    def reason(self, row: Row) -> str:
        """The edge that was broken, by how much, on what volume and how wide the bands are."""
        values = numbers(row, _INPUTS)
        if values is None:
            return missing(row, _INPUTS)
        close, highest, lowest, upper, lower, atr = values
        if atr <= 0.0:
            return "Abstains: the price has no range (ATR 0)."
        if lowest <= close <= highest:
            return f"Abstains: close {close:.6g} is inside its 20-bar channel, {lowest:.6g} to {highest:.6g}."
        edge, word = (highest, "above the 20-bar high") if close > highest else (lowest, "below the 20-bar low")
        volume = row.get(_VOLUME)
        crowd = "no volume known" if volume is None else f"volume {volume:.2f} times the usual"
        return (
            f"Close {close:.6g} is {abs(close - edge) / atr:.2f} ATR {word} {edge:.6g}; {crowd}; "
            f"half the Bollinger width is {(upper - lower) / (2.0 * atr):.2f} ATR."
        )


def _share(values: Floats) -> Floats:
    """Values held to [0, 1]; NaN stays."""
    held: Floats = np.clip(values, 0.0, 1.0)
    return held
