"""How a symbol moved beside what is held, from the returns of the last bars. The crossing from statistics to limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import sqrt
from types import MappingProxyType

import numpy as np

from evil2root.domain.core.conversion import Conversion
from evil2root.domain.core.money import ZERO, exact
from evil2root.domain.core.side import Side
from evil2root.domain.risk.covariance import correlations_with_last, standardised
from evil2root.domain.risk.exposure import Company
from evil2root.domain.risk.recent import Floats, Recent

RETURNS_MIN = 20
"""Bars that a correlation or a volatility needs; fewer say nothing."""

NONE: Mapping[str, Conversion] = MappingProxyType({})
"""Everything is quoted in the account's currency."""

ALIKE = 0.7
"""Correlation above which two positions are one bet."""


def company_of(  # noqa: PLR0913 - what is new, what is held, and how it converts
    recent: Recent,
    *,
    symbol: str,
    side: Side,
    signed: Mapping[str, Decimal],
    gross: Mapping[str, Decimal],
    conversions: Mapping[str, Conversion] = NONE,
) -> Company | None:
    """Compare a new position with what is held and in flight.

    `signed` and `gross` are values by symbol; symbols that are not watched have no returns here and are left out.
    None with fewer than 20 bars on which all of them have a return. Cost: T x T x N for N symbols held.
    """
    moves = _moves(recent)
    if symbol not in moves.place:
        return None
    names = [name for name in signed if name in moves.place]
    if moves.whole and conversions.keys().isdisjoint((*names, symbol)):
        rows = [moves.place[name] for name in (*names, symbol)]
        unit, grown = moves.unit[rows], moves.grown[rows]
    else:
        values = _whole_rows(returns_of(recent, [*names, symbol], conversions))
        if len(values) < RETURNS_MIN:
            return None
        unit, grown = standardised(values), np.expm1(values).T
    money = np.fromiter(map(float, map(signed.__getitem__, names)), dtype=np.float64, count=len(names))
    held, own = np.einsum("nt,n->t", grown[:-1], money), side.sign * grown[-1]
    alike = correlations_with_last(unit) * np.sign(money) * side.sign
    weights = np.abs(money)
    if symbol in signed:
        itself = names.index(symbol)
        weights[itself] = alike[itself] = 0.0
    total = float(weights.sum())
    mean = float((alike * weights).sum()) / total if total > 0 else 0.0
    cluster = tuple(names[n] for n in np.flatnonzero(alike > ALIKE).tolist())
    return Company(
        correlation=_rounded(mean),
        cluster=cluster,
        cluster_used=sum((gross[name] for name in cluster), gross.get(symbol, ZERO)),
        held=tuple(held.round(4).tolist()),
        unit=tuple(own.round(9).tolist()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moves:
    """What all entries of one close are compared with: made once, not for each of them."""

    place: Mapping[str, int]
    """Row of each symbol watched."""
    whole: bool
    """Every symbol has a return in every period, and there are enough of them."""
    unit: Floats
    """Standardised log returns, shape (N, T)."""
    grown: Floats
    """Simple returns, shape (N, T): unlike log returns, profits of symbols add up by them."""


@lru_cache(maxsize=1)
def _moves(recent: Recent) -> _Moves:
    values = recent.by_period(list(range(len(recent.symbols))))
    whole = len(values) >= RETURNS_MIN and not np.isnan(values).any()
    return _Moves(
        place=dict(zip(recent.symbols, range(len(recent.symbols)), strict=True)), whole=whole,
        unit=standardised(values) if whole else values.T, grown=np.ascontiguousarray(np.expm1(values).T),
    )  # fmt: skip


def volatility(
    recent: Recent, symbol: str, *, bars_a_year: float, conversions: Mapping[str, Conversion] = NONE
) -> Decimal | None:
    """Return the standard deviation of a symbol's returns, a year; none with fewer than 20 bars."""
    if recent.column(symbol) is None:
        return None
    values = _whole_rows(returns_of(recent, [symbol], conversions))
    if len(values) < RETURNS_MIN:
        return None
    return _rounded(float(values.std(ddof=1)) * sqrt(bars_a_year))


def parity_share(
    recent: Recent, symbol: str, *, conversions: Mapping[str, Conversion] = NONE, traded: Sequence[str] | None = None
) -> Decimal | None:
    """Return the symbol's part of one over its volatility in the sum over the watchlist.

    None with fewer than 20 bars of the symbol, or when it never moved; others without them are left out.
    """
    names = list(recent.symbols if traded is None else traded)
    if symbol not in names or recent.column(symbol) is None:
        return None
    place = names.index(symbol)
    values = returns_of(recent, names, conversions)
    enough = np.count_nonzero(~np.isnan(values), axis=0) >= RETURNS_MIN
    if not enough[place]:
        return None
    deviations = np.nanstd(values[:, enough], axis=0, ddof=1)
    own = float(deviations[np.count_nonzero(enough[:place])])
    if own <= 0:
        return None
    return _rounded(1 / own / float((1 / deviations[deviations > 0]).sum()))


def returns_of(recent: Recent, symbols: Sequence[str], conversions: Mapping[str, Conversion]) -> Floats:
    """Return log returns in the account's currency, one row a period: the move of the rate is added to the price's.

    A symbol whose rate no watched pair tells has NaN.
    """
    place = dict(zip(recent.symbols, range(len(recent.symbols)), strict=True))
    values = recent.by_period([place[symbol] for symbol in symbols])
    foreign = [(n, conversions[symbol]) for n, symbol in enumerate(symbols) if symbol in conversions]
    if foreign:
        values = values.copy()
    for column, conversion in foreign:
        if conversion.steps is None:
            values[:, column] = np.nan
            continue
        for pair, divides in conversion.steps:
            moved = recent.by_period([place[pair]])[:, 0]
            values[:, column] += -moved if divides else moved
    return values


def _whole_rows(values: Floats) -> Floats:
    """Drop rows in which a symbol has no return yet."""
    whole = ~np.isnan(values).any(axis=1)
    return values if whole.all() else values[whole]


def _rounded(value: float) -> Decimal:
    return exact(round(value, 9), what="A statistic of returns")
