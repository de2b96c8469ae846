"""An index, its expected volatility, interest rates and the sector, beside a symbol's bars."""

from collections.abc import Mapping
from math import inf

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from evil2root.domain.market.around.family import Around, Family, Role, aligned
from evil2root.domain.market.catalogue.measures import log_return
from evil2root.domain.market.cross import STALE_DAYS, against_index
from evil2root.domain.market.indicators import Column, Floats, Unit

BETA_LENGTH, CHANGE, MONTH, YEAR = 60, 5, 20, 252


def index_features(bars: pl.DataFrame, around: Around) -> Mapping[str, Floats]:
    """Beta, correlation and residual to the index (`cross.against_index`), and the index's own log returns."""
    names = ("index_beta_60", "index_correlation_60", "index_residual_60")
    index = around.series.get(Role.INDEX)
    if index is None:
        return dict.fromkeys((*names, "index_log_ret_1", "index_log_ret_20"), np.full(bars.height, np.nan))
    told = against_index(bars, index, length=BETA_LENGTH).fill_null(float("nan"))
    close = aligned(bars, index, days_max=STALE_DAYS)
    made = {name: told[name.removeprefix("index_")].to_numpy() for name in names}
    return made | {"index_log_ret_1": log_return(close, length=1), "index_log_ret_20": log_return(close, length=MONTH)}


def volatility_features(bars: pl.DataFrame, around: Around) -> Mapping[str, Floats]:
    """Expected volatility as a fraction a year, its log change over 5 bars, and its rank in the 252 bars before (0 to 1)."""
    index = around.series.get(Role.VOLATILITY)
    close = np.full(bars.height, np.nan) if index is None else aligned(bars, index, days_max=STALE_DAYS)
    rank = np.full(bars.height, np.nan)
    if bars.height > YEAR:
        windows = sliding_window_view(close, YEAR + 1)
        lower = (windows[:, :-1] < windows[:, -1:]).sum(axis=1) + 0.5 * (windows[:, :-1] == windows[:, -1:]).sum(axis=1)
        rank[YEAR:] = np.where(np.isnan(windows).any(axis=1), np.nan, lower / YEAR)
    return {"vix": close / 100.0, "vix_change_5": log_return(close, length=CHANGE), "vix_rank_252": rank}


def rate_features(bars: pl.DataFrame, around: Around) -> Mapping[str, Floats]:
    """The yield as a fraction a year, and its change over 20 bars (a difference: yields may be zero or below)."""
    rate = around.series.get(Role.RATE)
    level = np.full(bars.height, np.nan) if rate is None else aligned(bars, rate, days_max=STALE_DAYS) / 100.0
    change = np.full(bars.height, np.nan)
    change[MONTH:] = level[MONTH:] - level[:-MONTH]
    return {"rate": level, "rate_change_20": change}


def sector_features(bars: pl.DataFrame, around: Around) -> Mapping[str, Floats]:
    """Correlation with the sector over 60 bars, and the log return beyond the sector's over 5 and 20 bars."""
    sector = around.series.get(Role.SECTOR)
    names = ("sector_correlation_60", "sector_excess_5", "sector_excess_20")
    if sector is None:
        return dict.fromkeys(names, np.full(bars.height, np.nan))
    own, other = bars["close"].to_numpy(), aligned(bars, sector, days_max=STALE_DAYS)
    told = against_index(bars, sector, length=BETA_LENGTH)["correlation_60"].fill_null(float("nan"))
    excess = (log_return(own, length=n) - log_return(other, length=n) for n in (CHANGE, MONTH))
    return dict(zip(names, (told.to_numpy(), *excess), strict=True))


def _ratio(name: str, *, warm_up: int, low: float = -inf, high: float = inf) -> Column:
    return Column(name=name, unit=Unit.RATIO, warm_up=warm_up, low=low, high=high)


NEIGHBOURS = (
    Family(
        name="index_features", version=1, compute=index_features,
        columns=(
            _ratio("index_beta_60", warm_up=BETA_LENGTH),
            _ratio("index_correlation_60", warm_up=BETA_LENGTH, low=-1.0, high=1.0),
            _ratio("index_residual_60", warm_up=BETA_LENGTH), _ratio("index_log_ret_1", warm_up=1),
            _ratio("index_log_ret_20", warm_up=MONTH),
        ),
    ),
    Family(
        name="volatility_features", version=1, compute=volatility_features,
        columns=(
            _ratio("vix", warm_up=0, low=0.0), _ratio("vix_change_5", warm_up=CHANGE),
            _ratio("vix_rank_252", warm_up=YEAR, low=0.0, high=1.0),
        ),
    ),
    Family(
        name="rate_features", version=1, compute=rate_features,
        columns=(_ratio("rate", warm_up=0), _ratio("rate_change_20", warm_up=MONTH)),
    ),
    Family(
        name="sector_features", version=1, compute=sector_features,
        columns=(
            _ratio("sector_correlation_60", warm_up=BETA_LENGTH, low=-1.0, high=1.0),
            _ratio("sector_excess_5", warm_up=CHANGE), _ratio("sector_excess_20", warm_up=MONTH),
        ),
    ),
)  # fmt: skip
