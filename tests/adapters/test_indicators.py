import subprocess
import sys
from collections.abc import Mapping
from functools import partial

import numpy as np
import polars as pl
import pytest

from evil2root.adapters.indicators.pandas_ta import BY_PANDAS_TA, REGISTRY
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.features import features
from evil2root.domain.market.frame import PRICES
from evil2root.domain.market.indicators import Unit
from tests.domain.market.laws import columns_that_see_the_future
from tests.domain.market.reference import REFERENCES, Reference
from tests.domain.market.reference_core import CORE
from tests.domain.market.reference_cycles import CYCLES
from tests.domain.market.reference_more import MORE
from tests.domain.market.reference_patterns import CANDLES
from tests.domain.market.reference_runs import RUNS
from tests.domain.market.series import a_series

COLUMNS = tuple(column for indicator in BY_PANDAS_TA for column in indicator.columns)
computed = partial(features, indicators=BY_PANDAS_TA)


EVERY: Mapping[str, Reference] = {**REFERENCES, **CORE, **MORE, **CYCLES, **RUNS}

UNSTABLE = {
    **dict.fromkeys(
        [("volatility_rank", "halts"), ("volatility_rank", "ticks")],
        "Whether two spreads are equally calm hangs on their last bits.",
    ),
    ("stochrsi", "halts"): "The RSI stands still in a halt: its range is rounding, and the place in it anything.",
    ("stochrsi", "ticks"): "As in a halt, whenever the close repeats itself often enough.",
    ("cti", "halts"): "The library's sums of squares cancel where all closes but one are equal: 2e-8 are left.",
    ("smi", "halts"): "Without a range a momentum is 0 / 0: TA-Lib's signal goes on with 0, its definition has none.",
    ("hilo", "halts"): "Whether a close is above a mean of as many closes of one price hangs on its last bits.",
    **dict.fromkeys(
        [(name, kind) for name in ("mama", "ht_dcphase", "ht_sine", "ht_trendmode") for kind in ("halts", "ticks")]
        + [("mama", "constant")],
        "The phase of a wave that is not there is the quotient of two roundings.",
    ),
}
"""Where a library's value hangs on a convention or on rounding, not on a definition."""

SILENT = {
    **dict.fromkeys(
        [("cmo", "halts"), ("cmo", "ticks"), ("rsi", "halts"), ("rsi", "ticks"), ("tsi", "halts"), ("tsi", "ticks"),
         ("rvi", "halts"), ("rvi", "ticks"), ("stochrsi", "ticks")],
        "The definition keeps the last word of moves long gone (or 0); without a move in its window it has none here.",
    ),
    **dict.fromkeys(
        [("aroon", "halts"), ("aroon", "constant"), ("aroonosc", "halts"), ("aroonosc", "constant"), ("cci", "halts"),
         ("percentrank", "constant")],
        "Which of equal prices is the highest, or how far one lies from their mean, is a convention or a rounding.",
    ),
    **dict.fromkeys(
        [("ht_dcperiod", kind) for kind in ("halts", "ticks", "constant")]
        + [(name, "constant") for name in ("ht_dcphase", "ht_sine", "ht_trendmode")],
        "A wave that is not there has no length and no phase.",
    ),
}  # fmt: skip
"""Where a definition has a value and the program says there is none, and why."""

GOING_ON = {
    **dict.fromkeys(
        [(name, kind) for name in ("dx", "directional", "cvi", "massi", "pgo", "rvgi", "lrsi")
         for kind in ("halts", "constant")]
        + [("stochf", "halts"), ("ultosc", "halts"), ("vortex", "halts"), ("kdj", "halts"), ("kdj", "constant"),
           ("lrsi", "ticks"), ("stochrsi", "ticks")],
        "Without any range the definition is 0 / 0; the library goes on with 0 or with what it smoothed before.",
    ),
}  # fmt: skip
"""Where a definition has no value and the library gives one, and why."""

WITHOUT: Mapping[str, str] = {}
"""Columns that no reference holds, and why."""


@pytest.fixture(scope="module")
def series() -> dict[str, pl.DataFrame]:
    """Raw bars of two real series, splits and all; one with every second bar missing; and made ones."""
    stored = {symbol: history.stored for symbol, history in packaged(Interval.D1).items()}
    return {
        "AAPL": stored["AAPL"].head(500), "MSFT": stored["MSFT"].slice(600, 500),
        "gaps": stored["IBM"].slice(900, 400).gather_every(2), "short": stored["IBM"].head(40),
        "halts": a_series(300, shape="steps"), "ticks": a_series(300, shape="ticks"), "constant": a_series(300, shape="flat"),
    }  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("kind", ["AAPL", "MSFT", "gaps", "short", "halts", "ticks", "constant"])
def test_every_indicator_equals_its_definition(name: str, kind: str, series: dict[str, pl.DataFrame]) -> None:
    if (name, kind) in UNSTABLE:
        return
    (indicator,) = REGISTRY.named(name)
    arrays = {column: series[kind][column].to_numpy() for column in (*PRICES, "volume")}

    with np.errstate(all="ignore"):
        made, expected = indicator.series(arrays), EVERY[name](arrays)

    silent, goes_on = False, False
    for column, values, reference in zip(indicator.columns, made, expected, strict=True):
        assert np.isnan(values[: column.warm_up]).all(), column.name
        both = np.isfinite(values) & np.isfinite(reference)
        silent |= bool((np.isfinite(reference) & ~both)[column.warm_up :].any())
        goes_on |= bool((np.isfinite(values) & ~both).any())
        if kind in {"AAPL", "MSFT", "gaps", "short"}:
            assert both[column.warm_up :].all(), column.name
        scale = np.maximum(1.0, np.abs(reference[both]))
        assert (np.abs(values[both] - reference[both]) <= 1e-9 * scale).all(), column.name
    assert (silent, goes_on) == ((name, kind) in SILENT, (name, kind) in GOING_ON)


def test_a_column_without_a_reference_says_why() -> None:
    held = {column.name for name in (*EVERY, *CANDLES) for one in REGISTRY.named(name) for column in one.columns}

    without = {column.name for one in REGISTRY.all for column in one.columns} - held

    assert without == set(WITHOUT)


class TestWhatPandasTaAdds:
    def test_speaks_right_after_each_warm_up_and_not_before(self) -> None:
        table = computed(a_series(400))

        assert [c.name for c in COLUMNS if table[c.name].null_count() != c.warm_up] == []

    @pytest.mark.parametrize("cut", [9, 90])
    def test_never_looks_ahead(self, cut: int) -> None:
        assert columns_that_see_the_future(computed, a_series(160), cut=cut) == set()

    def test_keeps_its_sense_when_the_currency_changes_by_a_power_of_two(self) -> None:
        bars = a_series(200)

        dear, cheap = computed(bars), computed(bars.with_columns(pl.col(PRICES) * 2.0**-40))

        for column in COLUMNS:
            expected = dear[column.name] * (2.0**-40 if column.unit is Unit.PRICE else 1.0)
            assert cheap[column.name].equals(expected), column.name

    @pytest.mark.parametrize("rows", [1, 5, 60])
    def test_is_null_or_finite_on_short_and_on_flat_series(self, rows: int) -> None:
        for shape in ("walk", "flat"):
            table = computed(a_series(rows, shape=shape))
            assert all(table[column.name].is_finite().fill_null(value=True).all() for column in COLUMNS)


def test_the_library_is_not_loaded_before_the_first_question() -> None:
    program = (
        "import sys\nfrom evil2root.adapters.indicators.pandas_ta import REGISTRY\n"
        "assert REGISTRY.names\nprint([m for m in ('pandas_ta_classic',) if m in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert said.stdout.strip() == "[]"
