"""What the sources read: every feature, and what is computed for them alone."""

from collections.abc import Callable, Mapping
from hashlib import sha256

import numpy as np
import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.catalogue.registry import TALIB_REGISTRY
from evil2root.domain.market.features import WARM_UP as FEATURES_WARM_UP
from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import (
    FLAT_FRAC,
    INDICATORS,
    Column,
    Floats,
    Indicator,
    Unit,
    realised_volatility,
    simple_return,
)
from evil2root.domain.market.lean_talib import talib
from evil2root.domain.signals.higher import HIGHER_WARM_UP, higher
from evil2root.domain.signals.standing import LENGTH, STANDING_WARM_UP, standings_column

INPUTS_VERSION = "3"
"""Raised by hand when a formula below, in `higher` or in `standing` changes without changing its name or parameters."""

RANK = f"rank_ret_{LENGTH}"
"""The standing as the sources read it."""


def z_score(close: Floats, *, length: int) -> Floats:
    """Deviations (the population's) between the close and its mean of `length` bars. NaN while nothing moves."""
    spread = talib.STDDEV(close, length)
    mean = talib.SMA(close, length)
    return (close - mean) / np.where(spread > FLAT_FRAC * mean, spread, np.nan)


def usual_volatility(close: Floats, *, length: int, of: int) -> Floats:
    """Mean of the realised volatility (of `length` bars) over the last `of` bars: what is usual here."""
    now = realised_volatility(close, length=length)
    made = np.full(close.size, np.nan)
    if close.size > length:
        made[length:] = talib.SMA(np.ascontiguousarray(now[length:]), of)
    return made


def obv_pressure(close: Floats, volume: Floats, *, length: int) -> Floats:
    """Change of On-Balance Volume over `length` bars as a share of their volume, in [-1, 1]. NaN when none traded."""
    made = np.full(close.size, np.nan)
    if close.size > length:
        balance = talib.OBV(close, volume)
        traded = talib.SUM(volume, length)
        change = balance[length:] - balance[:-length]
        made[length:] = change / np.where(traded[length:] > 0.0, traded[length:], np.nan)
    return made


def squeeze(high: Floats, low: Floats, close: Floats, *, length: int) -> Floats:
    """Share of the `length` bars before this one with Bollinger bands (20, 2) inside the Keltner channel (20, 1.5 ATR).

    Source: J. Carter, Mastering the Trade, 2005.
    """
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    mean, span = talib.EMA(close, 20), talib.ATR(high, low, close, 20)
    inside = np.where(
        np.isnan(span) | np.isnan(upper), np.nan, (upper < mean + 1.5 * span) & (lower > mean - 1.5 * span)
    )
    made = np.full(close.size, np.nan)
    for lag in range(1, min(length, close.size - 1) + 1):
        made[lag:] = np.where(lag == 1, 0.0, made[lag:]) + inside[:-lag]
    made[: min(length, close.size)] = np.nan
    return made / length


def _ratio(  # noqa: PLR0913 - the columns of the table
    compute: Callable[..., Floats], inputs: tuple[str, ...], name: str, *, warm_up: int, low: float, high: float,
    **params: int,
) -> Indicator:  # fmt: skip
    return Indicator(
        name=getattr(compute, "__name__", name), compute=compute, inputs=inputs, params=tuple(params.items()),
        columns=(Column(name=name, unit=Unit.RATIO, warm_up=warm_up, low=low, high=high),),
    )  # fmt: skip


MORE: tuple[Indicator, ...] = (
    *(
        _ratio(simple_return, ("close",), f"ret_{n}", warm_up=n, low=-1.0, high=float("inf"), length=n)
        for n in (60, 120)
    ),
    _ratio(z_score, ("close",), "z_50", warm_up=49, low=-float("inf"), high=float("inf"), length=50),
    _ratio(usual_volatility, ("close",), "vol_usual_252", warm_up=271, low=0.0, high=float("inf"), length=20, of=252),
    _ratio(obv_pressure, ("close", "volume"), "obv_pressure_20", warm_up=20, low=-1.0, high=1.0, length=20),
    _ratio(squeeze, ("high", "low", "close"), "squeeze_10", warm_up=30, low=0.0, high=1.0, length=10),
    *TALIB_REGISTRY.having(("mfi_14", "cmf_20", "vwma_20", "supertrend_10")),
)
"""What sources read beyond the features that everybody sees."""

ALL: tuple[Indicator, ...] = (*INDICATORS, *MORE)

WARM_UP: Mapping[str, int] = {
    **FEATURES_WARM_UP,
    **{column.name: column.warm_up for indicator in MORE for column in indicator.columns},
    **HIGHER_WARM_UP,
    RANK: STANDING_WARM_UP,
}
"""Rows without a value at the start of a series, by column."""

INPUT_NAMES: tuple[str, ...] = tuple(WARM_UP)

INPUTS_HASH = sha256("\n".join((INPUTS_VERSION, *(indicator.formula for indicator in ALL))).encode()).hexdigest()[:16]
"""Names the exact set of formulas that sources read."""


def inputs(window: pl.DataFrame, *, interval: Interval, session: Session) -> pl.DataFrame:
    """Times, close and one Float64 column an input, as many rows as `window`; see `features` for what holds of it.

    A window that carries no standings (`standing.py`) gives none: nothing is said of symbols that nobody looked at.
    """
    table = features(window, indicators=ALL)
    above = higher(window, interval=interval, session=session)
    return table.hstack([*above.get_columns(), standings_column(window).alias(RANK)])
