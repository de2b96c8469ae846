"""Features: every indicator of a series of bars as one table."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import frexp, inf, ldexp

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import INDICATORS, Column, Floats, Indicator, Unit

FEATURES_VERSION = "2"
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

_GREATEST = float(np.finfo(np.float64).max)

_MODERATE = 400
"""Exponents of a first close whose neighbours (see `NEAR`) have sums and ratios well inside Float64."""

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
    An indicator that is not `is_plain` reads prices divided by a power of two, so that the first close is about 1, and
    its results are multiplied back. That loses no bit, and frees tiny prices from TA-Lib's habit of calling anything
    below 1e-14 zero. All do so where the prices' squares could leave Float64.
    """
    names = [column.name for indicator in indicators for column in indicator.columns]
    arrays = feature_arrays(bars, indicators=indicators)
    # Made once, cut after: a Series each would take three times as long.
    every = pl.Series(np.concatenate(arrays) if arrays else np.empty(0), nan_to_null=True)
    cut = [every.slice(row * bars.height, bars.height) for row in range(len(names))]
    return pl.DataFrame(
        [bars["opened_at"], bars["closed_at"], bars["close"], *cut], schema=["opened_at", "closed_at", "close", *names]
    )


def feature_arrays(bars: pl.DataFrame, *, indicators: Sequence[Indicator] = INDICATORS) -> list[Floats]:
    """The numbers of `features`: one array a column of the indicators, in their order, NaN for its nulls."""
    if not bars.height:
        return [np.empty(0) for indicator in indicators for _ in indicator.columns]
    given = _Columns(bars, times=1.0)
    exponent = max(-EXPONENT_MAX, min(EXPONENT_MAX, frexp(given["close"][0])[1]))
    down, up = ldexp(1.0, -exponent), ldexp(1.0, exponent)
    scaled, arrays = _Columns(bars, times=down), list[Floats]()
    with np.errstate(all="ignore"):  # overflow and division by nothing end as NaN
        highest, lowest = np.maximum.reduce(given["high"]) * down, np.minimum.reduce(given["low"]) * down
        is_near = bool(highest < NEAR and lowest > 1.0 / NEAR)
        is_moderate = is_near and abs(exponent) <= _MODERATE
        for indicator in indicators:
            is_plain, is_safe = is_moderate and indicator.is_plain, is_near and indicator.is_tame
            made = indicator.series(given if is_plain else scaled)
            arrays.extend(made)
            if is_plain and is_safe:
                continue
            for column, values in zip(indicator.columns, made, strict=True):
                if column.unit is Unit.PRICE and not is_plain:
                    np.multiply(values, up, out=values)
                if not is_safe:
                    _hold_to_its_range(values, column)
        if not is_near:
            _strike_out_what_is_too_far(arrays, scaled["high"])
    return arrays


class _Columns(dict[str, Floats]):
    """The bars' columns as arrays, prices so many times what they are; each made when it is first asked for."""

    def __init__(self, bars: pl.DataFrame, *, times: float) -> None:
        self._bars, self._times = bars, times

    def __missing__(self, name: str) -> Floats:
        values: Floats = self._bars.get_column(name).to_numpy()
        if self._times != 1.0 and name != "volume":
            values = values * self._times
        self[name] = values
        return values


def features_row(values: Mapping[str, float | None]) -> pl.DataFrame:
    """One row of features from stored numbers (`close` and the feature names), as a source takes it."""
    return pl.DataFrame({name: pl.Series([value], dtype=pl.Float64) for name, value in values.items()})


def _hold_to_its_range(values: Floats, column: Column) -> None:
    """Clip where rounding can carry values 1e-14 over an edge; NaN for what is no number.

    And, without a highest, for what lies below the lowest after a running sum that an absurd price has emptied.
    """
    known = values[column.warm_up :]
    lowest, highest = max(column.low, -_GREATEST), min(column.high, _GREATEST)
    if known.size and np.minimum.reduce(known) >= lowest and np.maximum.reduce(known) <= highest:
        return  # nearly always; a NaN is neither
    if column.high < inf:
        np.maximum(np.minimum(values, column.high, out=values), column.low, out=values)
    if column.low > -inf:
        np.putmask(values, values < column.low, np.nan)
    np.putmask(values, ~np.isfinite(values), np.nan)


def _strike_out_what_is_too_far(arrays: Sequence[Floats], high: Floats) -> None:
    """NaN from a bar on that lies 300 decades above the first close: TA-Lib would go on with numbers that mean nothing."""
    too_far = ~np.isfinite(high)
    if too_far.any():
        since = int(np.argmax(too_far))
        for values in arrays:
            values[since:] = np.nan
