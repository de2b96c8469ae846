from functools import partial

import numpy as np
import polars as pl
import pytest

from evil2root.domain.market.catalogue.registry import BY_TALIB, TALIB_REGISTRY, Registry
from evil2root.domain.market.features import FEATURES_HASH, features
from evil2root.domain.market.frame import PRICES
from evil2root.domain.market.indicators import INDICATORS, Unit
from tests.domain.market.laws import columns_that_see_the_future
from tests.domain.market.series import a_series

CATALOGUE = tuple(indicator for indicator in BY_TALIB if indicator not in INDICATORS)
COLUMNS = tuple(column for indicator in CATALOGUE for column in indicator.columns)
LONGEST = max(column.warm_up for column in COLUMNS)
computed = partial(features, indicators=CATALOGUE)


class TestTheCatalogue:
    def test_speaks_right_after_each_warm_up_and_not_before(self) -> None:
        table = computed(a_series(400))

        nulls = {column.name: table[column.name].is_null() for column in COLUMNS}
        assert [c.name for c in COLUMNS if nulls[c.name].sum() != c.warm_up] == []
        assert [c.name for c in COLUMNS if not nulls[c.name].head(c.warm_up).all()] == []

    def test_keeps_its_sense_when_the_currency_changes_by_a_power_of_two(self) -> None:
        bars = a_series(300)

        dear, cheap = computed(bars), computed(bars.with_columns(pl.col(PRICES) * 2.0**-40))

        for column in COLUMNS:
            expected = dear[column.name] * (2.0**-40 if column.unit is Unit.PRICE else 1.0)
            assert cheap[column.name].equals(expected), column.name

    @pytest.mark.parametrize("shape", ["walk", "ticks", "idle"])
    @pytest.mark.parametrize("cut", [7, 90, LONGEST + 40])  # inside most warm-ups, after most, after all
    def test_never_looks_ahead(self, shape: str, cut: int) -> None:
        assert columns_that_see_the_future(computed, a_series(cut + 70, shape=shape), cut=cut) == set()

    @pytest.mark.parametrize("shape", ["walk", "calm", "flat", "steps", "idle"])
    def test_stays_in_the_ranges_it_states(self, shape: str) -> None:
        bars = a_series(400, shape=shape)
        arrays = {name: bars[name].to_numpy() for name in (*PRICES, "volume")}

        for indicator in CATALOGUE:
            with np.errstate(all="ignore"):
                made = indicator.series(arrays)
            for column, values in zip(indicator.columns, made, strict=True):
                known = values[np.isfinite(values)]
                assert (known >= column.low - 1e-9).all(), column.name
                assert (known <= column.high + 1e-9).all(), column.name

    @pytest.mark.parametrize("rows", [0, 1, 2, 5])
    def test_is_null_or_finite_on_a_series_of_a_few_rows(self, rows: int) -> None:
        table = computed(a_series(rows))

        assert table.height == rows
        assert all(table[column.name].is_finite().fill_null(value=True).all() for column in COLUMNS)

    def test_oscillators_say_nothing_while_nothing_moves(self) -> None:
        last = computed(a_series(200, shape="flat")).row(-1, named=True)

        silent = ("willr_14", "mfi_14", "cmo_14", "stochf_k", "stochrsi_k", "ultimate", "kdj_k", "aroon_up_14")
        assert [last[name] for name in silent] == [None] * len(silent)
        assert last["true_range"] == 0.0


class TestTheRegistry:
    def test_finds_columns_and_families(self) -> None:
        (bands,) = TALIB_REGISTRY.named("bollinger")

        assert TALIB_REGISTRY.named("bb_pct") == (bands,)
        assert [c.name for i in TALIB_REGISTRY.named("sma") for c in i.columns] == [
            "sma_10", "sma_20", "sma_30", "sma_50", "sma_200",
        ]  # fmt: skip
        assert TALIB_REGISTRY.having(["bb_upper", "bollinger"]) == (bands,)

    def test_refuses_two_columns_of_one_name(self) -> None:
        with pytest.raises(ValueError, match="a column rsi_14"):
            Registry((INDICATORS[0], INDICATORS[0]))

    def test_leaves_what_decisions_are_made_from_alone(self) -> None:
        assert TALIB_REGISTRY.all[: len(INDICATORS)] == INDICATORS
        assert FEATURES_HASH == "f29e8c7129e45f4c"


class TestCandles:
    def test_an_engulfing_candle_and_a_doji_are_seen(self) -> None:
        bars = a_series(40, shape="calm")
        opened, close = bars["open"].to_list(), bars["close"].to_list()
        opened[-2:], close[-2:] = [100.0, 98.0], [99.0, 101.0]
        bars = bars.with_columns(
            open=pl.Series(opened), close=pl.Series(close),
            high=pl.Series([max(pair) + 0.1 for pair in zip(opened, close, strict=True)]),
            low=pl.Series([min(pair) - 0.1 for pair in zip(opened, close, strict=True)]),
        )  # fmt: skip

        table = features(bars, indicators=TALIB_REGISTRY.having(["cdlengulfing", "cdldoji"]))

        assert table["cdlengulfing"][-1] == 100.0
        assert table["cdldoji"][-1] == 0.0
