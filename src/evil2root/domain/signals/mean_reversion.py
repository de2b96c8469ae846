"""Mean reversion: against a stretched price, while there is no trend."""

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
)

ADX_MAX = 20.0
"""From here on there is a trend, and a stretched price is its sign rather than an excess."""

STRETCH_MIN = 0.25
"""Least size of the score: a price nearer to its middle has nowhere to come back to."""

RSI_OVERBOUGHT = 70.0
RSI_OVERSOLD = 30.0

_INPUTS = ("rsi_14", "bb_pct", "z_50", "stoch_k", "adx_14")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanReversion:
    """Up when RSI, Bollinger bands, z-score and stochastic all find the close low; abstains from ADX 20 on.

    RSI votes in full at 30 and 70, the bands at their edges, the 50-bar z-score at 2, the stochastic at its ends;
    the score is the mean of the four. Below `STRETCH_MIN` it abstains. The numbers are conventions, not fits.
    """

    name: str = "mean_reversion"
    version: str = "2"
    horizon: int = 5
    inputs: tuple[str, ...] = _INPUTS
    warm_up: int = longest_warm_up(_INPUTS)

    def weigh(self, features: pl.DataFrame) -> Weighed:
        """Score over `horizon` bars; NaN from ADX 20 on, near the middle, in a flat market, or warming up."""
        rsi, place, z, stochastic, adx = columns(features, _INPUTS)
        with np.errstate(all="ignore"):
            parts = (
                0.25 * clipped((50.0 - rsi) / (50.0 - RSI_OVERSOLD)),
                0.25 * clipped((0.5 - place) / 0.5),
                0.25 * clipped(-z / 2.0),
                0.25 * clipped((50.0 - stochastic) / 50.0),
            )
        weighed = pooled(parts, speaks=adx < ADX_MAX)
        stretched = np.abs(weighed.scores) >= STRETCH_MIN
        return Weighed(scores=np.where(stretched, weighed.scores, np.nan), parts=weighed.parts)

    def phrases(self, row: Row) -> tuple[str, ...]:
        """RSI and stochastic with the trade's words, the place in the bands, the z-score."""
        rsi, place, z, stochastic = (known(row, name) for name in _INPUTS[:4])
        return (
            f"RSI {rsi:.3g} is {rsi_zone(rsi)}",
            f"close at {place:.2f} of its Bollinger bands (0 lower, 1 upper)",
            f"close {abs(z):.2f} deviations {'above' if z > 0.0 else 'below'} its 50-bar mean",
            f"stochastic {stochastic:.3g}",
        )

    def silence(self, row: Row) -> str:
        """No value, a trend and how far ADX is above it, or a price that is not stretched."""
        if numbers(row, _INPUTS) is None:
            return missing(row, _INPUTS)
        adx, rsi, place = known(row, "adx_14"), known(row, "rsi_14"), known(row, "bb_pct")
        if adx >= ADX_MAX:
            return f"Abstains: ADX {adx:.3g} is not below {ADX_MAX:.0f}, there is a trend."
        return f"Abstains: RSI {rsi:.3g} is {rsi_zone(rsi)} and the close at {place:.2f} of its bands, not stretched enough."


def rsi_zone(rsi: float) -> str:
    """The trade's word for an RSI: overbought above 70, oversold below 30, else neutral."""
    if rsi > RSI_OVERBOUGHT:
        return "overbought"
    return "oversold" if rsi < RSI_OVERSOLD else "neutral"
