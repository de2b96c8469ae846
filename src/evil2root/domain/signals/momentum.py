"""Momentum: with the returns of one, three and six months of bars, where they agree."""

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
)

LENGTHS = (20, 60, 120)
_ROOTS = tuple(float(np.sqrt(length)) for length in LENGTHS)
_INPUTS = ("ret_20", "ret_60", "ret_120", "vol_20")


@dataclass(frozen=True, slots=True, kw_only=True)
class Momentum:
    """Up when the rate of change over 20, 60 and 120 bars points up; abstains where the three disagree.

    Each votes by its size in deviations: return / (volatility of 20 bars x root of its length), full at 1.5; the
    score is their mean. The rank among other symbols is not part of it: a source sees one symbol only, so that a
    stored row of features is enough to recompute it. The numbers are conventions, not fits.

    Source: T. Moskowitz, Y. H. Ooi, L. H. Pedersen, Time Series Momentum, Journal of Financial Economics 104, 2012.
    """

    name: str = "momentum"
    version: str = "1"
    horizon: int = 10
    inputs: tuple[str, ...] = _INPUTS
    warm_up: int = longest_warm_up(_INPUTS)

    def weigh(self, features: pl.DataFrame) -> Weighed:
        """Score over `horizon` bars; NaN where the three returns do not share a sign, or warming up."""
        *returns, volatility = columns(features, _INPUTS)
        rises, falls = (np.logical_and.reduce([by(made) for made in returns]) for by in (_above, _below))
        with np.errstate(all="ignore"):
            parts = tuple(
                clipped(ratio(made, 1.5 * root * volatility)) / 3.0 for made, root in zip(returns, _ROOTS, strict=True)
            )
        return pooled(parts, speaks=rises | falls)

    def phrases(self, row: Row) -> tuple[str, ...]:
        """The three rates of change."""
        return tuple(f"{known(row, f'ret_{length}'):+.1%} over {length} bars" for length in LENGTHS)

    def silence(self, row: Row) -> str:
        """No value, or three returns that do not agree."""
        if numbers(row, _INPUTS) is None:
            return missing(row, _INPUTS)
        if known(row, "vol_20") <= 0.0:
            return "Abstains: the price does not move."
        changes = [known(row, name) for name in _INPUTS[:3]]
        if all(change > 0.0 for change in changes) or all(change < 0.0 for change in changes):
            return OUT_OF_RANGE
        return f"Abstains: {', '.join(self.phrases(row))} do not agree."


def _above(values: np.ndarray) -> np.ndarray:
    return values > 0.0


def _below(values: np.ndarray) -> np.ndarray:
    return values < 0.0
