"""A symbol's standing among the others of its watchlist, by what each returned: momentum across symbols.

Bars carry it beside their prices, in the column `STANDING`, since it is all they need of other series. A standing is
that of the bar's opening: what every symbol had shown by then. So it doesn't matter in which order bars that close
together arrive, and a bar that comes late by less than a bar changes nothing.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import isnan, nan

import numpy as np
import numpy.typing as npt
import polars as pl

from evil2root.domain.market.bars import Bar
from evil2root.domain.market.indicators import Floats, simple_return

STANDING = "standing"
"""Float64 in [0, 1], 0 the lowest and 1 the highest; null where there is none."""

LENGTH = 120
"""Bars of the return that is compared: six months of days."""

SYMBOLS_MIN = 5
"""A place among fewer says nothing."""

FRESH = timedelta(days=7)
"""A return that was older than this when the bar opened is not compared."""

STANDING_WARM_UP = LENGTH + 1
"""Rows at the start of a series without a standing."""

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_KEPT = 8
"""Newest returns kept of each symbol: more than bars of one interval can close while another one is open."""

Micros = npt.NDArray[np.int64]


def with_standings(
    frames: Mapping[str, pl.DataFrame], *, of: Sequence[str] | None = None, among: Sequence[str] | None = None
) -> dict[str, pl.DataFrame]:
    """The bars with their standings.

    Parameters
    ----------
    frames
        Bars by symbol that passed `check_bars`, all of one interval and from where their series begin.
    of
        The symbols that are asked for; all by default.
    among
        The symbols that are compared; all by default. Others have no standing.

    Returns
    -------
    dict[str, pl.DataFrame]
        The frames of those asked for with the column `STANDING`: rank of the return over `LENGTH` bars as of the
        newest bar that closed by this one's opening, among all that have one; ties their mean place.

    Notes
    -----
    Causal: a row needs no bar that closed after its opening. A universe chosen today has no companies that failed
    since: that is not mended here. Cost: bars x symbols, half a second for 500 x 2,520 bars.
    """
    asked = tuple(frames) if of is None else tuple(of)
    places = {symbol: place for place, symbol in enumerate(frames if among is None else among)}
    opened = {symbol: frames[symbol]["opened_at"].to_physical().to_numpy() for symbol in asked if symbol in places}
    if len(places) < SYMBOLS_MIN or not opened:
        return {symbol: _beside(frames[symbol], np.full(frames[symbol].height, np.nan)) for symbol in asked}
    moments = np.unique(np.concatenate(list(opened.values())))
    ranks = _ranks(np.stack([returns_by(moments, frames[symbol]) for symbol in places], axis=1))
    made = {}
    for symbol in asked:
        told = np.full(frames[symbol].height, np.nan)
        if symbol in places:
            told = ranks[np.searchsorted(moments, opened[symbol]), places[symbol]]
        made[symbol] = _beside(frames[symbol], told)
    return made


def with_standing(window: pl.DataFrame, own: pl.DataFrame, others: Sequence[Floats]) -> pl.DataFrame:
    """One window with its standings: the same, at the cost of its rows.

    Parameters
    ----------
    window, own
        The bars asked about, and the whole series they are the end of.
    others
        `returns_by` the openings of `window`, of each other symbol that is compared.
    """
    if len(others) + 1 < SYMBOLS_MIN:
        return _beside(window, np.full(window.height, np.nan))
    returns = returns_by(window["opened_at"].to_physical().to_numpy(), own)
    return _beside(window, _ranks(np.stack([returns, *others], axis=1))[:, 0])


def standings_column(window: pl.DataFrame) -> pl.Series:
    """The standings that bars carry, nulls where they carry none."""
    if STANDING in window.columns:
        return window[STANDING]
    return pl.Series(STANDING, [None] * window.height, dtype=pl.Float64)


class Standings:
    """The same of bars as they close: `of` the bars of a group, before they are added. Only `symbols` are compared."""

    def __init__(self, frames: Mapping[str, pl.DataFrame], *, symbols: Sequence[str]) -> None:
        self._place = {symbol: place for place, symbol in enumerate(symbols)}
        self._is_wide = len(symbols) >= SYMBOLS_MIN
        self._closes: list[deque[float]] = []
        self._closed = np.full((_KEPT, len(symbols)), np.iinfo(np.int64).min)
        self._returns = np.full((_KEPT, len(symbols)), np.nan)
        for place, symbol in enumerate(symbols):
            frame = frames.get(symbol)
            tail = pl.DataFrame() if frame is None else frame.tail(LENGTH + _KEPT)
            self._closes.append(deque(tail["close"].to_list() if tail.height else (), maxlen=LENGTH + 1))
            if tail.height > LENGTH:
                newest = simple_return(tail["close"].to_numpy(), length=LENGTH)[LENGTH:]
                self._returns[-newest.size :, place] = newest
                self._closed[-newest.size :, place] = tail["closed_at"].to_physical().to_numpy()[LENGTH:]

    def of(self, bars: Sequence[Bar]) -> list[float | None]:
        """The standing of each bar; the bars that closed before have been added, these have not."""
        if not self._is_wide:
            return [None] * len(bars)
        moments = [_micros(bar.opened_at) for bar in bars]
        ranks = {opened: _ranks(self._known_by(opened)[None, :])[0].tolist() for opened in set(moments)}
        told = [
            ranks[opened][self._place[bar.symbol]] if bar.symbol in self._place else nan
            for bar, opened in zip(bars, moments, strict=True)
        ]
        return [None if isnan(rank) else rank for rank in told]

    def add(self, bars: Sequence[Bar]) -> None:
        """Add bars that closed together."""
        if not self._is_wide:
            return
        for bar in bars:
            place = self._place.get(bar.symbol)
            if place is None:
                continue
            closes = self._closes[place]
            closes.append(bar.close)
            if len(closes) > LENGTH:
                self._closed[:, place] = [*self._closed[1:, place], _micros(bar.closed_at)]
                self._returns[:, place] = [*self._returns[1:, place], bar.close / closes[0] - 1.0]

    def _known_by(self, opened: int) -> Floats:
        """The newest return of each symbol that was known then; NaN for none."""
        fresh = (self._closed <= opened) & (self._closed >= opened - FRESH // _MICROSECOND)
        newest = _KEPT - 1 - np.argmax(fresh[::-1], axis=0)
        at = np.arange(newest.size)
        made: Floats = np.where(fresh[newest, at], self._returns[newest, at], np.nan)
        return made


def returns_by(moments: Micros, frame: pl.DataFrame) -> Floats:
    """The return over `LENGTH` bars of the newest bar that had closed by each moment; NaN where that is none or an old one."""
    if not frame.height:
        return np.full(moments.size, np.nan)
    returns = np.full(frame.height, np.nan)
    if frame.height > LENGTH:
        returns = simple_return(frame["close"].to_numpy(), length=LENGTH)
    closed = frame["closed_at"].to_physical().to_numpy()
    place = np.searchsorted(closed, moments, side="right") - 1
    fresh = (place >= 0) & (closed[place] >= moments - FRESH // _MICROSECOND)
    made: Floats = np.where(fresh, returns[place], np.nan)
    return made


def _ranks(known: Floats) -> Floats:
    """Ranks of each moment (row) among the symbols (columns), ties their mean; NaN where there is none."""
    order = np.argsort(known, axis=1)  # NaN last
    ordered = np.take_along_axis(known, order, axis=1)
    place = np.broadcast_to(np.arange(known.shape[1]), known.shape)
    is_new = np.ones(known.shape, dtype=np.bool_)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(is_new, place, 0), axis=1)
    is_last = np.ones(known.shape, dtype=np.bool_)
    is_last[:, :-1] = is_new[:, 1:]
    after = np.where(is_last, place, known.shape[1])[:, ::-1]
    last = np.minimum.accumulate(after, axis=1)[:, ::-1]
    count = (~np.isnan(known)).sum(axis=1, keepdims=True)
    has = (count >= SYMBOLS_MIN) & ~np.isnan(ordered)
    ranks: Floats = np.empty(known.shape)
    np.put_along_axis(ranks, order, np.where(has, 0.5 * (first + last) / np.maximum(count - 1, 1), np.nan), axis=1)
    return ranks


def _beside(frame: pl.DataFrame, ranks: Floats) -> pl.DataFrame:
    return frame.with_columns(pl.Series(STANDING, ranks, dtype=pl.Float64, nan_to_null=True))


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
