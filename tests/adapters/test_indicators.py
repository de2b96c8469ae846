import subprocess
import sys
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
from tests.domain.market.reference import REFERENCES
from tests.domain.market.series import a_series

COLUMNS = tuple(column for indicator in BY_PANDAS_TA for column in indicator.columns)
computed = partial(features, indicators=BY_PANDAS_TA)


@pytest.fixture(scope="module")
def real() -> dict[str, pl.DataFrame]:
    """Raw bars of two real series, splits and all."""
    histories = packaged(Interval.D1)
    return {symbol: histories[symbol].stored.slice(start, 500) for symbol, start in (("AAPL", 0), ("MSFT", 600))}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("symbol", ["AAPL", "MSFT", "halts"])
def test_every_indicator_equals_its_definition_on_real_series_and_on_one_with_halts(
    name: str, symbol: str, real: dict[str, pl.DataFrame]
) -> None:
    (indicator,) = REGISTRY.named(name)
    bars = real[symbol] if symbol in real else a_series(300, shape="steps")
    arrays = {column: bars[column].to_numpy() for column in (*PRICES, "volume")}

    with np.errstate(all="ignore"):
        made, expected = indicator.series(arrays), REFERENCES[name](arrays)

    for column, values, reference in zip(indicator.columns, made, expected, strict=True):
        assert np.isnan(values[: column.warm_up]).all(), column.name
        both = np.isfinite(values) & np.isfinite(reference)
        if symbol in real:
            assert both[column.warm_up :].all(), column.name
        scale = np.maximum(1.0, np.abs(reference[both]))
        assert (np.abs(values[both] - reference[both]) <= 1e-9 * scale).all(), column.name


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
