from math import fsum, log

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.signals.fusion import Weights, fuse, fuse_series
from evil2root.domain.signals.odds import logistic, logit
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS, SOURCES, evidence_table, p_ups, views
from evil2root.domain.signals.values import P_UP_MIN, Opinion, Signal, View
from tests.domain.market.laws import columns_that_see_the_future
from tests.domain.market.series import a_series, series

NAMES = ("a", "b", "c", "d")
P = st.floats(P_UP_MIN, 1.0 - P_UP_MIN)
ROW = st.tuples(*[st.none() | P] * 4)


@st.composite
def weightings(draw: st.DrawFn) -> Weights:
    parts = draw(st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(any))
    return Weights.of({name: part / sum(parts) for name, part in zip(NAMES, parts, strict=True)})


def opinions(*p_ups_said: float | None) -> list[Opinion]:
    return [
        Opinion(source=name, version="1", horizon=5, p_up=p, reason="Because.")
        for name, p in zip(NAMES, p_ups_said, strict=False)
    ]


def equal_weights(*names: str) -> Weights:
    return Weights.of({name: 1.0 / len(names) for name in names})


class TestWeights:
    def test_must_sum_to_one_and_say_what_they_sum_to(self) -> None:
        with pytest.raises(ValueError, match=r"sum to 0\.9 instead of 1 \(a 0\.5, b 0\.4\)"):
            Weights.of({"a": 0.5, "b": 0.4})

    def test_may_be_off_by_rounding(self) -> None:
        Weights.of({str(i): 0.1 for i in range(10)})

    @pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
    def test_must_each_lie_between_zero_and_one(self, weight: float) -> None:
        with pytest.raises(ValueError, match=f"The weight of a is {weight}"):
            Weights.of({"a": weight, "b": 1.0 - weight})

    def test_are_given_once_a_source(self) -> None:
        with pytest.raises(ValueError, match="weighted twice among a, a"):
            Weights(by_source=(("a", 0.5), ("a", 0.5)))

    def test_can_not_be_none_at_all(self) -> None:
        with pytest.raises(ValueError, match="none given"):
            Weights.of({})

    def test_of_the_panel_cover_its_sources(self) -> None:
        assert [name for name, _ in DEFAULT_WEIGHTS.by_source] == [source.name for source in SOURCES]


class TestFuse:
    def test_of_one_voice_is_that_voice(self) -> None:
        signals, view = fuse(opinions(0.7, None), equal_weights("a", "b"))

        assert view is not None
        assert view.p_up == pytest.approx(0.7, abs=1e-15)
        assert (view.side, view.agreeing, view.speaking) == (Side.BUY, 1, 1)
        assert [(signal.weight, signal.p_up) for signal in signals] == [(1.0, 0.7), (0.0, None)]

    def test_weighs_log_odds(self) -> None:
        _, view = fuse(opinions(0.8, 0.3), Weights.of({"a": 0.25, "b": 0.75}))

        assert view is not None
        assert view.log_odds == pytest.approx(0.25 * log(4.0) + 0.75 * log(3.0 / 7.0))
        assert view.side is Side.SELL
        assert view.agreeing == 1

    def test_of_equal_opposites_leans_nowhere(self) -> None:
        _, view = fuse(opinions(0.3, 0.7), equal_weights("a", "b"))

        assert view is not None
        assert view.p_up == pytest.approx(0.5, abs=1e-15)

    def test_of_silence_is_no_view(self) -> None:
        signals, view = fuse(opinions(None, None), equal_weights("a", "b"))

        assert view is None
        assert [signal.contribution for signal in signals] == [0.0, 0.0]

    def test_of_the_weightless_is_no_view(self) -> None:
        signals, view = fuse(opinions(0.7, None), Weights.of({"a": 0.0, "b": 1.0}))

        assert view is None
        assert signals[0].p_up == 0.7

    def test_refuses_a_voice_without_weight_or_heard_twice(self) -> None:
        with pytest.raises(ValueError, match="b has no weight; weighted are a"):
            fuse(opinions(0.5, 0.5), equal_weights("a"))
        with pytest.raises(ValueError, match="spoke twice: a, a"):
            fuse([*opinions(0.5), *opinions(0.6)], equal_weights("a"))

    @given(said=ROW, weights=weightings())
    def test_stays_among_the_voices_and_adds_up_exactly(self, said: tuple[float | None, ...], weights: Weights) -> None:
        signals, view = fuse(opinions(*said), weights)

        assert [signal.p_up for signal in signals] == list(said)
        if view is None:
            assert all(signal.contribution == 0.0 for signal in signals)
            return
        heard = [signal.p_up for signal in signals if signal.weight > 0.0 and signal.p_up is not None]
        assert fsum(signal.contribution for signal in signals) == view.log_odds
        assert fsum(signal.weight for signal in signals) == pytest.approx(1.0)
        assert view.p_up == logistic(view.log_odds)
        assert min(heard) - 1e-12 <= view.p_up <= max(heard) + 1e-12
        assert -1.0 < view.score < 1.0

    @given(said=ROW, weights=weightings(), other=P)
    def test_ignores_what_the_weightless_say(
        self, said: tuple[float | None, ...], weights: Weights, other: float
    ) -> None:
        weightless = {name for name, weight in weights.by_source if weight == 0.0}
        changed = [other if name in weightless else p for name, p in zip(NAMES, said, strict=True)]

        before, after = fuse(opinions(*said), weights)[1], fuse(opinions(*changed), weights)[1]

        assert (before and before.p_up) == (after and after.p_up)


class TestFuseSeries:
    @given(rows=st.lists(ROW, max_size=30), weights=weightings())
    def test_equals_fuse_row_by_row_bit_for_bit(self, rows: list[tuple[float | None, ...]], weights: Weights) -> None:
        table = pl.DataFrame(rows, schema=dict.fromkeys(NAMES, pl.Float64()), orient="row")

        fused = fuse_series(table, weights)

        alone = [fuse(opinions(*row), weights)[1] for row in rows]
        assert fused.rows() == [(view.p_up, view.log_odds) if view else (None, None) for view in alone]
        assert fused.schema == {"p_up": pl.Float64, "log_odds": pl.Float64}

    def test_of_no_sources_has_no_views(self) -> None:
        assert fuse_series(pl.DataFrame(), DEFAULT_WEIGHTS).height == 0

    def test_refuses_what_no_signal_may_say(self) -> None:
        with pytest.raises(ValueError, match="among a lies outside"):
            fuse_series(pl.DataFrame({"a": [0.5, 1.0]}), equal_weights("a"))

    @settings(max_examples=40)
    @given(bars=series(), data=st.data())
    def test_does_not_see_the_future(self, bars: pl.DataFrame, data: st.DataObject) -> None:
        cut = data.draw(st.integers(0, bars.height))

        seen = columns_that_see_the_future(
            lambda b: fuse_series(p_ups(evidence_table(b, interval=Interval.D1, session=NEW_YORK)), DEFAULT_WEIGHTS),
            bars,
            cut=cut,
        )

        assert seen == set()


class TestViews:
    def test_are_one_pair_a_row_and_equal_the_series_of_numbers(self) -> None:
        table = evidence_table(a_series(600), interval=Interval.D1, session=NEW_YORK)

        pairs = views(table)

        fused = fuse_series(p_ups(table), DEFAULT_WEIGHTS)
        assert [view and view.p_up for _, view in pairs] == fused["p_up"].to_list()
        assert 0 < fused["p_up"].null_count() < 600
        assert all([signal.source for signal in signals] == [s.name for s in SOURCES] for signals, _ in pairs)


class TestValues:
    @pytest.mark.parametrize("p_up", [0.0, 1.0, -0.1, float("nan"), 1e-7])
    def test_nobody_is_surer_than_a_million_to_one(self, p_up: float) -> None:
        with pytest.raises(ValueError, match=f"a says p_up {p_up}; it must lie in"):
            opinions(p_up)

    def test_an_opinion_looks_ahead(self) -> None:
        with pytest.raises(ValueError, match="a speaks of 0 bars ahead"):
            Opinion(source="a", version="1", horizon=0, p_up=None, reason="None.")

    @pytest.mark.parametrize(
        ("p_up", "weight", "contribution", "said"),
        [(0.5, 1.5, 0.0, "weighs 1.5"), (0.5, 1.0, float("inf"), "adds inf"), (None, 0.5, 0.0, "abstained, yet")],
    )
    def test_a_signal_weighs_and_adds_what_is_possible(
        self, p_up: float | None, weight: float, contribution: float, said: str
    ) -> None:
        with pytest.raises(ValueError, match=said):
            Signal(
                source="a", version="1", horizon=1, p_up=p_up, weight=weight, contribution=contribution, reason="So."
            )

    def test_a_view_needs_a_probability_and_a_voice(self) -> None:
        with pytest.raises(ValueError, match="p_up lies inside"):
            View(p_up=1.0, log_odds=40.0, agreeing=1, speaking=1)
        with pytest.raises(ValueError, match="at least one must speak"):
            View(p_up=0.5, log_odds=0.0, agreeing=0, speaking=0)


@given(p=P)
def test_log_odds_and_probabilities_are_each_other_s_inverse(p: float) -> None:
    assert logistic(logit(p)) == pytest.approx(p, rel=1e-12)
    assert logit(0.5) == 0.0
    assert logistic(-800.0) == pytest.approx(0.0, abs=1e-300)
