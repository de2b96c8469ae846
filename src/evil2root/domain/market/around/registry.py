"""All families, and the one function that computes them."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
import polars as pl

from evil2root.domain.market.around.dates_ahead import EVENTS
from evil2root.domain.market.around.family import Around, Family
from evil2root.domain.market.around.neighbours import NEIGHBOURS
from evil2root.domain.market.around.times import TIMES
from evil2root.domain.market.around.universe import UNIVERSE
from evil2root.domain.market.cross import CROSS_VERSION

FAMILIES: tuple[Family, ...] = (*TIMES, *EVENTS, *NEIGHBOURS, *UNIVERSE)

AROUND_NAMES: tuple[str, ...] = tuple(column.name for family in FAMILIES for column in family.columns)
AROUND_WARM_UP: Mapping[str, int] = {column.name: column.warm_up for family in FAMILIES for column in family.columns}

AROUND_HASH = sha256("\n".join((CROSS_VERSION, *(family.formula for family in FAMILIES))).encode()).hexdigest()[:16]
"""Names the exact set: versions and names. Whoever stores values of it stores this beside them."""


def features_around(bars: pl.DataFrame, around: Around, *, families: Sequence[Family] = FAMILIES) -> pl.DataFrame:
    """The bars' times, and one Float64 column a feature; as many rows as `bars`.

    Null where a feature warms up, where what it needs is not around, and where it is undefined; never NaN or infinite,
    never outside of the range its column states. Causal in the bars and in everything around them.
    """
    made = [bars["opened_at"], bars["closed_at"]]
    for family in families:
        with np.errstate(all="ignore"):
            values = family.compute(bars, around)
        for column in family.columns:
            told = np.asarray(values[column.name], dtype=np.float64)
            inside = np.isfinite(told) & (told >= column.low) & (told <= column.high)
            made.append(pl.Series(column.name, np.where(inside, told, np.nan), nan_to_null=True))
    return pl.DataFrame(made)
