"""From how many bars on a value no longer depends on where its series began, on real history."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from evil2root.adapters.market_data import replay
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.strategies.fusion import Fusion
from evil2root.domain.market.days import session_of
from evil2root.domain.market.features import COLUMNS, features
from evil2root.domain.market.indicators import INDICATORS, Column, Floats, Unit
from evil2root.domain.signals import inputs as signal_inputs
from evil2root.domain.signals.calibration import BARS_MIN
from evil2root.domain.signals.inputs import ALL, inputs
from evil2root.domain.signals.panel import SOURCES
from evil2root.engine import warming

CLOSE_ENOUGH = 1e-6
REAL = (
    ("AAPL", Interval.D1),
    ("GOOG", Interval.D1),
    ("IBM", Interval.D1),
    ("MSFT", Interval.D1),
    ("EURUSD=X", Interval.H1),
)
DECIDED_ON = frozenset(name for source in SOURCES for name in source.inputs) | {"close", "sma_50", "sma_200", "ret_20"}
"""What sources read, and the factors that challenge a proposal."""

UNITS = {column.name: column.unit for indicator in ALL for column in indicator.columns}


@cache
def history(symbol: str, interval: Interval) -> tuple[pl.DataFrame, Mapping[str, Floats]]:
    bars = packaged(interval)[symbol].adjusted
    return bars, _numbers(inputs(bars, interval=interval, session=session_of(symbol)))


def _numbers(table: pl.DataFrame) -> Mapping[str, Floats]:
    return {name: table[name].to_numpy() for name in table.columns if table.schema[name] == pl.Float64}


def off(name: str, found: Floats, truth: Floats, close: Floats) -> Floats:
    """How far values are from those of the whole history; infinite where only one of the two says something.

    Too few higher bars may be over yet: then nothing is said, and nothing wrong.
    """
    is_higher = name.startswith("higher_")
    apart = np.abs(found - truth) / (close if is_higher or UNITS.get(name) is Unit.PRICE else 1.0)
    is_silent = np.isnan(found) if is_higher else np.isnan(found) & np.isnan(truth)
    return np.where(is_silent, 0.0, np.where(np.isnan(apart), np.inf, apart))


def unsettled(names: frozenset[str], *, bars_needed: int, tails: int) -> set[str]:
    """Columns that are too far from the whole history's at some bar of a tail from its bar `bars_needed` on."""
    seen: set[str] = set()
    for symbol, interval in REAL:
        bars, whole = history(symbol, interval)
        close, long = whole["close"], bars_needed + 60
        for start in np.linspace(200, bars.height - long - 1, tails).astype(int).tolist():
            tail = _numbers(inputs(bars.slice(start, long), interval=interval, session=session_of(symbol)))
            rows = slice(start + bars_needed - 1, start + long)
            seen |= {
                name for name in names
                if off(name, tail[name][bars_needed - 1 :], whole[name][rows], close[rows]).max() >= CLOSE_ENOUGH
            }  # fmt: skip
    return seen


def test_from_the_first_bar_that_is_decided_on_every_value_is_that_of_the_whole_history() -> None:
    assert unsettled(DECIDED_ON, bars_needed=Fusion().bars_needed, tails=8) == set()


@pytest.mark.long
def test_no_tail_of_real_history_is_an_exception() -> None:
    assert unsettled(DECIDED_ON, bars_needed=Fusion().bars_needed, tails=200) == set()


def test_half_as_many_bars_would_be_seen_as_too_few() -> None:
    assert {"adx_14", "rsi_14", "sma_200"} <= unsettled(DECIDED_ON, bars_needed=BARS_MIN // 2, tails=4)


@pytest.mark.parametrize("column", [c for c in COLUMNS if c.settled is not None], ids=lambda column: column.name)
def test_a_column_has_settled_from_the_bar_it_states(column: Column) -> None:
    (indicator,) = (one for one in INDICATORS if column in one.columns)
    assert column.settled is not None
    for symbol, interval in REAL:
        bars, whole = history(symbol, interval)
        for start in np.linspace(200, bars.height - 460, 6).astype(int):
            tail = features(bars.slice(start, 460), indicators=(indicator,))[column.name].to_numpy()
            rows = slice(start + column.settled - 1, start + 460)
            apart = off(column.name, tail[column.settled - 1 :], whole[column.name][rows], whole["close"][rows])
            assert apart.max() < CLOSE_ENOUGH


def test_what_never_settles_is_read_by_no_decision() -> None:
    assert {column.name for column in COLUMNS if column.settled is None} == {"obv"}
    assert "obv" not in DECIDED_ON


def test_a_decision_waits_for_the_input_that_takes_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    def slower(column: Column) -> Column:
        return replace(column, settled=BARS_MIN + 77) if column.name == "adx_14" else column

    assert Fusion().bars_needed == BARS_MIN
    slow = tuple(replace(one, columns=tuple(slower(column) for column in one.columns)) for one in ALL)
    monkeypatch.setattr("evil2root.domain.decision.strategies.fusion.ALL", slow)

    assert Fusion().bars_needed == BARS_MIN + 77
    assert signal_inputs.ALL is ALL


def test_as_many_bars_are_gathered_as_a_decision_waits_for() -> None:
    assert min(warming.WARM_UP_BARS, replay.WARM_UP_BARS) >= Fusion().bars_needed
