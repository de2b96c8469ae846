from collections import Counter
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.frame import check_bars
from evil2root.domain.signals.patterns.candles import candlesticks
from evil2root.domain.signals.patterns.detect import FALSE_RATES, Pattern, patterns
from evil2root.domain.signals.patterns.pivots import pivots
from evil2root.domain.signals.patterns.shape import Direction
from tests.domain.market.series import SHAPES, a_series, poisoned
from tests.domain.signals.drawn import KINDS, drawn, walked

CLEAN_OR_NOISY = (0.0, 0.01, 0.03)
"""Standard deviation of the noise as a share of the pattern's height."""


WALKS_WITH_LATE_ONES = (9, 13, 16, 25, 36, 47)
"""Seeds of walks with figures at whose confirmation target or invalidation had been met."""
WALKS_WITH_REPEATS = (14, 29, 39, 53)
"""Seeds of walks with swings that fit the rules of several kinds."""
ROUNDINGS = ("rounding_bottom", "rounding_top")
"""Their last turn is the bar that confirms them."""


def found_in(bars: pl.DataFrame, *, symbol: str = "X", interval: Interval = Interval.D1) -> tuple[Pattern, ...]:
    return patterns(bars, symbol=symbol, interval=interval)


def kinds(bars: pl.DataFrame) -> set[str]:
    return {pattern.kind for pattern in found_in(bars)}


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
    counted = Counter(p.kind for seed in range(200) for p in found_in(a_series(500, seed=seed)))

    assert {kind: count / 200 for kind, count in counted.items() if count / 200 > FALSE_RATES[kind]} == {}


class TestNothingIsKnownTooEarly:
    @pytest.mark.parametrize("cut", [8, 61, 333])
    def test_hiding_or_poisoning_the_future_changes_nothing_confirmed_before(self, cut: int) -> None:
        for seed in range(3):
            bars = a_series(500, seed=seed)
            known = self.until(found_in(bars), bars, cut)

            assert found_in(bars.head(cut)) == known
            for factor in (1e6, 1e-6):
                spoiled = found_in(poisoned(bars, since=cut, factor=factor))
                assert self.until(spoiled, bars, cut) == known

    def until(self, found: tuple[Pattern, ...], bars: pl.DataFrame, cut: int) -> tuple[Pattern, ...]:
        return tuple(p for p in found if p.confirmed_at <= bars["closed_at"][cut - 1])

    def test_every_turn_of_a_pattern_is_over_when_it_is_confirmed(self) -> None:
        bars = a_series(1_000, seed=4)

        found = found_in(bars)

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

        for pattern in found_in(bars):
            for when, price in pattern.points:
                assert price in {at[when][name] for name in ("high", "low", "close")}, pattern.kind

    def test_has_target_breakout_and_invalidation_in_the_order_of_its_direction(self) -> None:
        found = [p for seed in range(5) for p in found_in(a_series(600, seed=seed))]

        assert {p.direction for p in found} == set(Direction)
        for p in found:
            levels = (p.invalidation, p.breakout, p.target)
            assert sorted(levels, reverse=p.direction is Direction.DOWN) == list(levels), p.kind
            assert 0.0 <= p.quality <= 1.0

    def test_keeps_its_id_as_long_as_its_turns_stay_and_no_other_has_it(self) -> None:
        bars = a_series(800, seed=2)
        ids = [p.id for p in found_in(bars)]

        assert [p.id for p in found_in(bars.head(500))] == ids[: len(found_in(bars.head(500)))]
        assert len(set(ids)) == len(ids)
        assert set(ids).isdisjoint(p.id for p in found_in(bars, symbol="Y"))
        assert set(ids).isdisjoint(p.id for p in found_in(bars, interval=Interval.H1))

    def test_keeps_its_id_when_a_dividend_adjusts_its_prices(self) -> None:
        bars = a_series(800, seed=2)
        adjusted = bars.with_columns(pl.col("open", "high", "low", "close") * 0.9953)

        assert [p.id for p in found_in(adjusted)] == [p.id for p in found_in(bars)]

    def test_is_news_when_it_is_told(self) -> None:
        """Nothing from its last turn to its confirmation was at its target or closed beyond its invalidation."""
        for seed in WALKS_WITH_LATE_ONES:
            bars = a_series(500, seed=seed)
            for p in found_in(bars):
                before = (
                    bars.filter((pl.col("opened_at") > p.points[-1][0]) & (pl.col("closed_at") <= p.confirmed_at))
                    if p.kind not in ROUNDINGS
                    else bars.filter(pl.col("closed_at") == p.confirmed_at)
                )
                rises = p.direction is Direction.UP
                assert (before["high"] < p.target).all() if rises else (before["low"] > p.target).all(), p
                closes = before["close"]
                assert ((closes >= p.invalidation) if rises else (closes <= p.invalidation)).all(), p

    @pytest.mark.parametrize("column", ["low", "close"])
    def test_that_has_come_true_by_its_confirming_bar_is_not_told(self, column: str) -> None:
        bars = drawn("double_top", seed=1, noise=0.0)
        (told,) = (p for p in found_in(bars) if p.kind == "double_top")
        row = bars["closed_at"].to_list().index(told.confirmed_at)
        there = pl.int_range(pl.len()) == row
        fallen = {name: pl.when(there).then(told.target).otherwise(name) for name in {"low", column}}

        assert "double_top" not in kinds(bars.with_columns(**fallen))

    def test_of_one_swing_is_told_once(self) -> None:
        """A rectangle's turns are those of triple tops and doubles too: of the same way at most one of them is told."""
        for seed in WALKS_WITH_REPEATS:
            found = found_in(a_series(500, seed=seed))
            for earlier, later in combinations(found, 2):
                (start, end), (s, e) = ((p.points[0][0], p.points[-1][0]) for p in (earlier, later))
                overlap = (min(end, e) - max(start, s)) / min(end - start, e - s)
                shared = len(set(earlier.points) & set(later.points)) / len(later.points)
                if earlier.direction is later.direction:
                    assert overlap <= 0.5 or shared <= 0.6, (earlier, later)

    def test_confirmed_by_the_same_bar_as_another_of_its_swing_is_told_if_it_has_more_turns(self) -> None:
        turns = [
            (0, 130.0),
            (30, 100.0),
            (45, 110.0),
            (60, 100.0),
            (75, 110.0),
            (90, 100.0),
            (105, 110.0),
            (120, 100.0),
        ]
        bars = walked([*turns, (130, 120.0)])

        found = [p for p in found_in(bars) if p.direction is Direction.UP]

        assert [p.kind for p in found] == ["rectangle"]

    def test_head_and_shoulders_says_what_a_trader_would(self) -> None:
        bars = drawn("head_and_shoulders", seed=1, noise=0.0)

        (found,) = (p for p in found_in(bars) if p.kind == "head_and_shoulders")

        prices = [price for _, price in found.points]
        assert prices[2] == max(prices)
        assert found.direction is Direction.DOWN
        assert found.breakout == pytest.approx(prices[1], rel=0.01)
        assert found.breakout - found.target == pytest.approx(prices[2] - prices[1], rel=0.05)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [0, 1, 6, 15, 200])
def test_any_series_is_looked_at_without_a_fault(shape: str, rows: int) -> None:
    bars = a_series(rows, shape=shape)

    assert all(p.target > 0.0 for p in (*found_in(bars), *candlesticks(bars, symbol="X", interval=Interval.D1)))


class TestCandlesticks:
    def test_are_named_as_in_ta_lib_and_known_at_their_bar_s_close(self) -> None:
        bars = a_series(120)
        closes = dict(zip(bars["opened_at"], bars["closed_at"], strict=True))

        found = candlesticks(bars, symbol="X", interval=Interval.D1)

        assert {"CDLDOJI", "CDLENGULFING"} & {p.kind for p in found}
        assert all(p.confirmed_at == closes[p.points[0][0]] for p in found)
        assert candlesticks(bars.head(60), symbol="X", interval=Interval.D1) == tuple(
            p for p in found if p.confirmed_at <= bars["closed_at"][59]
        )
