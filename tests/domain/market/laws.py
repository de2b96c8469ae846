"""Laws that hold for every column computed from bars, written so that a test can see them fail."""

from collections.abc import Callable

import numpy as np
import polars as pl

from tests.domain.market.series import poisoned

ABSURD = (1e9, 1e-9, 1e120)


def differing_columns(one: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    """Float columns that are not the same to the last bit, nulls included."""
    assert one.columns == other.columns
    assert one.height == other.height
    return [name for name in one.columns if one.schema[name] == pl.Float64 and _bits(one[name]) != _bits(other[name])]


def columns_that_see_the_future(
    compute: Callable[[pl.DataFrame], pl.DataFrame], bars: pl.DataFrame, *, cut: int
) -> set[str]:
    """Columns whose rows before `cut` change when the rows from `cut` on are hidden or made absurd."""
    past = compute(bars).head(cut)
    seen = set(differing_columns(past, compute(bars.head(cut))))
    for factor in ABSURD:
        seen |= set(differing_columns(past, compute(poisoned(bars, since=cut, factor=factor)).head(cut)))
    return seen


def _bits(values: pl.Series) -> bytes:
    assert not values.is_nan().any(), f"{values.name} has NaN where it should have null"
    return values.is_null().to_numpy().tobytes() + np.ascontiguousarray(values.fill_null(0.0).to_numpy()).tobytes()
