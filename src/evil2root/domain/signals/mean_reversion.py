"""Mean reversion: against a stretched price, while there is no trend."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evil2root.domain.signals.odds import clipped, prior_p_up
from evil2root.domain.signals.source import Row, columns, longest_warm_up, missing, numbers

ADX_MAX = 20.0
"""From here on there is a trend, and a stretched price is its sign rather than an excess."""

RSI_OVERBOUGHT = 70.0
RSI_OVERSOLD = 30.0

_INPUTS = ("rsi_14", "bb_pct", "adx_14")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanReversion:
    """Up when RSI is low and the close sits low in its Bollinger bands; abstains from ADX 20 on.

    RSI votes in full at 30 and 70, the bands at their edges; the score is the mean of both votes. The numbers are
    conventions, not fits.
    """

    name: str = "mean_reversion"
    version: str = "1"
    horizon: int = 5
    inputs: tuple[str, ...] = _INPUTS
    warm_up: int = longest_warm_up(_INPUTS)

    def p_up(self, features: pl.DataFrame) -> pl.Series:
        """Prior probability of a rise over `horizon` bars; null from ADX 20 on, in a flat market, or warming up."""
        rsi, place, adx = columns(features, _INPUTS)
        score = 0.5 * clipped((50.0 - rsi) / (50.0 - RSI_OVERSOLD)) + 0.5 * clipped((0.5 - place) / 0.5)
        return prior_p_up(np.where(adx < ADX_MAX, score, np.nan), name=self.name)

    def reason(self, row: Row) -> str:
        """RSI with its name, the place in the bands and ADX."""
        values = numbers(row, _INPUTS)
        if values is None:
            return missing(row, _INPUTS)
        rsi, place, adx = values
        if adx >= ADX_MAX:
            return f"Abstains: ADX {adx:.3g} is not below {ADX_MAX:.0f}, there is a trend."
        return f"RSI {rsi:.3g} is {rsi_zone(rsi)}; close at {place:.2f} of its Bollinger bands (0 lower, 1 upper); ADX {adx:.3g}, no trend."


def rsi_zone(rsi: float) -> str:
    """The trade's word for an RSI: overbought above 70, oversold below 30, else neutral."""
    if rsi > RSI_OVERBOUGHT:
        return "overbought"
    return "oversold" if rsi < RSI_OVERSOLD else "neutral"
