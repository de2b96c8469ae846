"""What the sources say, and the laws that hold for each. A new source in `SOURCES` is under them by being there."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.market.features import FEATURE_NAMES, features, features_row
from evil2root.domain.market.window import features_series
from evil2root.domain.signals.breakout import Breakout
from evil2root.domain.signals.mean_reversion import MeanReversion, rsi_zone
from evil2root.domain.signals.odds import PRIOR_P_MAX
from evil2root.domain.signals.panel import SOURCES, p_ups
from evil2root.domain.signals.source import Source
from evil2root.domain.signals.trend_following import TrendFollowing
from evil2root.domain.signals.values import P_UP_MIN
from tests.domain.market.laws import columns_that_see_the_future, differing_columns
from tests.domain.market.series import a_series, series

VALUES = st.none() | st.floats(-1e300, 1e300) | st.sampled_from([0.0, 20.0, 30.0, 50.0, 70.0, 100.0])
ROWS = st.fixed_dictionaries(dict.fromkeys(("close", *FEATURE_NAMES), VALUES))


def a_row(**changes: float | None) -> dict[str, float | None]:
    """A quiet row on which every source has its inputs."""
    calm: dict[str, float | None] = {
        "close": 100.0, "sma_20": 100.0, "sma_50": 100.0, "sma_200": 100.0, "macd_hist": 0.0, "adx_14": 15.0,
        "atr_14": 2.0, "rsi_14": 50.0, "bb_pct": 0.5, "bb_upper": 104.0, "bb_lower": 96.0,
        "donchian_high_20": 105.0, "donchian_low_20": 95.0, "volume_ratio_20": 1.0,
    }  # fmt: skip
    return calm | changes


def p_up_of(source: Source, row: dict[str, float | None]) -> float | None:
    value: float | None = source.p_up(features_row(row))[0]
    return value


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
class TestEverySource:
    @settings(max_examples=30)
    @given(bars=series(rows_max=300), data=st.data())
    def test_does_not_see_the_future(self, source: Source, bars: pl.DataFrame, data: st.DataObject) -> None:
        cut = data.draw(st.integers(0, bars.height))

        seen = columns_that_see_the_future(lambda b: p_ups(features(b), sources=(source,)), bars, cut=cut)

        assert seen == set()

    @settings(max_examples=30)
    @given(bars=series(rows_min=1, rows_max=300), data=st.data())
    def test_says_on_one_row_alone_what_it_says_in_the_series(
        self, source: Source, bars: pl.DataFrame, data: st.DataObject
    ) -> None:
        row = data.draw(st.integers(0, bars.height - 1))
        table = features(bars)
        stored = table.select("close", *FEATURE_NAMES).row(row, named=True)

        alone = p_ups(features_row(stored), sources=(source,))

        assert differing_columns(alone, p_ups(table, sources=(source,)).slice(row, 1)) == []

    @settings(max_examples=200)
    @given(row=ROWS)
    def test_speaks_within_its_prior_or_abstains_and_says_which(
        self, source: Source, row: dict[str, float | None]
    ) -> None:
        p_up = p_up_of(source, row)

        reason = source.reason(row)

        assert p_up is None or abs(p_up - 0.5) <= PRIOR_P_MAX - 0.5 + 1e-12
        assert reason.startswith("Abstains: ") == (p_up is None)
        assert reason.endswith(".")
        assert "\n" not in reason

    def test_is_silent_in_its_warm_up_and_speaks_some_time_after(self, source: Source) -> None:
        said = source.p_up(features(a_series(1_000)))

        assert said.head(source.warm_up).null_count() == source.warm_up
        assert 0 < said.null_count() < said.len()
        assert said.name == source.name

    @pytest.mark.parametrize("rows", [0, 1, 5])
    def test_abstains_on_a_series_of_a_few_rows(self, source: Source, rows: int) -> None:
        said = source.p_up(features(a_series(rows)))

        assert said.len() == said.null_count() == rows
        assert said.dtype == pl.Float64

    def test_abstains_in_a_flat_market(self, source: Source) -> None:
        said = source.p_up(features(a_series(300, shape="flat")))

        assert said.null_count() == 300

    def test_reads_only_the_columns_it_names(self, source: Source) -> None:
        table = features(a_series(400))

        assert source.p_up(table.select(source.inputs)).equals(source.p_up(table))


def test_sources_say_the_same_live_and_in_a_backtest() -> None:
    bars = a_series(700)
    whole = p_ups(features_series(bars, window_bars=512))

    assert whole.height == 700
    assert differing_columns(whole.tail(1), p_ups(features(bars.slice(256)).tail(1))) == []


UP = {"close": 110.0, "sma_20": 106.0, "sma_50": 102.0, "sma_200": 95.0, "macd_hist": 0.6, "adx_14": 40.0}


class TestTrendFollowing:
    def test_is_as_sure_as_its_prior_allows_when_everything_points_up(self) -> None:
        assert p_up_of(TrendFollowing(), a_row(**UP)) == pytest.approx(PRIOR_P_MAX)

    def test_mirrors_a_falling_stack(self) -> None:
        down = a_row(
            **{name: 200.0 - value for name, value in UP.items()},
        )
        down |= {"macd_hist": -0.6, "adx_14": 40.0}

        assert p_up_of(TrendFollowing(), down) == pytest.approx(1.0 - PRIOR_P_MAX)

    def test_believes_a_weak_trend_half_as_much(self) -> None:
        weak = p_up_of(TrendFollowing(), a_row(**UP | {"adx_14": 20.0}))

        assert weak is not None
        assert 0.59 < weak < 0.61  # logistic of half the slope

    def test_abstains_without_a_trend(self) -> None:
        row = a_row(**UP | {"adx_14": 19.9})

        assert p_up_of(TrendFollowing(), row) is None
        assert TrendFollowing().reason(row) == "Abstains: ADX 19.9 is below 20, there is no trend."

    def test_says_how_the_averages_stand(self) -> None:
        assert TrendFollowing().reason(a_row(**UP)) == (
            "Close 110 above SMA 20 106, above SMA 50 102, above SMA 200 95; MACD histogram +0.6; ADX 40, a trend."
        )

    def test_abstains_without_range(self) -> None:
        row = a_row(**UP | {"atr_14": 0.0})

        assert p_up_of(TrendFollowing(), row) is None
        assert TrendFollowing().reason(row) == "Abstains: the price has no range (ATR 0)."

    def test_says_when_two_averages_are_one(self) -> None:
        assert "SMA 20 100, at SMA 50 100" in TrendFollowing().reason(a_row(adx_14=25.0))

    def test_leans_up_while_a_series_trends_up(self) -> None:
        said = TrendFollowing().p_up(features(a_series(600, shape="trend"))).drop_nulls()

        assert said.len() > 100
        assert (said > 0.5).sum() > 0.9 * said.len()


class TestMeanReversion:
    def test_expects_an_oversold_price_to_rise(self) -> None:
        row = a_row(rsi_14=25.0, bb_pct=-0.1)

        assert p_up_of(MeanReversion(), row) == pytest.approx(PRIOR_P_MAX)
        assert "RSI 25 is oversold" in MeanReversion().reason(row)

    def test_expects_an_overbought_price_to_fall(self) -> None:
        row = a_row(rsi_14=75.0, bb_pct=1.1)

        assert p_up_of(MeanReversion(), row) == pytest.approx(1.0 - PRIOR_P_MAX)
        assert "RSI 75 is overbought" in MeanReversion().reason(row)

    def test_expects_nothing_of_a_price_in_the_middle(self) -> None:
        assert p_up_of(MeanReversion(), a_row()) == 0.5

    def test_abstains_in_a_trend(self) -> None:
        row = a_row(rsi_14=25.0, bb_pct=-0.1, adx_14=20.0)

        assert p_up_of(MeanReversion(), row) is None
        assert MeanReversion().reason(row) == "Abstains: ADX 20 is not below 20, there is a trend."

    @pytest.mark.parametrize(
        ("rsi", "zone"), [(70.0, "neutral"), (70.1, "overbought"), (30.0, "neutral"), (29.9, "oversold")]
    )
    def test_names_the_zones_as_the_trade_does(self, rsi: float, zone: str) -> None:
        assert rsi_zone(rsi) == zone


class TestBreakout:
    def test_is_surest_of_a_far_break_on_double_volume_out_of_wide_bands(self) -> None:
        row = a_row(close=107.0, volume_ratio_20=2.0)

        assert p_up_of(Breakout(), row) == pytest.approx(PRIOR_P_MAX)
        assert Breakout().reason(row) == (
            "Close 107 is 1.00 ATR above the 20-bar high 105; volume 2.00 times the usual; "
            "half the Bollinger width is 2.00 ATR."
        )

    def test_expects_a_break_downwards_to_go_on(self) -> None:
        assert p_up_of(Breakout(), a_row(close=93.0, volume_ratio_20=2.0)) == pytest.approx(1.0 - PRIOR_P_MAX)

    def test_is_less_sure_when_volume_is_usual_and_as_unsure_when_none_is_known(self) -> None:
        usual = p_up_of(Breakout(), a_row(close=107.0))
        unknown = p_up_of(Breakout(), a_row(close=107.0, volume_ratio_20=None))

        assert usual is not None
        assert 0.5 < usual < PRIOR_P_MAX - 0.01
        assert unknown == usual
        assert "no volume known" in Breakout().reason(a_row(close=107.0, volume_ratio_20=None))

    @pytest.mark.parametrize("close", [95.0, 100.0, 105.0])
    def test_abstains_inside_the_channel_and_on_its_edge(self, close: float) -> None:
        row = a_row(close=close)

        assert p_up_of(Breakout(), row) is None
        assert "inside its 20-bar channel, 95 to 105" in Breakout().reason(row)


def test_a_reason_names_what_is_still_warming_up() -> None:
    row = a_row(sma_200=None, adx_14=None)

    assert TrendFollowing().reason(row) == "Abstains: no value yet for sma_200, adx_14."


def test_every_prior_lies_inside_what_a_signal_may_say() -> None:
    assert P_UP_MIN < 1.0 - PRIOR_P_MAX
    assert np.isfinite(P_UP_MIN)
