"""A symbol's place among the others at the same moment."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from evil2root.domain.market.around.family import Around, Family
from evil2root.domain.market.cross import ranks
from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import INDICATORS, Column, Floats, Indicator, Unit

RANKED: Mapping[str, int] = {"ret_1": 1, "ret_5": 5, "ret_20": 20, "vol_20": 20, "volume_ratio_20": 20, "rsi_14": 14}
"""Features that are ranked, with their warm-up."""
OWN = ""
"""The symbol itself among the others: no symbol is named so."""


def ranked_indicators() -> tuple[Indicator, ...]:
    """The indicators that make the columns of `RANKED`; whoever fills `Around.universe` computes these."""
    return tuple(i for i in INDICATORS if any(column.name in RANKED for column in i.columns))


def universe_ranks(bars: pl.DataFrame, around: Around) -> Mapping[str, Floats]:
    """Rank of each of `RANKED` in the universe at the bar's close: 0 the lowest, 1 the highest (`cross.ranks`).

    Only symbols whose bar closed at that very moment count; alone a symbol has no rank.
    """
    names = [f"rank_{name}" for name in RANKED]
    if not around.universe:
        return dict.fromkeys(names, np.full(bars.height, np.nan))
    own = features(bars, indicators=ranked_indicators())
    made = ranks({**around.universe, OWN: own}, list(RANKED))[OWN].fill_null(float("nan"))
    return {name: made[name].to_numpy() for name in names}


UNIVERSE = (
    Family(
        name="universe_ranks", version=1, compute=universe_ranks,
        columns=tuple(
            Column(name=f"rank_{name}", unit=Unit.RATIO, warm_up=warm_up, low=0.0, high=1.0)
            for name, warm_up in RANKED.items()
        ),
    ),
)  # fmt: skip
