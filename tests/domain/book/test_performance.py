from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.domain.book.performance import measure, round_trips
from evil2root.domain.numerics.curves import YEAR
from tests.domain.book.books import DAY, a_fill, a_trade, points_of

moves = st.lists(st.floats(0.9, 1.1), min_size=35, max_size=60)


def curve_of(steps: list[float]) -> list[float]:
    curve = [100.0]
    for step in steps:
        curve.append(round(curve[-1] * step, 6))
    return curve


class TestRoundTrips:
    def test_adds_up_gains_and_losses(self) -> None:
        trades = [
            a_trade("30", risk="10", held=4 * DAY),
            a_trade("10", risk="10", held=2 * DAY),
            a_trade("-16", risk="8", held=3 * DAY),
            a_trade("0", risk=None, held=DAY),
        ]

        summed = round_trips(trades)

        assert (summed.count, summed.won, summed.lost) == (4, 2, 1)
        assert summed.win_rate_frac == 0.5
        assert summed.profit_factor == 2.5
        assert summed.expectancy == Decimal(6)
        assert summed.expectancy_r == pytest.approx(2 / 3)
        assert summed.with_r == 3
        assert summed.average_win == Decimal(20)
        assert summed.average_loss == summed.worst == Decimal(-16)
        assert summed.best == Decimal(30)
        assert summed.holding_mean == timedelta(days=2.5)

    def test_has_no_profit_factor_without_a_losing_trade(self) -> None:
        summed = round_trips([a_trade("10"), a_trade("20")])

        assert summed.profit_factor is None
        assert summed.lost == 0
        assert summed.average_loss is None

    def test_has_a_profit_factor_of_zero_when_nothing_was_won(self) -> None:
        assert round_trips([a_trade("-1")]).profit_factor == 0

    def test_says_none_where_there_was_no_trade(self) -> None:
        summed = round_trips([])

        assert summed.count == 0
        assert summed.win_rate_frac is None
        assert summed.expectancy is summed.best is None
        assert summed.holding_mean is None

    @given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30))
    def test_never_wins_more_than_all_and_the_mean_lies_between_best_and_worst(self, results: list[int]) -> None:
        summed = round_trips([a_trade(str(result)) for result in results])

        assert summed.win_rate_frac is not None
        assert 0 <= summed.win_rate_frac <= 1
        assert summed.worst is not None
        assert summed.expectancy is not None
        assert summed.best is not None
        assert summed.worst - Decimal("1e-20") <= summed.expectancy <= summed.best + Decimal("1e-20")
        assert summed.won + summed.lost + results.count(0) == len(results)


class TestMeasure:
    def test_counts_the_bars_with_a_position_and_how_large_it_was(self) -> None:
        performance = measure(points_of([100, 100, 200, 100], gross=[0, 50, 300, 0]), trades=[], fills=[])

        assert performance.time_in_market_frac == 0.5
        assert performance.exposure_mean_frac == pytest.approx((0.5 + 1.5) / 4)

    def test_counts_what_the_fills_cost_as_a_share_of_what_was_earned_before_them(self) -> None:
        """Earned 6 after costs of 2 * (1 + 0.5) = 3; 2000 traded on a mean equity of 103 in half a year."""
        fills = [a_fill(quantity="10", price="100", fee="1", slippage="0.5")] * 2

        paid = measure(points_of([100, 106], every=YEAR / 2), trades=[], fills=fills).paid

        assert paid is not None
        assert paid.fills == 2
        assert [paid.fees, paid.slippage, paid.traded] == [Decimal(2), Decimal(1), Decimal(2000)]
        assert paid.share_of_gross_frac == pytest.approx(3 / 9)
        assert paid.turnover_a_year == pytest.approx(2000 / 103 / 0.5)

    def test_has_no_share_of_a_loss(self) -> None:
        paid = measure(points_of([100, 90]), trades=[], fills=[a_fill()]).paid

        assert paid is not None
        assert paid.share_of_gross_frac is None
        assert paid.turnover_a_year is None

    def test_says_that_costs_are_unknown_when_no_fills_were_given(self) -> None:
        assert measure(points_of([100, 101]), trades=[], fills=None).paid is None

    @pytest.mark.parametrize("count", [0, 1])
    def test_measures_no_point_or_one_without_inventing(self, count: int) -> None:
        performance = measure(points_of([100] * count), trades=[], fills=[])

        assert performance.account.points == count
        assert performance.account.return_frac is performance.beta is None
        assert performance.benchmark is None
        assert performance.trades.count == 0

    def test_leaves_the_benchmark_out_of_points_that_have_none(self) -> None:
        performance = measure(points_of([100, 100, 110], benchmark=[None, 100, 95]), trades=[], fills=[])

        assert performance.benchmark is not None
        assert performance.benchmark.points == 2
        assert performance.benchmark.return_frac == pytest.approx(-0.05)

    def test_measures_an_account_that_owes_more_than_it_had(self) -> None:
        performance = measure(
            points_of([100] * 40 + [-20], benchmark=[100] * 41, gross=[50] * 41), trades=[], fills=[a_fill()]
        )

        assert performance.account.return_frac == pytest.approx(-1.2)
        assert performance.account.max_drawdown_frac == 1
        assert performance.beta is None
        assert performance.exposure_mean_frac == pytest.approx(0.5)

    @given(moves)
    def test_an_account_that_is_its_benchmark_has_its_figures_and_a_beta_of_one(self, steps: list[float]) -> None:
        curve = curve_of(steps)

        performance = measure(points_of(curve, benchmark=list(curve)), trades=[], fills=[])

        assert performance.benchmark == performance.account
        if performance.account.sharpe is not None:
            assert performance.beta == pytest.approx(1)
            assert performance.alpha_frac == pytest.approx(0, abs=1e-9)
