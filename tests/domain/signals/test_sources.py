"""What the sources say, and the laws that hold for each. A new source in `SOURCES` is under them by being there."""

from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.features import features_row
from evil2root.domain.market.window import windowed
from evil2root.domain.signals.breakout import Breakout
from evil2root.domain.signals.higher_trend import HigherTrend
from evil2root.domain.signals.inputs import INPUT_NAMES, inputs
from evil2root.domain.signals.mean_reversion import MeanReversion, rsi_zone
from evil2root.domain.signals.momentum import Momentum
from evil2root.domain.signals.odds import PRIOR_P_MAX
from evil2root.domain.signals.panel import SOURCES, evidence_table, p_ups, views
from evil2root.domain.signals.source import Source, reason
from evil2root.domain.signals.trend_following import TrendFollowing
from evil2root.domain.signals.values import P_UP_MIN
from evil2root.domain.signals.volatility_regime import VolatilityRegime
from evil2root.domain.signals.volume_flow import VolumeFlow
from tests.domain.market.laws import columns_that_see_the_future, differing_columns
from tests.domain.market.series import a_series, series

VALUES = st.none() | st.floats(-1e300, 1e300) | st.sampled_from([0.0, 20.0, 30.0, 50.0, 70.0, 100.0])
ROWS = st.fixed_dictionaries(dict.fromkeys(INPUT_NAMES, VALUES))


def a_row(**changes: float | None) -> dict[str, float | None]:
    """A quiet row on which every source has its inputs."""
    calm: dict[str, float | None] = {
        "close": 100.0, "sma_20": 100.0, "sma_50": 100.0, "sma_200": 100.0, "macd_hist": 0.0, "adx_14": 15.0,
        "atr_14": 2.0, "rsi_14": 50.0, "bb_pct": 0.5, "bb_upper": 104.0, "bb_lower": 96.0, "z_50": 0.0, "stoch_k": 50.0,
        "donchian_high_20": 105.0, "donchian_low_20": 95.0, "volume_ratio_20": 1.0, "squeeze_10": 0.0,
        "supertrend_side_10": 1.0, "ret_20": 0.0, "ret_60": 0.0, "ret_120": 0.0, "vol_20": 0.01, "vol_usual_252": 0.01,
        "obv_pressure_20": 0.0, "mfi_14": 50.0, "cmf_20": 0.0, "vwma_20": 100.0, "higher_close": 100.0,
        "higher_sma_10": 100.0, "higher_sma_30": 100.0, "higher_range_14": 4.0, "rank_ret_120": None,
    }  # fmt: skip
    return calm | changes


def p_up_of(source: Source, row: dict[str, float | None]) -> float | None:
    value: float | None = p_ups(features_row(row), sources=(source,))[source.name][0]
    return value


def reason_of(source: Source, row: dict[str, float | None]) -> str:
    weighed = source.weigh(features_row(row))
    return reason(source, row, score=float(weighed.scores[0]), parts=[float(part[0]) for part in weighed.parts])


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
class TestEverySource:
    @settings(max_examples=60)
    @given(row=ROWS)
    def test_speaks_within_its_prior_or_abstains_and_says_which(
        self, source: Source, row: dict[str, float | None]
    ) -> None:
        p_up = p_up_of(source, row)

        said = reason_of(source, row)

        assert p_up is None or abs(p_up - 0.5) <= PRIOR_P_MAX - 0.5 + 1e-12
        assert said.startswith("Abstains: ") == (p_up is None)
        assert said.endswith(".")
        assert "\n" not in said

    def test_is_silent_in_its_warm_up_and_speaks_some_time_after(self, source: Source) -> None:
        said = p_ups(inputs(a_series(1_000), interval=Interval.D1, session=NEW_YORK), sources=(source,))[source.name]

        assert said.head(source.warm_up).null_count() == source.warm_up
        assert 0 < said.null_count() < said.len()

    @pytest.mark.parametrize("rows", [0, 1, 5])
    def test_abstains_on_a_series_of_a_few_rows(self, source: Source, rows: int) -> None:
        said = p_ups(evidence_table(a_series(rows), interval=Interval.D1, session=NEW_YORK), sources=(source,))[
            source.name
        ]

        assert said.len() == said.null_count() == rows
        assert said.dtype == pl.Float64

    def test_abstains_in_a_flat_market(self, source: Source) -> None:
        said = p_ups(inputs(a_series(400, shape="flat"), interval=Interval.D1, session=NEW_YORK), sources=(source,))[
            source.name
        ]

        assert said.null_count() == 400

    def test_reads_only_the_columns_it_names(self, source: Source) -> None:
        table = inputs(a_series(400), interval=Interval.D1, session=NEW_YORK)

        alone = source.weigh(table.select(source.inputs)).scores

        assert np.array_equal(alone, source.weigh(table).scores, equal_nan=True)

    def test_forgets_what_lies_more_than_300_bars_back(self, source: Source) -> None:
        bars = a_series(2_000, seed=5)
        whole = source.weigh(inputs(bars, interval=Interval.D1, session=NEW_YORK)).scores[-1]

        late = source.weigh(inputs(bars.tail(300), interval=Interval.D1, session=NEW_YORK)).scores[-1]

        assert late == pytest.approx(whole, abs=1e-3, nan_ok=True)


@settings(max_examples=12)
@given(bars=series(rows_max=400), data=st.data())
def test_no_source_sees_the_future_not_even_while_warming_up(bars: pl.DataFrame, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, bars.height) | st.integers(0, min(60, bars.height)))

    seen = columns_that_see_the_future(_evidence_and_p_ups, bars, cut=cut)

    assert seen == set()


def _evidence_and_p_ups(bars: pl.DataFrame) -> pl.DataFrame:
    table = evidence_table(bars, interval=Interval.D1, session=NEW_YORK)
    return table.hstack(p_ups(table).get_columns())


@settings(max_examples=15)
@given(bars=series(rows_min=1, rows_max=400), data=st.data())
def test_sources_say_on_one_row_alone_what_they_say_in_the_series(bars: pl.DataFrame, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, bars.height - 1))
    table = evidence_table(bars, interval=Interval.D1, session=NEW_YORK)
    stored = table.drop("opened_at", "closed_at").row(row, named=True)

    alone = p_ups(features_row(stored))

    assert differing_columns(alone, p_ups(table).slice(row, 1)) == []


def test_sources_say_the_same_live_and_in_a_backtest() -> None:
    bars = a_series(700)
    whole = p_ups(windowed(bars, partial(evidence_table, interval=Interval.D1, session=NEW_YORK), window_bars=512))

    assert whole.height == 700
    assert (
        differing_columns(
            whole.tail(1), p_ups(evidence_table(bars.slice(256), interval=Interval.D1, session=NEW_YORK).tail(1))
        )
        == []
    )


def test_a_view_names_the_score_its_largest_parts_and_where_the_probability_is_from() -> None:
    ((signals, _),) = views(features_row(a_row(**UP)))

    assert signals[0].reason == (
        "P(up) 0.70, a prior (0 of 300 outcomes known). Score +1.00: close 110 above SMA 20 106, above SMA 50 102, "
        "above SMA 200 95 at ADX 40, a trend (+0.50); MACD histogram +0.6 (+0.17); SuperTrend up (+0.17)."
    )


@pytest.mark.parametrize(
    ("slope", "says"),
    [
        (-0.4, "P(up) 0.55 (0.65 at score 0, by 812 past outcomes; they turn the score around). Score +1.00: "),
        (0.4, "P(up) 0.73 (0.65 at score 0, by 812 past outcomes). Score +1.00: "),
    ],
)
def test_a_reason_tells_the_drift_apart_from_what_the_score_adds(slope: float, says: str) -> None:
    name = TrendFollowing().name
    fitted = {f"platt_slope_{name}": slope, f"platt_base_{name}": 0.6, f"platt_outcomes_{name}": 812.0}

    ((signals, _),) = views(features_row(a_row(**UP) | fitted))

    (told,) = (signal for signal in signals if signal.source == name)
    assert told.reason.startswith(says)
    assert says.startswith(f"P(up) {told.p_up:.2f}")


UP = {
    "close": 110.0, "sma_20": 106.0, "sma_50": 102.0, "sma_200": 95.0, "macd_hist": 0.6, "adx_14": 40.0,
    "donchian_high_20": 110.0, "donchian_low_20": 90.0,
}  # fmt: skip


class TestTrendFollowing:
    def test_is_as_sure_as_its_prior_allows_when_everything_points_up(self) -> None:
        assert p_up_of(TrendFollowing(), a_row(**UP)) == pytest.approx(PRIOR_P_MAX)

    def test_mirrors_a_falling_stack(self) -> None:
        down = a_row(**{name: 200.0 - value for name, value in UP.items()})
        down |= {"macd_hist": -0.6, "adx_14": 40.0, "supertrend_side_10": -1.0}
        down |= {"donchian_high_20": 110.0, "donchian_low_20": 90.0}

        assert p_up_of(TrendFollowing(), down) == pytest.approx(1.0 - PRIOR_P_MAX)

    def test_believes_a_weak_trend_half_as_much(self) -> None:
        weak = p_up_of(TrendFollowing(), a_row(**UP | {"adx_14": 20.0}))

        assert weak is not None
        assert 0.59 < weak < 0.61  # logistic of half the slope

    def test_abstains_without_a_trend_and_says_how_far_one_is(self) -> None:
        row = a_row(**UP | {"adx_14": 19.5})

        assert p_up_of(TrendFollowing(), row) is None
        assert reason_of(TrendFollowing(), row) == "Abstains: ADX 19.5 is 0.5 short of 20, there is no trend."

    def test_abstains_without_range(self) -> None:
        row = a_row(**UP | {"atr_14": 0.0})

        assert p_up_of(TrendFollowing(), row) is None
        assert reason_of(TrendFollowing(), row) == "Abstains: the price has no range (ATR 0)."

    def test_says_when_two_averages_are_one(self) -> None:
        assert "SMA 20 100, at SMA 50 100" in TrendFollowing().phrases(a_row(adx_14=25.0))[0]

    def test_leans_up_while_a_series_trends_up(self) -> None:
        said = p_ups(
            inputs(a_series(600, shape="trend"), interval=Interval.D1, session=NEW_YORK), sources=(TrendFollowing(),)
        )["trend_following"].drop_nulls()

        assert said.len() > 100
        assert (said > 0.5).sum() > 0.9 * said.len()


class TestMeanReversion:
    def test_expects_an_oversold_price_to_rise(self) -> None:
        row = a_row(rsi_14=25.0, bb_pct=-0.1, z_50=-2.5, stoch_k=0.0)

        assert p_up_of(MeanReversion(), row) == pytest.approx(PRIOR_P_MAX)
        assert "RSI 25 is oversold" in reason_of(MeanReversion(), row)

    def test_expects_an_overbought_price_to_fall(self) -> None:
        row = a_row(rsi_14=75.0, bb_pct=1.1, z_50=2.5, stoch_k=100.0)

        assert p_up_of(MeanReversion(), row) == pytest.approx(1.0 - PRIOR_P_MAX)
        assert "RSI 75 is overbought" in reason_of(MeanReversion(), row)

    def test_has_nothing_to_say_of_a_price_in_the_middle(self) -> None:
        assert p_up_of(MeanReversion(), a_row()) is None
        assert "RSI 50 is neutral" in reason_of(MeanReversion(), a_row())

    def test_abstains_in_a_trend(self) -> None:
        row = a_row(rsi_14=25.0, bb_pct=-0.1, adx_14=20.0)

        assert p_up_of(MeanReversion(), row) is None
        assert reason_of(MeanReversion(), row) == "Abstains: ADX 20 is not below 20, there is a trend."

    @pytest.mark.parametrize(
        ("rsi", "zone"), [(70.0, "neutral"), (70.1, "overbought"), (30.0, "neutral"), (29.9, "oversold")]
    )
    def test_names_the_zones_as_the_trade_does(self, rsi: float, zone: str) -> None:
        assert rsi_zone(rsi) == zone


class TestBreakout:
    def test_is_surest_of_a_far_break_on_double_volume_out_of_a_squeeze_into_wide_bands(self) -> None:
        row = a_row(close=107.0, volume_ratio_20=2.0, squeeze_10=1.0)

        assert p_up_of(Breakout(), row) == pytest.approx(PRIOR_P_MAX)
        assert "Score +1.00: close 107 is 1.00 ATR above the 20-bar high 105 (+0.60)" in reason_of(Breakout(), row)
        assert "volume 2.00 times the usual (+0.20)" in reason_of(Breakout(), row)

    def test_expects_a_break_downwards_to_go_on(self) -> None:
        row = a_row(close=93.0, volume_ratio_20=2.0, squeeze_10=1.0)

        assert p_up_of(Breakout(), row) == pytest.approx(1.0 - PRIOR_P_MAX)

    def test_is_less_sure_when_volume_is_usual_and_as_unsure_when_none_is_known(self) -> None:
        usual = p_up_of(Breakout(), a_row(close=107.0))
        unknown = p_up_of(Breakout(), a_row(close=107.0, volume_ratio_20=None))

        assert usual is not None
        assert 0.5 < usual < PRIOR_P_MAX - 0.01
        assert unknown == usual
        assert "volume" not in reason_of(Breakout(), a_row(close=107.0, volume_ratio_20=None))

    @pytest.mark.parametrize("close", [95.0, 100.0, 105.0])
    def test_abstains_inside_the_channel_and_on_its_edge(self, close: float) -> None:
        row = a_row(close=close)

        assert p_up_of(Breakout(), row) is None
        assert "inside its 20-bar channel, 95 to 105" in reason_of(Breakout(), row)


class TestMomentum:
    def test_goes_with_three_returns_that_agree(self) -> None:
        row = a_row(ret_20=0.2, ret_60=0.3, ret_120=0.5)

        assert p_up_of(Momentum(), row) == pytest.approx(PRIOR_P_MAX)
        assert "+20.0% over 20 bars" in reason_of(Momentum(), row)

    def test_abstains_where_they_do_not(self) -> None:
        row = a_row(ret_20=-0.2, ret_60=0.3, ret_120=0.5)

        assert p_up_of(Momentum(), row) is None
        assert "do not agree" in reason_of(Momentum(), row)


class TestVolumeFlow:
    def test_goes_with_the_side_that_trades_more(self) -> None:
        row = a_row(obv_pressure_20=-0.6, mfi_14=15.0, cmf_20=-0.3, vwma_20=103.0)

        assert p_up_of(VolumeFlow(), row) == pytest.approx(1.0 - PRIOR_P_MAX)
        assert "1.50 ATR below VWAP" in VolumeFlow().phrases(row)[3]

    def test_has_nothing_to_say_where_nothing_is_traded(self) -> None:
        said = p_ups(
            inputs(a_series(400, shape="idle"), interval=Interval.D1, session=NEW_YORK), sources=(VolumeFlow(),)
        )["volume_flow"]

        assert said.null_count() == 400


class TestVolatilityRegime:
    @pytest.mark.parametrize(("now", "p_up"), [(0.005, PRIOR_P_MAX), (0.02, 1.0 - PRIOR_P_MAX), (0.0101, None)])
    def test_leans_up_when_calm_down_when_agitated_and_says_nothing_between(
        self, now: float, p_up: float | None
    ) -> None:
        assert p_up_of(VolatilityRegime(), a_row(vol_20=now)) == pytest.approx(p_up)


class TestHigherTrend:
    def test_confirms_a_trend_that_both_intervals_show(self) -> None:
        row = a_row(higher_close=112.0, higher_sma_10=108.0, close=110.0)

        assert p_up_of(HigherTrend(), row) == pytest.approx(PRIOR_P_MAX)

    def test_abstains_where_they_contradict_each_other(self) -> None:
        row = a_row(higher_close=112.0, higher_sma_10=108.0, close=90.0)

        assert p_up_of(HigherTrend(), row) is None
        assert "does not confirm" in reason_of(HigherTrend(), row)


def test_a_reason_names_what_is_still_warming_up() -> None:
    row = a_row(sma_200=None, adx_14=None)

    assert reason_of(TrendFollowing(), row) == "Abstains: no value yet for sma_200, adx_14."


def test_every_prior_lies_inside_what_a_signal_may_say() -> None:
    assert P_UP_MIN < 1.0 - PRIOR_P_MAX
