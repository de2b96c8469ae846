"""A symbol's place among the others at the same moment."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from evil2root.domain.market.around.family import Around, Family
from evil2root.domain.market.cross import ranks
from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import INDICATORS, Column, Floats, Unit

RANKED: Mapping[str, int] = {"ret_1": 1, "ret_5": 5, "ret_20": 20, "vol_20": 20, "volume_ratio_20": 20, "rsi_14": 14}
"""Features that are ranked, with their warm-up."""
MADE_BY = tuple(i for i in INDICATORS if any(column.name in RANKED for column in i.columns))


def standings(universe: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Rank every symbol by each of `RANKED` at each close, 0 the lowest to 1 the highest (`cross.ranks`).

    Parameters
    ----------
    universe
        Bars by symbol, all of one interval.

    Notes
    -----
    Only symbols whose bar closed at that very moment are ranked; one alone has no rank. Cost: all symbols at once, some
    seconds for 500 x 2,520 bars. A universe chosen today has no companies that failed since: that is not mended here.
    """
    made = {symbol: features(bars, indicators=MADE_BY) for symbol, bars in universe.items()}
    return ranks(made, list(RANKED))


def universe_ranks(bars: pl.DataFrame, around: Around) -> Mapping[str, Floats]:
    """The symbol's `standings` at each close; NaN without them."""
    names = [f"rank_{name}" for name in RANKED]
    if around.ranks is None:
        return dict.fromkeys(names, np.full(bars.height, np.nan))
    joined = bars.select("closed_at").join(around.ranks, on="closed_at", how="left", maintain_order="left")
    return {name: joined[name].fill_null(float("nan")).to_numpy() for name in names}


UNIVERSE = (
    Family(
        name="universe_ranks", version=1, compute=universe_ranks,
        columns=tuple(
            Column(name=f"rank_{name}", unit=Unit.RATIO, warm_up=warm_up, low=0.0, high=1.0)
            for name, warm_up in RANKED.items()
        ),
    ),
)  # fmt: skip
