"""Momentum: with the returns of one, three and six months of bars where they agree, and with the place among others."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evil2root.domain.signals.inputs import RANK
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
)

LENGTHS = (20, 60, 120)
_ROOTS = tuple(float(np.sqrt(length)) for length in LENGTHS)
_OWN = ("ret_20", "ret_60", "ret_120", "vol_20")
_INPUTS = (*_OWN, RANK)
_SHARE = 0.25
"""What the place among others adds at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Momentum:
    """Up when the rate of change over 20, 60 and 120 bars points up; abstains where the three disagree.

    Each votes by its size in deviations: return / (volatility of 20 bars x root of its length), full at 1.5; the
    score is their mean. Where bars carry the symbol's standing among at least five (`standing.py`), its place by the
    return of 120 bars adds up to a quarter: the strongest of the watchlist gains it, the weakest loses it, the middle
    adds nothing. It never speaks alone, and never turns the three around: at most it silences them to 0. The numbers are conventions, not fits.

    Source: T. Moskowitz, Y. H. Ooi, L. H. Pedersen, Time Series Momentum, Journal of Financial Economics 104, 2012;
    N. Jegadeesh, S. Titman, Returns to Buying Winners and Selling Losers, Journal of Finance 48, 1993.
    """

    name: str = "momentum"
    version: str = "2"
    horizon: int = 10
    inputs: tuple[str, ...] = _INPUTS
    warm_up: int = longest_warm_up(_OWN)

    def weigh(self, features: pl.DataFrame) -> Weighed:
        """Score over `horizon` bars; NaN where the three returns do not share a sign, or warming up."""
        *returns, volatility, rank = columns(features, _INPUTS)
        rises, falls = (np.logical_and.reduce([by(made) for made in returns]) for by in (_above, _below))
        with np.errstate(all="ignore"):
            parts = tuple(
                clipped(ratio(made, 1.5 * root * volatility)) / 3.0 for made, root in zip(returns, _ROOTS, strict=True)
            )
            own = parts[0] + parts[1] + parts[2]
            place = _SHARE * (2.0 * rank - 1.0)
            place = np.where(rises, np.maximum(place, -own), np.minimum(place, -own))
        return pooled(parts, optional=(place,), speaks=rises | falls)

    def phrases(self, row: Row) -> tuple[str, ...]:
        """The three rates of change, and the place among others."""
        return (*_changes(row), f"ahead of {known(row, RANK):.0%} of the others over {LENGTHS[-1]} bars")

    def silence(self, row: Row) -> str:
        """No value, or three returns that do not agree."""
        if numbers(row, _OWN) is None:
            return missing(row, _OWN)
        if known(row, "vol_20") <= 0.0:
            return "Abstains: the price does not move."
        changes = [known(row, name) for name in _OWN[:3]]
        if all(change > 0.0 for change in changes) or all(change < 0.0 for change in changes):
            return OUT_OF_RANGE
        return f"Abstains: {', '.join(_changes(row))} do not agree."


def _changes(row: Row) -> tuple[str, ...]:
    return tuple(f"{known(row, f'ret_{length}'):+.1%} over {length} bars" for length in LENGTHS)


def _above(values: np.ndarray) -> np.ndarray:
    return values > 0.0


def _below(values: np.ndarray) -> np.ndarray:
    return values < 0.0
