"""Measures for research and models: returns, volatility by four estimators, liquidity, trend, regime, differencing.

All causal, all null until their window is full; volatilities are per bar, not annualised.
"""

from collections.abc import Callable
from math import inf, log

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from evil2root.domain.market.catalogue.entry import C
from evil2root.domain.market.indicators import Column, Floats, Indicator, Unit, simple_return

OHLC = ("open", "high", "low", "close")
_WEIGHT_MIN = 1e-4
"""Weights of a fractional difference below it are cut: 0.4 and this give a window of 283 bars."""


def window_sum(values: Floats, *, length: int) -> Floats:
    """Sum of each window of `length` values, each added anew: no running sum that an absurd value could spoil."""
    made = np.full(values.size, np.nan)
    if values.size >= length:
        made[length - 1 :] = sliding_window_view(values, length).sum(axis=1)
    return made


def log_return(close: Floats, *, length: int) -> Floats:
    """Natural logarithm of the close over the close `length` bars ago."""
    made = np.full(close.size, np.nan)
    made[length:] = np.log(close[length:] / close[:-length])
    return made


def parkinson(high: Floats, low: Floats, *, length: int) -> Floats:
    """Volatility from ranges: sqrt(mean(ln(high/low)^2) / (4 ln 2)). Blind to gaps between bars.

    Source: M. Parkinson, The Extreme Value Method, Journal of Business 53, 1980.
    """
    return np.sqrt(window_sum(np.log(high / low) ** 2, length=length) / (4.0 * log(2.0) * length))


def garman_klass(opening: Floats, high: Floats, low: Floats, close: Floats, *, length: int) -> Floats:
    """Volatility from range and body: mean of ln(h/l)^2 / 2 - (2 ln 2 - 1) ln(c/o)^2. Blind to gaps; null below 0.

    Source: M. Garman, M. Klass, On the Estimation of Security Price Volatilities, Journal of Business 53, 1980.
    """
    daily = 0.5 * np.log(high / low) ** 2 - (2.0 * log(2.0) - 1.0) * np.log(close / opening) ** 2
    return np.sqrt(np.maximum(window_sum(daily, length=length) / length, 0.0))


def yang_zhang(opening: Floats, high: Floats, low: Floats, close: Floats, *, length: int) -> Floats:
    """Volatility that sees gaps and drift: overnight variance + k x open-to-close variance + (1 - k) Rogers-Satchell.

    k = 0.34 / (1.34 + (n + 1) / (n - 1)); variances are sample ones.
    Source: D. Yang, Q. Zhang, Drift-Independent Volatility Estimation, Journal of Business 73, 2000.
    """
    gap = np.full(close.size, np.nan)
    gap[1:] = np.log(opening[1:] / close[:-1])
    body = np.log(close / opening)
    satchell = np.log(high / close) * np.log(high / opening) + np.log(low / close) * np.log(low / opening)
    share = 0.34 / (1.34 + (length + 1.0) / (length - 1.0))
    variance = (
        sample_variance(gap, length=length)
        + share * sample_variance(body, length=length)
        + (1.0 - share) * window_sum(satchell, length=length) / length
    )
    return np.sqrt(np.maximum(variance, 0.0))


def sample_variance(values: Floats, *, length: int) -> Floats:
    """Variance of each window of `length` values, less one in the divisor."""
    made = np.full(values.size, np.nan)
    if values.size >= length:
        made[length - 1 :] = sliding_window_view(values, length).var(axis=1, ddof=1)
    return made


def amihud(close: Floats, volume: Floats, *, length: int) -> Floats:
    """Illiquidity: 1e9 x mean of |return| over money traded; null while a bar of the window traded nothing.

    Source: Y. Amihud, Illiquidity and Stock Returns, Journal of Financial Markets 5, 2002.
    """
    money = close * volume
    price_move = np.abs(simple_return(close, length=1)) / np.where(money > 0.0, money, np.nan)
    return 1e9 * window_sum(price_move, length=length) / length


def trend_strength(close: Floats, *, length: int) -> Floats:
    """Correlation of the log close with time over `length` bars, -1 (falls in a line) to 1; null when flat."""
    made = np.full(close.size, np.nan)
    if close.size < length:
        return made
    time = np.arange(length) - (length - 1) / 2.0
    windows = sliding_window_view(np.log(close), length)
    centred = windows - windows.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).sum(axis=1) * (time**2).sum())
    made[length - 1 :] = (centred * time).sum(axis=1) / np.where(spread > 1e-9, spread, np.nan)
    return made


def regime(close: Floats, *, length: int, calm_of: int) -> Floats:
    """A state from 0 to 3: 2 when volatility is above its own past median, plus 1 when the trend points up.

    Volatility is the deviation of log returns over `length` bars, its past the `calm_of` bars before this one; the
    trend is the sign of `trend_strength`. No fit, so nothing of the future can be in it.
    """
    spread = np.sqrt(sample_variance(log_return(close, length=1), length=length))
    usual = np.full(close.size, np.nan)
    if close.size > calm_of:
        usual[calm_of:] = np.median(sliding_window_view(spread, calm_of)[:-1], axis=1)
    trend = trend_strength(close, length=length)
    state = 2.0 * (spread > usual) + (trend > 0.0)
    return np.where(np.isnan(spread) | np.isnan(usual) | np.isnan(trend), np.nan, state)


def fractional_difference(close: Floats, *, order: float) -> Floats:
    """Log close differenced `order` times (0 to 1): near stationary, yet with memory of its level.

    Fixed window: weights w_k = -w_(k-1) (order - k + 1) / k, down to 1e-4.
    Source: M. Lopez de Prado, Advances in Financial Machine Learning, 2018, chapter 5.
    """
    weights = fractional_weights(order)
    made = np.full(close.size, np.nan)
    if close.size >= weights.size:
        made[weights.size - 1 :] = sliding_window_view(np.log(close), weights.size) @ weights[::-1]
    return made


def fractional_weights(order: float) -> Floats:
    """Weights, the newest bar's first."""
    weights = [1.0]
    while abs(following := -weights[-1] * (order - len(weights) + 1) / len(weights)) >= _WEIGHT_MIN:
        weights.append(following)
    return np.asarray(weights)


def _entry(  # noqa: PLR0913 - the columns of the table
    compute: Callable[..., Floats], inputs: tuple[str, ...], name: str, *, warm_up: int, low: float = 0.0, high: float = inf,
    **params: float,
) -> Indicator:  # fmt: skip
    return Indicator(
        name=getattr(compute, "__name__", name), compute=compute, inputs=inputs, params=tuple(params.items()),
        columns=(Column(name=name, unit=Unit.RATIO, warm_up=warm_up, low=low, high=high),),
    )  # fmt: skip


MEASURES: tuple[Indicator, ...] = (
    *(_entry(log_return, C, f"log_ret_{n}", warm_up=n, low=-inf, length=n) for n in (1, 2, 3, 5, 10, 20, 60, 120, 250)),
    *(_entry(parkinson, ("high", "low"), f"parkinson_{n}", warm_up=n - 1, length=n) for n in (20, 60)),
    *(_entry(garman_klass, OHLC, f"garman_klass_{n}", warm_up=n - 1, length=n) for n in (20, 60)),
    *(_entry(yang_zhang, OHLC, f"yang_zhang_{n}", warm_up=n, length=n) for n in (20, 60)),
    *(
        _entry(trend_strength, C, f"trend_strength_{n}", warm_up=n - 1, low=-1.0, high=1.0, length=n)
        for n in (20, 60, 120)
    ),
    _entry(amihud, ("close", "volume"), "amihud_20", warm_up=20, length=20),
    _entry(regime, C, "regime", warm_up=272, high=3.0, length=20, calm_of=252),
    _entry(
        fractional_difference, C, "fracdiff_04", warm_up=fractional_weights(0.4).size - 1, low=-inf, order=0.4
    ),
)  # fmt: skip
