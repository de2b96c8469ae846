from datetime import timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from evil2root.domain.signals.levels.find import HISTORY_MAX, levels
from evil2root.domain.signals.levels.level import Level, Origin, Role, strength_of
from tests.domain.market.series import SHAPES, a_series, bars_closing_at


def bouncing(*, low: float, high: float, rows: int) -> pl.DataFrame:
    """Closes that swing between two prices, 20 bars a swing."""
    wave = (1.0 - np.cos(np.arange(rows) * np.pi / 10.0)) / 2.0
    return bars_closing_at(list(low + (high - low) * wave))


def of(origin: Origin, found: tuple[Level, ...]) -> list[Level]:
    return [level for level in found if level.origin is origin]


class TestClusters:
    def test_finds_both_ends_of_a_range_with_their_touches(self) -> None:
        found = of(Origin.PIVOTS, levels(bouncing(low=90.0, high=110.0, rows=206)))

        support = min(found, key=lambda level: level.price)
        resistance = max(found, key=lambda level: level.price)
        assert (support.role, resistance.role) == (Role.SUPPORT, Role.RESISTANCE)
        assert support.price == pytest.approx(90.0 * 0.99, rel=0.01)
        assert resistance.price == pytest.approx(110.0 * 1.01, rel=0.01)
        assert min(support.touches, resistance.touches) >= 8

    def test_a_level_that_broke_changes_its_role(self) -> None:
        before = bouncing(low=90.0, high=110.0, rows=206)
        close = [*before["close"].to_list(), *np.linspace(100.0, 140.0, 40)]
        after = bars_closing_at(close)

        old = max(of(Origin.PIVOTS, levels(before)), key=lambda level: level.price)
        same = min(levels(after), key=lambda level: abs(level.price - old.price))

        assert (old.role, same.role) == (Role.RESISTANCE, Role.SUPPORT)
        assert same.flips == old.flips + 1


class TestNamedPrices:
    def test_round_numbers_are_near_the_price(self) -> None:
        found = of(Origin.ROUND, levels(bars_closing_at([87.5 + day % 3 for day in range(60)])))

        assert {level.price for level in found} <= {80.0, 85.0, 90.0, 95.0}
        assert 85.0 in {level.price for level in found}

    def test_the_month_before_gives_its_high_and_low(self) -> None:
        bars = a_series(75)
        month = bars.filter(pl.col("opened_at").dt.month() == 2)

        found = {level.price for level in of(Origin.MONTH, levels(bars))}

        assert found <= {month["high"].max(), month["low"].min()}

    def test_the_session_before_is_the_day_before_when_bars_are_shorter(self) -> None:
        bars = a_series(60)
        hourly = bars.with_columns(
            opened_at=pl.Series([bars["opened_at"][0] + timedelta(hours=hour) for hour in range(60)]),
            closed_at=pl.Series([bars["opened_at"][0] + timedelta(hours=hour + 1) for hour in range(60)]),
        )
        days = hourly["opened_at"].dt.date()
        before = hourly.filter(days == days.unique().sort()[-2])

        found = {level.price for level in of(Origin.SESSION, levels(hourly))}

        assert found <= {before["high"].max(), before["low"].min()}
        assert found


class TestAllOfThem:
    def test_use_no_bar_later_than_now(self) -> None:
        bars = a_series(300)

        for cut in (40, 200):
            found = levels(bars.head(cut))
            assert found
            assert all(level.last_at <= bars["closed_at"][cut - 1] for level in found)

    def test_forget_what_lies_further_back_than_their_history(self) -> None:
        bars = a_series(1_300)

        assert levels(bars) == levels(bars.tail(HISTORY_MAX))

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("rows", [0, 1, 14, 15, 120])
    def test_are_in_their_ranges_on_any_series(self, shape: str, rows: int) -> None:
        bars = a_series(rows, shape=shape)

        for level in levels(bars):
            assert 0.0 <= level.strength <= 1.0
            assert level.first_at <= level.last_at
            assert (level.role is Role.SUPPORT) == (bars["close"][-1] >= level.price)

    def test_come_strongest_first(self) -> None:
        strengths = [level.strength for level in levels(a_series(500))]

        assert strengths == sorted(strengths, reverse=True)


def test_strength_grows_with_touches_and_reaction_and_falls_with_age_and_breaks() -> None:
    base = strength_of(touches=3, age_frac=0.2, reaction=1.0, volume_ratio=1.0, flips=1)

    assert strength_of(touches=4, age_frac=0.2, reaction=1.0, volume_ratio=1.0, flips=1) > base
    assert strength_of(touches=3, age_frac=0.2, reaction=2.0, volume_ratio=1.0, flips=1) > base
    assert strength_of(touches=3, age_frac=0.2, reaction=1.0, volume_ratio=1.5, flips=1) > base
    assert strength_of(touches=3, age_frac=0.5, reaction=1.0, volume_ratio=1.0, flips=1) < base
    assert strength_of(touches=3, age_frac=0.2, reaction=1.0, volume_ratio=1.0, flips=2) < base


def test_of_levels_that_lie_together_the_strongest_is_told() -> None:
    bars = a_series(75)
    span = float(np.mean(bars["high"].to_numpy() - bars["low"].to_numpy()))

    found = levels(bars)
    prices = sorted(level.price for level in found)

    assert len(prices) > 8  # with all origins 15, three of them at the round 95
    assert min(after - before for before, after in pairwise(prices)) > 0.2 * span
    assert next(level.origin for level in found if abs(level.price - 95.0) < 0.4) is Origin.ROUND
