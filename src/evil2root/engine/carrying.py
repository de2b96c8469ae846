"""The evidence of the newest bars, carried on from the bars before: what the live engine decides on at each close."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.strategies.strategy import Carrying, Sourced, Strategy
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.frame import BARS_SCHEMA
from evil2root.domain.market.passport import Passport, passport_at
from evil2root.domain.market.window import WINDOW_BARS, window_start
from evil2root.domain.signals.carried.carry import Carried
from evil2root.domain.signals.standing import standings_column
from evil2root.engine.observe import Background, evidence_at

BAR_COLUMNS = len(BARS_SCHEMA)
"""Columns of a series that are the bar's own; what else it carries comes after them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """A bar that has closed, with its series."""

    bar: Bar
    bars: pl.DataFrame
    """The whole stored series with its standings, this bar the last."""
    background: Background | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """One series up to a bar that was decided on."""

    carried: Carried
    bar: Bar
    height: int
    start: int
    window_from: datetime


class Carrier:
    """Remembers each series where it stands, so that a bar costs the same however long its series is.

    Nothing rests on this memory: a series it has not followed (the first bar after a start, a window that moves on, a
    bar that was missed or asked about twice) is computed the long way, and the values are the same to the last bit.
    """

    def __init__(self, strategy: Strategy, *, window_bars: int = WINDOW_BARS) -> None:
        self._strategy = strategy
        self._window_bars = window_bars
        self._kept: dict[str, _Kept] = {}

    def decide_by(self, strategy: Strategy) -> None:
        """Go on with another strategy; what is carried stays where the sources are the same: weights are no part of it."""
        before, self._strategy = self._strategy, strategy
        if not (isinstance(before, Sourced) and isinstance(strategy, Sourced) and before.sources == strategy.sources):
            self._kept.clear()

    def forget(self, symbols: Iterable[str]) -> None:
        """Compute the next bar of these the long way: their series was rewritten."""
        for symbol in symbols:
            self._kept.pop(symbol, None)

    def evidence(self, newest: Sequence[Newest]) -> tuple[Evidence, ...]:
        """Return the evidence of bars that closed together, one a symbol, each equal to that of `evidence_at`."""
        strategy = self._strategy
        if not isinstance(strategy, Carrying):
            return tuple(self._alone(one) for one in newest)
        if not newest:
            return ()
        followed = [self._followed(one) for one in newest]
        rows = self._rows(strategy, newest, followed)
        opinions = strategy.opinions(rows)
        numbers = rows.drop("opened_at").iter_rows(named=True)
        return tuple(
            Evidence(
                bar=one.bar, number=one.bars.height, window_from=self._window_from(one), features=features,
                signals=signals, view=view, passport=_passport(one),
            )
            for one, features, (signals, view) in zip(newest, numbers, opinions, strict=True)
        )  # fmt: skip

    def _alone(self, one: Newest) -> Evidence:
        return evidence_at(
            self._strategy, one.bars, symbol=one.bar.symbol, interval=one.bar.interval, first_index=0,
            background=one.background, window_bars=self._window_bars,
        )  # fmt: skip

    def _followed(self, one: Newest) -> _Kept | None:
        """Return what was kept when it can take this bar, and has taken it; forget it in any case."""
        kept = self._kept.pop(one.bar.symbol, None)
        if kept is None or kept.height + 1 != one.bars.height or kept.start != self._start(one):
            return None
        if one.bars.row(-2)[:BAR_COLUMNS] != (kept.bar.opened_at, kept.bar.closed_at, *_numbers(kept.bar)):
            return None
        try:
            kept.carried.take(one.bar, standing=standings_column(one.bars)[-1])
        except ValueError:
            return None
        return kept

    def _rows(self, strategy: Carrying, newest: Sequence[Newest], followed: Sequence[_Kept | None]) -> pl.DataFrame:
        """Return one row of features a bar, in order, and keep what carries each on."""
        quick = [kept.carried for kept in followed if kept is not None]
        tables = [strategy.carried(quick)] if quick else []
        order, done = [], 0
        for one, kept in zip(newest, followed, strict=True):
            state: Carried | None
            if kept is not None:
                state = kept.carried
                order.append(done)
                done += 1
            else:
                row, state = strategy.begun(one.bars.slice(self._start(one)), one.bar)
                order.append(len(quick) + len(tables) - bool(quick))
                tables.append(row)
            if state is not None:
                opened = self._window_from(one) if kept is None else kept.window_from
                self._kept[one.bar.symbol] = _Kept(
                    carried=state, bar=one.bar, height=one.bars.height, start=self._start(one), window_from=opened
                )
        return pl.concat(tables)[order]

    def _start(self, one: Newest) -> int:
        return window_start(one.bars.height - 1, window_bars=self._window_bars)

    def _window_from(self, one: Newest) -> datetime:
        kept = self._kept.get(one.bar.symbol)
        if kept is not None:
            return kept.window_from
        opened: datetime = one.bars["opened_at"][self._start(one)]
        return opened


def _numbers(bar: Bar) -> tuple[float, ...]:
    return bar.open, bar.high, bar.low, bar.close, bar.volume


def _passport(one: Newest) -> Passport | None:
    background = one.background
    if background is None:
        return None
    return passport_at(one.bars, background.sessions, one.bar.interval, marks=background.marks)
