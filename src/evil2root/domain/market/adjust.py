"""Adjusting raw bars for splits and dividends by the provider's adjusted close."""

import numpy as np
import polars as pl

from evil2root.domain.market.frame import PRICES, BadBars


def adjustment_factor(close: pl.Series, adj_close: pl.Series) -> pl.Series:
    """Adjusted close over raw close, one Float64 a bar, about 1 at the newest. `BadBars` where either is no price."""
    for values in (close, adj_close):
        _check_positive(values, what=values.name or "a close")
    return (adj_close / close).alias("factor")


def adjusted(bars_raw: pl.DataFrame, *, factor: pl.Series) -> pl.DataFrame:
    """The same bars with prices times `factor` and volume over it, so that price times volume stays what was traded.

    The order of open, high, low and close within a bar survives: multiplying by one positive number keeps it.
    A factor known today was not known then: adjusted prices are for signals, raw ones for what an account would have paid.
    """
    if factor.len() != bars_raw.height:
        msg = f"{factor.len()} factors for {bars_raw.height} bars: there must be one a bar."
        raise BadBars(msg, row=None, column="factor", value=factor.len(), limit="one factor a bar")
    _check_positive(factor, what="factor")
    return bars_raw.with_columns(
        *((pl.col(name) * factor).alias(name) for name in PRICES), (pl.col("volume") / factor).alias("volume")
    )


def _check_positive(values: pl.Series, *, what: str) -> None:
    numbers = values.cast(pl.Float64).to_numpy()
    wrong = ~(np.isfinite(numbers) & (numbers > 0.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        limit = "it must be finite and above zero"
        msg = f"Row {row + 1}: {what} is {values[row]}; {limit}."
        raise BadBars(msg, row=row, column=what, value=values[row], limit=limit)
