import statistics
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.market.features import COLUMNS, FEATURE_NAMES, WARM_UP, features, features_row
from evil2root.domain.market.frame import PRICES
from evil2root.domain.market.indicators import INDICATORS, Column, Floats, Indicator, Unit
from tests.domain.market.laws import differing_columns
from tests.domain.market.series import LEVELS, SHAPES, a_series, bars_closing_at, series

ROUNDING = 1e-9


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
class TestEveryColumn:
    def test_speaks_right_after_its_warm_up_and_not_before(self, column: Column) -> None:
        values = features(a_series(400))[column.name]

        assert values.head(column.warm_up).null_count() == column.warm_up
        assert values.slice(column.warm_up).null_count() == 0

    @pytest.mark.parametrize("rows", [0, 1, 2, 5])
    def test_is_null_or_finite_on_a_series_of_a_few_rows(self, column: Column, rows: int) -> None:
        values = features(a_series(rows))[column.name]

        assert values.len() == rows
        assert values.dtype == pl.Float64
        assert values.is_finite().fill_null(value=True).all()

    def test_keeps_its_sense_when_the_currency_changes_by_a_power_of_two(self, column: Column) -> None:
        bars = a_series(300)
        scaled = bars.with_columns(pl.col(PRICES) * 2.0**-40)

        dear, cheap = features(bars)[column.name], features(scaled)[column.name]

        assert cheap.equals(dear * 2.0**-40 if column.unit is Unit.PRICE else dear)


@settings(max_examples=150)
@given(bars=series())
def test_every_value_is_null_or_finite_and_in_its_range(bars: pl.DataFrame) -> None:
    table = features(bars)

    for column in COLUMNS:
        values = table[column.name].drop_nulls()
        assert values.is_finite().all(), column.name
        assert (values >= column.low).all(), column.name
        assert (values <= column.high).all(), column.name


@settings(max_examples=60)
@given(bars=series(rows_min=30), row=st.integers(0, 29), factor=st.sampled_from([1e6, 1e-6, 1e60, 1e300, 1e-300]))
def test_an_absurd_bar_leaves_no_nonsense_behind(bars: pl.DataFrame, row: int, factor: float) -> None:
    scale = pl.when(pl.int_range(pl.len()) == row).then(factor).otherwise(1.0)

    table = features(bars.with_columns((pl.col(PRICES) * scale).clip(5e-324, 1.7e308)))

    for column in COLUMNS:
        values = table[column.name].drop_nulls()
        assert values.is_finite().all(), column.name
        assert values.is_between(column.low, column.high).all(), column.name


def test_nothing_is_said_from_a_price_on_that_no_float_can_hold_beside_the_first() -> None:
    bars = bars_closing_at([1e-300] * 40 + [1e305] * 40)

    table = features(bars)

    assert table["sma_10"].slice(9, 31).null_count() == 0
    assert all(table[name].slice(40).null_count() == 40 for name in FEATURE_NAMES)


def test_clipping_to_the_range_only_removes_rounding() -> None:
    for shape in SHAPES:
        bars = a_series(400, shape=shape)
        arrays = {name: bars[name].to_numpy() for name in (*PRICES, "volume")}
        for indicator in INDICATORS:
            with np.errstate(all="ignore"):
                made = indicator.series(arrays)
            for column, values in zip(indicator.columns, made, strict=True):
                known = values[np.isfinite(values)]
                assert (known >= column.low - ROUNDING).all(), column.name
                assert (known <= column.high + ROUNDING).all(), column.name


class TestAFlatMarket:
    def test_has_no_rsi_stochastic_or_place_in_the_bands(self) -> None:
        table = features(a_series(100, shape="flat"))

        assert table.select("rsi_14", "stoch_k", "stoch_d", "bb_pct").null_count().row(0) == (100,) * 4

    def test_has_no_range_and_no_volatility(self) -> None:
        last = features(a_series(100, shape="flat")).row(-1, named=True)

        assert (last["atr_14"], last["bb_width"], last["vol_20"], last["ret_20"]) == (0.0, 0.0, 0.0, 0.0)

    def test_keeps_no_rsi_of_a_halt_that_outlasts_its_length(self) -> None:
        table = features(bars_closing_at([100.0 + day % 3 for day in range(40)] + [102.0] * 20))

        assert table["rsi_14"][52] is not None  # 13 bars without a move
        assert table["rsi_14"].slice(54).null_count() == 6


class TestAgainstOtherArithmetic:
    def test_scaling_by_a_power_of_two_loses_no_bit_of_ta_lib(self) -> None:
        bars = a_series(500)
        high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))

        table = features(bars)

        expected = {
            "rsi_14": talib.RSI(close, 14),
            "atr_14": talib.ATR(high, low, close, 14),
            "macd_hist": talib.MACD(close, 12, 26, 9)[2],
            "bb_lower": talib.BBANDS(close, 20, 2.0, 2.0)[2],
        }
        for name, values in expected.items():
            assert table[name].equals(pl.Series(name, values, nan_to_null=True)), name

    def test_the_slow_stochastic_is_ta_lib_s(self) -> None:
        bars = a_series(300)
        high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
        k, d = talib.STOCH(high, low, close, fastk_period=14, slowk_period=3, slowd_period=3)

        table = features(bars)

        np.testing.assert_allclose(table["stoch_k"].to_numpy()[17:], k[17:], rtol=0, atol=1e-9)
        np.testing.assert_allclose(table["stoch_d"].to_numpy()[17:], d[17:], rtol=0, atol=1e-9)

    def test_channel_volatility_and_volume_say_what_their_names_say(self) -> None:
        bars = a_series(120)
        high, low, close, volume = (bars[name].to_list() for name in ("high", "low", "close", "volume"))
        changes = [close[t] / close[t - 1] - 1.0 for t in range(1, 120)]

        row = features(bars).row(100, named=True)

        assert row["donchian_high_20"] == max(high[80:100])
        assert row["donchian_low_20"] == min(low[80:100])
        assert row["vol_20"] == pytest.approx(statistics.stdev(changes[80:100]), rel=1e-12)
        assert row["volume_ratio_20"] == pytest.approx(volume[100] / statistics.fmean(volume[80:100]), rel=1e-12)
        assert row["ret_5"] == close[100] / close[95] - 1.0
        assert row["sma_200"] is None
        assert row["sma_50"] == pytest.approx(statistics.fmean(close[51:101]), rel=1e-12)

    def test_bollinger_s_place_is_half_on_the_middle_band(self) -> None:
        row = features(a_series(60)).row(-1, named=True)
        width = row["bb_upper"] - row["bb_lower"]

        assert row["bb_pct"] == pytest.approx((row["close"] - row["bb_mid"]) / width + 0.5, abs=1e-9)
        assert row["bb_width"] == pytest.approx(width / row["bb_mid"], rel=1e-9)


class TestTheTable:
    def test_has_times_close_and_every_feature_once(self) -> None:
        table = features(a_series(3))

        assert table.columns == ["opened_at", "closed_at", "close", *FEATURE_NAMES]
        assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
        assert set(WARM_UP) == {"close", *FEATURE_NAMES}

    def test_comes_out_the_same_on_any_run_thread_and_place_in_memory(self) -> None:
        bars = a_series(1_000)
        shifted = pl.concat([bars.head(3), bars], rechunk=True).slice(3)

        first = features(bars)

        with ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(features, [bars, shifted, bars.rechunk(), bars.clone()]))
        assert [differing_columns(first, run) for run in runs] == [[], [], [], []]

    def test_can_be_rebuilt_one_row_at_a_time_from_stored_numbers(self) -> None:
        table = features(a_series(60)).select("close", *FEATURE_NAMES)

        rebuilt = features_row(table.row(-1, named=True))

        assert rebuilt.schema == table.schema
        assert differing_columns(rebuilt, table.tail(1)) == []


@pytest.mark.parametrize("indicator", INDICATORS, ids=lambda indicator: indicator.columns[0].name)
class TestWhatMayBeSpared:
    """The features write on what an indicator gives, scale only for those that need it, look only where needed."""

    def test_every_array_is_new(self, indicator: Indicator) -> None:
        arrays = _arrays(a_series(300))

        made = indicator.series(arrays)

        others = [*arrays.values(), *made]
        assert [sum(np.shares_memory(one, other) for other in others) for one in made] == [1] * len(made)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_a_plain_one_reads_any_currency_alike_to_the_last_bit(self, indicator: Indicator, shape: str) -> None:
        if not indicator.is_plain:
            return
        for level in LEVELS:
            arrays = _arrays(a_series(400, shape=shape, level=max(level, 1e-100)))  # lower, squares are no numbers
            cheap = {name: values if name == "volume" else values * 2.0**-40 for name, values in arrays.items()}
            with np.errstate(all="ignore"):
                pairs = zip(indicator.columns, indicator.series(arrays), indicator.series(cheap), strict=True)
            for column, one, other in pairs:
                expected = one * 2.0**-40 if column.unit is Unit.PRICE else one
                assert np.array_equal(other, expected, equal_nan=True), (column.name, level)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_a_tame_one_keeps_to_its_range_by_itself(self, indicator: Indicator, shape: str) -> None:
        if not indicator.is_tame:
            return
        for seed in range(5):
            with np.errstate(all="ignore"):
                made = indicator.series(_arrays(a_series(400, seed=seed, shape=shape, level=1.0)))
            for column, values in zip(indicator.columns, made, strict=True):
                known = values[~np.isnan(values)]
                assert np.isfinite(known).all(), column.name
                assert ((known >= column.low) & (known <= column.high)).all(), column.name


def test_a_place_in_bands_without_width_is_looked_for_on_every_path() -> None:
    bars = bars_closing_at(
        [100.0 + day % 5 for day in range(30)] + [104.0] * 25 + [100.0 + day % 5 for day in range(30)]
    )

    place = features(bars)["bb_pct"]

    assert place.slice(19).is_null().to_list() == [48 <= row < 55 for row in range(19, 85)]


@pytest.mark.parametrize("still", range(13, 18))
@pytest.mark.parametrize("before", range(20, 26))
def test_no_halt_of_fifteen_closes_slips_through_the_rsi_s_glance(still: int, before: int) -> None:
    closes = [100.0 + day % 3 for day in range(before)] + [105.0] * still + [100.0 + day % 3 for day in range(20)]

    silent = features(bars_closing_at(closes))["rsi_14"].slice(14).null_count()

    assert silent == max(0, still - 14)


def _arrays(bars: pl.DataFrame) -> dict[str, Floats]:
    return {name: bars[name].to_numpy() for name in (*PRICES, "volume")}


def test_a_column_with_an_impossible_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"low 1\.0 below high 0\.0"):
        Column(name="odd", unit=Unit.RATIO, warm_up=0, low=1.0, high=0.0)
