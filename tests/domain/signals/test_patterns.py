from collections import Counter

import numpy as np
import polars as pl
import pytest

from evil2root.domain.market.frame import check_bars
from evil2root.domain.signals.patterns.candles import candlesticks
from evil2root.domain.signals.patterns.detect import FALSE_RATES, Pattern, patterns
from evil2root.domain.signals.patterns.outcomes import Record, outcome, records
from evil2root.domain.signals.patterns.pivots import pivots
from evil2root.domain.signals.patterns.shape import Direction
from tests.domain.market.series import SHAPES, a_series, poisoned
from tests.domain.signals.drawn import KINDS, drawn

CLEAN_OR_NOISY = (0.0, 0.01, 0.03)
"""Standard deviation of the noise as a share of the pattern's height."""


def kinds(bars: pl.DataFrame) -> set[str]:
    return {pattern.kind for pattern in patterns(bars, symbol="X")}


@pytest.mark.parametrize("kind", KINDS)
def test_at_least_nine_in_ten_are_found_clean_noisy_stretched_and_in_another_currency(kind: str) -> None:
    drawings = [
        drawn(kind, seed=seed, noise=noise, stretch=stretch, level=level)
        for seed, noise in enumerate(CLEAN_OR_NOISY)
        for stretch in (0.7, 1.0, 2.0)
        for level in (100.0, 1e-6)
    ]

    found = sum(kind in kinds(bars) for bars in drawings)

    check_bars(drawings[0])
    assert found >= 0.9 * len(drawings)


def test_the_kinds_that_are_drawn_are_all_there_are() -> None:
    assert set(KINDS) == set(FALSE_RATES)


@pytest.mark.long
def test_random_walks_show_no_more_than_the_stated_rates() -> None:
    counted = Counter(p.kind for seed in range(200) for p in patterns(a_series(500, seed=seed), symbol="X"))

    assert {kind: count / 200 for kind, count in counted.items() if count / 200 > FALSE_RATES[kind]} == {}


class TestNothingIsKnownTooEarly:
    @pytest.mark.parametrize("cut", [8, 61, 333])
    def test_hiding_or_poisoning_the_future_changes_nothing_confirmed_before(self, cut: int) -> None:
        for seed in range(3):
            bars = a_series(500, seed=seed)
            known = self.until(patterns(bars, symbol="X"), bars, cut)

            assert patterns(bars.head(cut), symbol="X") == known
            for factor in (1e6, 1e-6):
                spoiled = patterns(poisoned(bars, since=cut, factor=factor), symbol="X")
                assert self.until(spoiled, bars, cut) == known

    def until(self, found: tuple[Pattern, ...], bars: pl.DataFrame, cut: int) -> tuple[Pattern, ...]:
        return tuple(p for p in found if p.confirmed_at <= bars["closed_at"][cut - 1])

    def test_every_turn_of_a_pattern_is_over_when_it_is_confirmed(self) -> None:
        bars = a_series(1_000, seed=4)

        found = patterns(bars, symbol="X")

        assert len(found) > 10
        assert all(point[0] < p.confirmed_at for p in found for point in p.points)

    def test_a_pivot_is_confirmed_as_many_bars_later_as_it_reaches(self) -> None:
        high = np.array([1.0, 2.0, 5.0, 3.0, 2.0, 2.5, 2.0])

        (pivot,) = (p for p in pivots(high, high, reach=2) if p.is_high)

        assert (pivot.row, pivot.price, pivot.known) == (2, 5.0, 4)
        assert pivots(high[:4], high[:4], reach=2) == ()


class TestAPattern:
    def test_passes_through_the_very_highs_and_lows_of_its_bars(self) -> None:
        bars = a_series(1_000, seed=4)
        at = {row["opened_at"]: row for row in bars.iter_rows(named=True)}

        for pattern in patterns(bars, symbol="X"):
            for when, price in pattern.points:
                assert price in {at[when][name] for name in ("high", "low", "close")}, pattern.kind

    def test_has_target_breakout_and_invalidation_in_the_order_of_its_direction(self) -> None:
        found = [p for seed in range(5) for p in patterns(a_series(600, seed=seed), symbol="X")]

        assert {p.direction for p in found} == set(Direction)
        for p in found:
            levels = (p.invalidation, p.breakout, p.target)
            assert sorted(levels, reverse=p.direction is Direction.DOWN) == list(levels), p.kind
            assert 0.0 <= p.quality <= 1.0

    def test_keeps_its_id_as_long_as_its_turns_stay_and_no_other_has_it(self) -> None:
        bars = a_series(800, seed=2)
        ids = [p.id for p in patterns(bars, symbol="X")]

        assert [p.id for p in patterns(bars.head(500), symbol="X")] == ids[: len(patterns(bars.head(500), symbol="X"))]
        assert len(set(ids)) == len(ids)
        assert set(ids).isdisjoint(p.id for p in patterns(bars, symbol="Y"))

    def test_head_and_shoulders_says_what_a_trader_would(self) -> None:
        bars = drawn("head_and_shoulders", seed=1, noise=0.0)

        (found,) = (p for p in patterns(bars, symbol="X") if p.kind == "head_and_shoulders")

        prices = [price for _, price in found.points]
        assert prices[2] == max(prices)
        assert found.direction is Direction.DOWN
        assert found.breakout == pytest.approx(prices[1], rel=0.01)
        assert found.breakout - found.target == pytest.approx(prices[2] - prices[1], rel=0.05)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [0, 1, 6, 15, 200])
def test_any_series_is_looked_at_without_a_fault(shape: str, rows: int) -> None:
    bars = a_series(rows, shape=shape)

    assert all(p.target > 0.0 for p in (*patterns(bars, symbol="X"), *candlesticks(bars, symbol="X")))


class TestCandlesticks:
    def test_are_named_as_in_ta_lib_and_known_at_their_bar_s_close(self) -> None:
        bars = a_series(120)
        closes = dict(zip(bars["opened_at"], bars["closed_at"], strict=True))

        found = candlesticks(bars, symbol="X")

        assert {"CDLDOJI", "CDLENGULFING"} & {p.kind for p in found}
        assert all(p.confirmed_at == closes[p.points[0][0]] for p in found)
        assert candlesticks(bars.head(60), symbol="X") == tuple(
            p for p in found if p.confirmed_at <= bars["closed_at"][59]
        )


class TestTheRecord:
    def test_says_which_level_came_first_and_counts_a_bar_that_touches_both_as_failed(self) -> None:
        bars = drawn("double_bottom", seed=1, noise=0.0)
        (pattern,) = (p for p in patterns(bars, symbol="X") if p.kind == "double_bottom")
        after = bars.with_columns(pl.col("opened_at", "closed_at") + pl.duration(days=5_000)).head(1)
        both = after.with_columns(low=pl.lit(1e-9), high=pl.lit(1e9))
        higher = after.with_columns(low=pl.lit(pattern.breakout), high=pl.lit(pattern.target))

        assert outcome(pattern, both) is False
        assert outcome(pattern, higher) is True
        assert outcome(pattern, bars.head(0)) is None
        assert records([pattern], higher)["double_bottom"].reached == 1

    def test_its_interval_is_wilson_s(self) -> None:
        assert Record(kind="flag", reached=8, failed=2, undecided=5).interval == pytest.approx(
            (0.4902, 0.9433), abs=1e-4
        )
        assert Record(kind="flag", reached=0, failed=0, undecided=5).interval is None
