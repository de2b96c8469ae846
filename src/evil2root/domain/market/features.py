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

EXPONENT_MAX = 1000
"""Keeps a power of two and its inverse inside Float64."""

NEAR = 2.0**10
"""Prices within this multiple of the first close leave nothing to strike out of a tame indicator: a running sum of
200 of them is off by less than a millionth of the smallest after a million rows."""


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
    names = [column.name for indicator in indicators for column in indicator.columns]
    table = feature_arrays(bars, indicators=indicators)
    every = pl.Series(
        table.reshape(-1), nan_to_null=True
    )  # made once, cut after: a Series each would take three times as long
    cut = [every.slice(row * bars.height, bars.height) for row in range(len(names))]
    return pl.DataFrame(
        [bars["opened_at"], bars["closed_at"], bars["close"], *cut], schema=["opened_at", "closed_at", "close", *names]
    )


def feature_arrays(bars: pl.DataFrame, *, indicators: Sequence[Indicator] = INDICATORS) -> Floats:
    """The numbers of `features`: one row a column of the indicators, in their order, NaN for its nulls."""
    table = np.empty((sum(len(indicator.columns) for indicator in indicators), bars.height))
    if bars.height:
        _fill(table, bars, indicators)
    return table


def features_row(values: Mapping[str, float | None]) -> pl.DataFrame:
    """One row of features from stored numbers (`close` and the feature names), as a source takes it."""
    return pl.DataFrame({name: pl.Series([value], dtype=pl.Float64) for name, value in values.items()})


def _fill(table: Floats, bars: pl.DataFrame, indicators: Sequence[Indicator]) -> None:
    exponent = max(-EXPONENT_MAX, min(EXPONENT_MAX, frexp(bars["close"][0])[1]))
    down, up = ldexp(1.0, -exponent), ldexp(1.0, exponent)
    rows = iter(table)
    with np.errstate(all="ignore"):  # overflow and division by nothing end as NaN
        inputs = {name: bars[name].to_numpy() * down for name in ("open", "high", "low", "close")}
        inputs["volume"] = bars["volume"].to_numpy()
        is_near = bool(inputs["high"].max() < NEAR and inputs["low"].min() > 1.0 / NEAR)
        for indicator in indicators:
            for column, made in zip(indicator.columns, indicator.series(inputs), strict=True):
                row, values = next(rows), made
                if column.unit is Unit.PRICE:
                    values = np.multiply(values, up, out=row)
                if column.high < inf:  # rounding can carry it 1e-14 over the edge
                    values = np.maximum(np.minimum(values, column.high, out=row), column.low, out=row)
                if values is not row:
                    row[:] = values
                if not (is_near and indicator.is_tame):
                    _strike_out(row, column)
    if not is_near:
        _strike_out_what_is_too_far(table, inputs["high"])


def _strike_out(row: Floats, column: Column) -> None:
    """NaN for what is no number or, after a running sum that an absurd price has emptied, below the column's lowest."""
    if column.low > -inf:
        np.putmask(row, row < column.low, np.nan)
    np.putmask(row, ~np.isfinite(row), np.nan)


def _strike_out_what_is_too_far(table: Floats, high: Floats) -> None:
    """NaN from a bar on that lies 300 decades above the first close: TA-Lib would go on with numbers that mean nothing."""
    too_far = ~np.isfinite(high)
    if too_far.any():
        table[:, int(np.argmax(too_far)) :] = np.nan
