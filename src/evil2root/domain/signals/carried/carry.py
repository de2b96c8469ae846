"""Evidence carried forward: the newest row of `evidence_table` for many series at once, without starting over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Self

import numpy as np
import polars as pl

from evil2root.domain.market.bars import Bar
from evil2root.domain.market.days import session_of
from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.calibration import calibration, column_names, regimes
from evil2root.domain.signals.carried.learning import Learning, fit_all
from evil2root.domain.signals.carried.running import Running, RunningHigher, numbers_of
from evil2root.domain.signals.higher import NAMES as HIGHER_NAMES
from evil2root.domain.signals.inputs import ALL, RANK, inputs
from evil2root.domain.signals.source import Source
from evil2root.domain.signals.standing import standings_column

CARRY_FROM = 300
"""Bars of a window before it is carried: every input of this interval has its first value by then. The higher one
needs 31 of its bars that are over, which for a currency's hours (days above them) is some 740 bars; until then the
long way is taken."""

_INPUTS = (*(column.name for indicator in ALL for column in indicator.columns), *HIGHER_NAMES, RANK)
_NOW, _USUAL = (_INPUTS.index(name) for name in ("vol_20", "vol_usual_252"))
_TIME = pl.Datetime("us", "UTC")


@dataclass(slots=True)
class Carried:
    """What one window leaves for its next bar. It changes with every bar, and is of no use after an error."""

    running: Running
    higher: RunningHigher
    learning: Learning
    row: list[float]
    """Inputs of the newest bar."""
    newest: Bar | None = None

    @classmethod
    def after(
        cls, window: pl.DataFrame, table: pl.DataFrame, scores: Mapping[str, Floats], *, higher: RunningHigher,
        sources: Sequence[Source],
    ) -> Self:  # fmt: skip
        """Begin after all of `window`, with its `inputs`, scores and the higher interval as it stands after it.

        Raises `ValueError` where it can't be carried.
        """
        return cls(
            running=Running(window, ALL), higher=higher, row=[],
            learning=Learning(table["close"].to_numpy(), regimes(table), scores, sources),
        )  # fmt: skip

    def take(self, bar: Bar, *, standing: float | None) -> None:
        """Take the next bar and its standing. Raises `ValueError` for one that can't be carried on from."""
        numbers = numbers_of(bar)
        opened_at = _micros(bar)
        self.row = [*self.running.take(numbers), *self.higher.take(numbers, opened_at=opened_at)]
        self.row.append(nan if standing is None else standing)
        now, usual = self.row[_NOW], self.row[_USUAL]
        self.learning.bar(bar.close, int(now > usual) if now == now and usual == usual else -1)  # noqa: PLR0124 - NaN
        self.newest = bar


def _micros(bar: Bar) -> int:
    whole = bar.opened_at
    return int(whole.timestamp()) * 1_000_000 + whole.microsecond


def rows_of(carried: Sequence[Carried], *, sources: Sequence[Source]) -> pl.DataFrame:
    """One row of `evidence_table` for the newest bar of each, in that order. Once after each `take`, of them all."""
    fit_all([one.learning for one in carried if one.learning.is_due])
    bars = [one.newest for one in carried if one.newest is not None]
    learnt = [name for source in sources for name in column_names(source.name)]
    values = np.array([[*one.row, *one.learning.parameters()] for one in carried]).reshape(len(carried), -1).T
    numbers = [
        pl.Series(name, column, nan_to_null=True)
        for name, column in zip((*_INPUTS, *learnt), np.ascontiguousarray(values), strict=True)
    ]
    table = pl.DataFrame([
        pl.Series("opened_at", [bar.opened_at for bar in bars], dtype=_TIME),
        pl.Series("closed_at", [bar.closed_at for bar in bars], dtype=_TIME),
        pl.Series("close", [bar.close for bar in bars], dtype=pl.Float64), *numbers,
    ])  # fmt: skip
    said = np.stack([source.weigh(table).scores for source in sources], axis=1).tolist()
    for one, scores in zip(carried, said, strict=True):
        one.learning.said(scores)
    return table


def begun(window: pl.DataFrame, bar: Bar, *, sources: Sequence[Source]) -> tuple[pl.DataFrame, Carried | None]:
    """The newest row of `evidence_table` the long way, and what carries it on from there.

    Parameters
    ----------
    window
        Bars that passed `check_bars`, oldest first.
    bar
        The last of them.

    Notes
    -----
    Opened on the bars before, the carried row of the last one is held against the long way's. Where a single bit
    differs, or something can't be carried (too few bars, prices a thousand times apart), nothing is.
    """
    session = session_of(bar.symbol)
    table = inputs(window, interval=bar.interval, session=session)
    scores = {source.name: source.weigh(table).scores for source in sources}
    newest = table.tail(1).hstack(calibration(table, scores, sources, newest=1).get_columns())
    if window.height <= CARRY_FROM:
        return newest, None
    before = window.height - 1
    earlier = {name: values[:before] for name, values in scores.items()}
    try:
        higher = RunningHigher(window.head(before), interval=bar.interval, session=session)
        made = Carried.after(window.head(before), table.head(before), earlier, higher=higher, sources=sources)
        made.take(bar, standing=standings_column(window)[-1])
    except ValueError:
        return newest, None
    return newest, made if rows_of([made], sources=sources).equals(newest) else None
