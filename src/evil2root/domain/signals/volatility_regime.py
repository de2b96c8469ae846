"""Volatility regime: with a calm market, against an agitated one."""

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

CALM = 0.8
AGITATED = 1.25
"""Shares of the usual volatility between which there is nothing to say: a fifth less, a quarter more."""

_INPUTS = ("vol_20", "vol_usual_252")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilityRegime:
    """Up while volatility is well below its mean of 252 bars, down while it is well above; else abstains.

    Full when it is half the usual or twice it. That calm markets drift up and agitated ones do not is old knowledge
    of stocks; whether it holds for a symbol is for its calibration to say. The numbers are conventions, not fits.

    Source: A. Moreira, T. Muir, Volatility-Managed Portfolios, Journal of Finance 72, 2017.
    """

    name: str = "volatility_regime"
    version: str = "1"
    horizon: int = 10
    inputs: tuple[str, ...] = _INPUTS
    warm_up: int = longest_warm_up(_INPUTS)

    def weigh(self, features: pl.DataFrame) -> Weighed:
        """Score over `horizon` bars; NaN while volatility is usual, or warming up."""
        now, usual = columns(features, self.inputs)
        with np.errstate(all="ignore"):
            times = ratio(now, usual)
            calm = share((1.0 - times) / 0.5)
            agitated = share(times - 1.0)
        return pooled((np.where(times < 1.0, calm, -agitated),), speaks=(times <= CALM) | (times >= AGITATED))

    def phrases(self, row: Row) -> tuple[str, ...]:
        """The volatility beside the usual one."""
        now, usual = known(row, "vol_20"), known(row, "vol_usual_252")
        return (
            f"volatility {now:.2%} a bar is {now / usual:.2f} times the usual, {'calm' if now < usual else 'agitated'}",
        )

    def silence(self, row: Row) -> str:
        """No value, or a usual volatility."""
        if numbers(row, self.inputs) is None:
            return missing(row, self.inputs)
        now, usual = known(row, "vol_20"), known(row, "vol_usual_252")
        if usual <= 0.0:
            return "Abstains: the price does not move."
        if not CALM < now / usual < AGITATED:
            return OUT_OF_RANGE
        return f"Abstains: volatility {now:.2%} a bar is {now / usual:.2f} times the usual, neither calm nor agitated."
