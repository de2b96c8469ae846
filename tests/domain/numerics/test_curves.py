import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.domain.numerics.curves import (
    YEAR,
    Curve,
    Drawdown,
    beta_alpha,
    drawdowns,
    falls,
    measure_curve,
    monthly_returns,
    returns,
    rolling_sharpe,
)

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

values = st.lists(st.floats(0.01, 1e6), min_size=2, max_size=60)


def days(count: int) -> list[datetime]:
    return [BEGIN + n * DAY for n in range(count)]


def by_returns(*steps: float) -> list[float]:
    curve = [100.0]
    for step in steps:
        curve.append(curve[-1] * (1 + step))
    return curve


def measured(curve: list[float]) -> Curve:
    return measure_curve(days(len(curve)), curve)


class TestMeasureCurve:
    def test_grows_by_a_tenth_in_one_year_and_by_the_root_in_two(self) -> None:
        one = measure_curve([BEGIN, BEGIN + YEAR], [100.0, 110.0])
        two = measure_curve([BEGIN, BEGIN + 2 * YEAR], [100.0, 121.0])

        assert one.cagr_frac == pytest.approx(0.10)
        assert two.return_frac == pytest.approx(0.21)
        assert two.cagr_frac == pytest.approx(0.10)
        assert two.periods_a_year == pytest.approx(0.5)

    def test_scales_by_the_returns_a_year_that_there_were(self) -> None:
        """Returns of +2 % and -1 % in turn: mean 0.005, sample spread 0.015 * sqrt(40 / 39), 365.25 a year."""
        curve = measured(by_returns(*[0.02, -0.01] * 20))

        spread = 0.015 * math.sqrt(40 / 39)
        assert curve.periods_a_year == pytest.approx(365.25)
        assert curve.volatility_frac == pytest.approx(spread * math.sqrt(365.25))
        assert curve.sharpe == pytest.approx(0.005 / spread * math.sqrt(365.25))
        assert curve.sortino == pytest.approx(0.005 / (0.01 * math.sqrt(0.5)) * math.sqrt(365.25))
        assert curve.best_frac == pytest.approx(0.02)
        assert curve.worst_frac == pytest.approx(-0.01)

    def test_widens_the_error_of_a_sharpe_ratio_for_what_is_not_normal(self) -> None:
        """One return of 3 % in four, else -0.5 %: skewness 2 / sqrt(3), kurtosis 7 / 3."""
        curve = measured(by_returns(*[0.03, -0.005, -0.005, -0.005] * 10))

        s = 0.00375 / (0.035 * math.sqrt(3 / 16) * math.sqrt(40 / 39))
        variance = (1 + s**2 / 2 - 2 / math.sqrt(3) * s + (7 / 3 - 3) / 4 * s**2) / 40
        assert curve.sharpe_error == pytest.approx(math.sqrt(variance * 365.25))
        assert curve.sharpe is not None
        assert curve.sharpe_error is not None
        low, high = curve.sharpe_interval or (0.0, 0.0)
        assert low < 0 < curve.sharpe < high
        assert high - low == pytest.approx(2 * 1.96 * curve.sharpe_error, rel=1e-4)

    def test_finds_the_deepest_fall_and_the_longest_way_back(self) -> None:
        curve = measured([100, 90, 100, 120, 60, 90, 96, 110, 120, 130])

        assert curve.max_drawdown_frac == 0.5
        assert curve.max_drawdown == Drawdown(
            depth_frac=0.5, peak_at=days(4)[3], trough_at=days(5)[4], recovered_at=days(9)[8], length=5 * DAY
        )
        assert curve.underwater_longest == 5 * DAY

    def test_counts_an_open_fall_until_the_last_point(self) -> None:
        curve = measured([100, 110, 99, 105])

        assert curve.max_drawdown is not None
        assert curve.max_drawdown.recovered_at is None
        assert curve.max_drawdown.length == 2 * DAY

    def test_divides_growth_by_the_deepest_fall(self) -> None:
        middle = BEGIN + YEAR / 2
        curve = measure_curve([BEGIN, middle, BEGIN + YEAR], [100, 80, 110])

        assert curve.calmar == pytest.approx(0.10 / 0.20)

    @pytest.mark.parametrize("level", [0.1, 100.0, 1e9])
    def test_gives_no_ratio_for_a_curve_that_stands_still(self, level: float) -> None:
        curve = measured([level] * 50)

        assert curve.return_frac == 0
        assert curve.volatility_frac == 0
        assert curve.max_drawdown_frac == 0
        assert curve.max_drawdown is None
        assert curve.sharpe is curve.sharpe_error is curve.sortino is curve.calmar is None

    def test_gives_no_ratio_for_equal_returns_that_differ_by_rounding_only(self) -> None:
        curve = measured(by_returns(*[0.01] * 60))

        assert curve.sharpe is None
        assert curve.sortino is None

    @pytest.mark.parametrize("count", [0, 1])
    def test_says_nothing_about_no_point_or_one(self, count: int) -> None:
        curve = measured([100.0] * count)

        assert curve.points == count
        assert curve.return_frac is curve.cagr_frac is curve.max_drawdown_frac is curve.sharpe is None

    def test_gives_no_yearly_growth_of_a_week_and_no_sharpe_of_a_handful(self) -> None:
        curve = measured(by_returns(0.01, 0.02, -0.01, 0.01, 0.03, 0.01, 0.02))

        assert curve.return_frac is not None
        assert curve.volatility_frac is not None
        assert curve.cagr_frac is curve.sharpe is curve.calmar is None

    @pytest.mark.parametrize("end", [0.0, -50.0])
    def test_says_when_a_curve_was_ruined_and_makes_no_returns_of_it(self, end: float) -> None:
        curve = measured([100.0] * 40 + [end, 20.0])

        assert curve.ruined_at == days(41)[40]
        assert curve.return_frac == pytest.approx(-0.8)
        assert curve.max_drawdown_frac == 1
        assert curve.cagr_frac is curve.volatility_frac is curve.sharpe is curve.sortino is curve.calmar is None

    def test_says_of_a_curve_that_starts_at_nothing_only_that(self) -> None:
        curve = measured([0.0, 100.0])

        assert curve.ruined_at == BEGIN
        assert curve.return_frac is None

    def test_gives_no_growth_that_is_beyond_numbers(self) -> None:
        assert measure_curve([BEGIN, BEGIN + 40 * DAY], [1.0, 1e60]).cagr_frac is None

    def test_refuses_times_that_do_not_rise_and_values_that_are_no_numbers(self) -> None:
        with pytest.raises(ValueError, match="times must rise"):
            measure_curve([BEGIN, BEGIN], [1.0, 2.0])
        with pytest.raises(ValueError, match="is nan; it must be a finite number"):
            measured([1.0, math.nan])
        with pytest.raises(ValueError, match="2 times for 1 values"):
            measure_curve(days(2), [1.0])


@given(values, st.sampled_from([0.5, 4.0, 1024.0]))
def test_a_curve_in_another_currency_has_the_same_figures(curve: list[float], rate: float) -> None:
    assert measured([rate * value for value in curve]) == measured(curve)


@given(values)
def test_falls_lie_between_nothing_and_everything_and_are_found_whole(curve: list[float]) -> None:
    found = drawdowns(days(len(curve)), curve)

    depth = falls(curve)
    assert ((depth >= 0) & (depth <= 1)).all()
    assert max((fall.depth_frac for fall in found), default=0.0) == depth.max()
    assert sum(fall.recovered_at is None for fall in found[:-1]) == 0
    for fall in found:
        assert fall.peak_at < fall.trough_at <= fall.peak_at + fall.length


@given(values)
def test_months_multiply_to_the_whole(curve: list[float]) -> None:
    months = monthly_returns(days(len(curve)), curve)

    assert math.prod(1 + r for r in months.values()) == pytest.approx(curve[-1] / curve[0])


def test_a_month_runs_from_the_last_point_before_it_to_its_last_point() -> None:
    times = [datetime(2024, 1, 30, tzinfo=UTC), datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)]

    assert monthly_returns(times, [100.0, 110.0, 99.0]) == {
        (2024, 1): pytest.approx(0.10),
        (2024, 2): pytest.approx(-0.10),
    }


def test_a_month_that_starts_with_nothing_has_no_return() -> None:
    times = [datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4)]

    months = monthly_returns(times, [10.0, 0.0, 5.0, 6.0])

    assert months == {(2024, 1): 0.0, (2024, 2): -1.0, (2024, 4): pytest.approx(0.2)}


def test_a_rolling_sharpe_sees_its_window_only() -> None:
    curve = by_returns(*[0.5, -0.3] * 40, *[0.02, -0.01] * 20)

    early, before, whole = rolling_sharpe(curve, window=40, at=[39, 80, 120])

    assert early is None
    assert before == pytest.approx(0.1 / (0.4 * math.sqrt(40 / 39)))
    assert whole == pytest.approx(0.005 / (0.015 * math.sqrt(40 / 39)))


class TestBetaAlpha:
    MARKET = np.array([0.01, -0.005, 0.002] * 20)

    def test_finds_what_a_line_was_made_of(self) -> None:
        beta, alpha = beta_alpha(0.0001 + 1.5 * self.MARKET, self.MARKET, 252.0)

        assert beta == pytest.approx(1.5)
        assert alpha == pytest.approx(0.0252)

    def test_has_no_answer_beside_a_market_that_stands_still(self) -> None:
        assert beta_alpha(self.MARKET, np.zeros(60), 252.0) == (None, None)
        assert beta_alpha(self.MARKET[:5], self.MARKET[:5], 252.0) == (None, None)


def test_returns_are_simple() -> None:
    assert returns([100.0, 110.0, 99.0]).tolist() == pytest.approx([0.10, -0.10])
