"""Features: every indicator of a series of bars as one table."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import frexp, inf, ldexp

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import INDICATORS, Column, Floats, Indicator, Unit

FEATURES_VERSION = "1"
"""Raised by hand when a formula changes without changing its name or parameters."""

COLUMNS: tuple[Column, ...] = tuple(column for indicator in INDICATORS for column in indicator.columns)
FEATURE_NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)
WARM_UP: Mapping[str, int] = {"close": 0} | {column.name: column.warm_up for column in COLUMNS}
"""Rows without a value at the start of a series, by column."""

FEATURES_HASH = sha256(
    "\n".join((FEATURES_VERSION, *(indicator.formula for indicator in INDICATORS))).encode()
).hexdigest()[:16]
"""Names the exact set of features: version, names, inputs and parameters. Stored with each decision."""

_EXPONENT_MAX = 1000
"""Keeps a power of two and its inverse inside Float64."""


def features(bars: pl.DataFrame, *, indicators: Sequence[Indicator] = INDICATORS) -> pl.DataFrame:
    """The bars' times and close, and one Float64 column a feature; as many rows as `bars`.

    Parameters
    ----------
    bars
        A table that passed `check_bars`: oldest first, adjusted prices. Its first row is the origin of every
        running value, so ask `window.py` which bar that should be.
    indicators
        What to compute; all of them by default.

    Notes
    -----
    Null while a feature warms up and where it is undefined (no movement, no volume, overflow); never NaN or infinite.
    Causal: a row depends on it and the rows above. Same bars, same bits.
    Prices are divided by a power of two, so that the first close is about 1, and results multiplied back. That loses
    no bit, and frees tiny prices from TA-Lib's habit of calling anything below 1e-14 zero.
    """
    columns = [column for indicator in indicators for column in indicator.columns]
    table = np.full((len(columns), bars.height), np.nan)
    if bars.height:
        _fill(table, columns, bars, indicators)
    series = [bars["opened_at"], bars["closed_at"], bars["close"]]
    series += [pl.Series(column.name, row, nan_to_null=True) for column, row in zip(columns, table, strict=True)]
    return pl.DataFrame(series)


def features_row(values: Mapping[str, float | None]) -> pl.DataFrame:
    """One row of features from stored numbers (`close` and the feature names), as a source takes it."""
    return pl.DataFrame({name: pl.Series([value], dtype=pl.Float64) for name, value in values.items()})


def _fill(table: Floats, columns: Sequence[Column], bars: pl.DataFrame, indicators: Sequence[Indicator]) -> None:
    exponent = max(-_EXPONENT_MAX, min(_EXPONENT_MAX, frexp(bars["close"][0])[1]))
    down, up = ldexp(1.0, -exponent), ldexp(1.0, exponent)
    with np.errstate(all="ignore"):  # overflow and division by nothing end as nulls below
        inputs = {name: bars[name].to_numpy() * down for name in ("open", "high", "low", "close")}
        inputs["volume"] = bars["volume"].to_numpy()
        made = (values for indicator in indicators for values in indicator.series(inputs))
        for row, column, values in zip(table, columns, made, strict=True):
            np.multiply(values, up if column.unit is Unit.PRICE else 1.0, out=row)
            if column.high < inf:
                np.clip(row, column.low, column.high, out=row)  # rounding can carry it 1e-14 over the edge
            elif column.low > -inf:
                np.putmask(row, row < column.low, np.nan)  # a running sum that an absurd price has emptied
    np.putmask(table, ~np.isfinite(table), np.nan)
    too_far = ~np.isfinite(inputs["high"])
    if too_far.any():  # 300 decades above the first close: TA-Lib would go on with numbers that mean nothing
        table[:, int(np.argmax(too_far)) :] = np.nan
