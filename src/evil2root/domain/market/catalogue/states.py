"""States of the market: how wild and which way, each against the symbol's own past.

Quantiles are those of the bars before, the bar itself left out: nothing is fitted on what comes later. A hidden Markov
model is not here: hmmlearn has had no release since 2024, and one of our own would have to be fitted anew at each bar.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from evil2root.domain.market.catalogue.entry import C
from evil2root.domain.market.catalogue.measures import log_return, sample_variance, trend_strength
from evil2root.domain.market.indicators import FLAT_FRAC, Column, Floats, Indicator, Unit

LENGTH, PAST = 20, 252
"""Bars a state is measured on, and bars of the past it is held against: a month and a year of days."""
TREND_LENGTH = 60
TREND_LEAST = 0.3
"""A weaker correlation with time than this is no trend, however quiet the past was."""


def volatility_rank(close: Floats, *, length: int, past: int) -> Floats:
    """Share of the `past` bars before this one that were calmer, 0 to 1; equally calm ones count half.

    Volatility is the sample deviation of log returns over `length` bars; below `FLAT_FRAC` it is none.
    Warm-up: length + past rows.
    """
    spread = np.sqrt(sample_variance(log_return(close, length=1), length=length))
    return _rank(np.where(spread < FLAT_FRAC, 0.0, spread), past=past)


def volatility_state(close: Floats, *, length: int, past: int) -> Floats:
    """0 calm, 1 usual, 2 wild: the third of its own past that `volatility_rank` falls into. Warm-up: the same."""
    rank = volatility_rank(close, length=length, past=past)
    return np.where(np.isnan(rank), np.nan, np.minimum(np.floor(3.0 * rank), 2.0))


def trend_state(close: Floats, *, length: int, past: int) -> Floats:
    """-1 falling, 0 none, 1 rising: the sign of `trend_strength` where it is stronger than at half of its own past.

    And than `TREND_LEAST`. Null while a bar of the past was flat. Warm-up: length + past - 1 rows.
    """
    trend = trend_strength(close, length=length)
    strength = np.abs(trend)
    usual = np.full(close.size, np.nan)
    if close.size > past:
        usual[past:] = np.median(sliding_window_view(strength, past)[:-1], axis=1)
    state = np.where((strength > usual) & (strength > TREND_LEAST), np.sign(trend), 0.0)
    return np.where(np.isnan(trend) | np.isnan(usual), np.nan, state)


def market_state(close: Floats, *, length: int, trend_length: int, past: int) -> Floats:
    """0 to 8: three times the volatility's state, plus the trend's (0 falling, 1 none, 2 rising)."""
    wild = volatility_state(close, length=length, past=past)
    return 3.0 * wild + trend_state(close, length=trend_length, past=past) + 1.0


def _rank(values: Floats, *, past: int) -> Floats:
    made = np.full(values.size, np.nan)
    if values.size > past:
        windows = sliding_window_view(values, past + 1)
        before, now = windows[:, :-1], windows[:, -1:]
        rank = ((before < now).sum(axis=1) + 0.5 * (before == now).sum(axis=1)) / past
        made[past:] = np.where(np.isnan(windows).any(axis=1), np.nan, rank)
    return made


def _column(name: str, *, warm_up: int, low: float, high: float) -> tuple[Column, ...]:
    return (Column(name=name, unit=Unit.RATIO, warm_up=warm_up, low=low, high=high),)


STATES: tuple[Indicator, ...] = (
    Indicator(
        name="volatility_rank", compute=volatility_rank, inputs=C, params=(("length", LENGTH), ("past", PAST)),
        columns=_column("volatility_rank", warm_up=LENGTH + PAST, low=0.0, high=1.0),
    ),
    Indicator(
        name="volatility_state", compute=volatility_state, inputs=C, params=(("length", LENGTH), ("past", PAST)),
        columns=_column("volatility_state", warm_up=LENGTH + PAST, low=0.0, high=2.0),
    ),
    Indicator(
        name="trend_state", compute=trend_state, inputs=C, params=(("length", TREND_LENGTH), ("past", PAST)),
        columns=_column("trend_state", warm_up=TREND_LENGTH + PAST - 1, low=-1.0, high=1.0),
    ),
    Indicator(
        name="market_state", compute=market_state, inputs=C,
        params=(("length", LENGTH), ("trend_length", TREND_LENGTH), ("past", PAST)),
        columns=_column("market_state", warm_up=TREND_LENGTH + PAST - 1, low=0.0, high=8.0),
    ),
)  # fmt: skip
