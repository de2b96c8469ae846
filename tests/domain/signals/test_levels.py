from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import floor, log10

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.listings import NEW_YORK, Session
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.days import session_of
from evil2root.domain.market.lean_talib import talib
from evil2root.domain.signals.levels.find import HISTORY_MAX, LEVELS_MAX, RANGE_BARS, REACH, SAME_RANGES
from evil2root.domain.signals.levels.find import levels as found_levels
from evil2root.domain.signals.levels.level import Level, Origin, Role, strength_of
from evil2root.domain.signals.levels.named import (
    VOLUME_BINS,
    much_traded,
    periods,
    round_numbers,
    volume_by_price,
)
from tests.domain.market.series import SHAPES, a_series, bars_closing_at, series

FX = session_of("EURUSD=X")


def levels(bars: pl.DataFrame, *, session: Session = NEW_YORK) -> tuple[Level, ...]:
    return found_levels(bars, session=session)


def hourly_euro(until: datetime) -> pl.DataFrame:
    bars = packaged(Interval.H1)["EURUSD=X"].adjusted
    return bars.filter(pl.col("closed_at") <= until).tail(HISTORY_MAX)


def between(bars: pl.DataFrame, start: datetime, end: datetime) -> set[float]:
    """High and low of the bars that open there."""
    inside = bars.filter(pl.col("opened_at").is_between(start, end, closed="left"))
    high, low = inside["high"].max(), inside["low"].min()
    assert isinstance(high, float)
    assert isinstance(low, float)
    return {high, low}


def average_range(bars: pl.DataFrame) -> float:
    high, low, close = (bars.tail(HISTORY_MAX)[name].to_numpy() for name in ("high", "low", "close"))
    return float(talib.ATR(high, low, close, RANGE_BARS)[-1])


def ends(bars: pl.DataFrame, origin: Origin, *, session: Session = NEW_YORK) -> set[float]:
    return {one.price for one in periods(bars, session=session) if one.origin is origin}


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

    def test_a_touch_counts_once_later_bars_have_confirmed_it(self) -> None:
        bars = bouncing(low=90.0, high=110.0, rows=206)
        turn = 180  # the last low that is confirmed in the whole series

        before, at = (
            min(of(Origin.PIVOTS, levels(bars.head(turn + REACH + more))), key=lambda level: level.price)
            for more in (0, 1)
        )

        assert bars["low"][turn] == bars["low"].slice(165, 30).min()
        assert at.touches == before.touches + 1
        assert at.last_at == bars["closed_at"][turn + REACH] > before.last_at

    def test_so_does_one_at_a_round_number(self) -> None:
        closes = [*np.linspace(118.0, 101.0, 30), *np.linspace(102.0, 108.0, 7)]
        bars = bars_closing_at(closes)
        turn = int(bars["low"].arg_min())  # type: ignore[arg-type]

        before, at = (
            next(level for level in levels(bars.head(turn + REACH + more)) if level.price == 100.0) for more in (0, 1)
        )

        assert bars["low"][turn] == pytest.approx(100.0, abs=0.05)
        assert (before.touches, at.touches) == (0, 1)
        assert at.first_at == at.last_at == bars["closed_at"][turn + REACH]


def a_profile(bars: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    high, low, volume = (bars[name].to_numpy() for name in ("high", "low", "volume"))
    return volume_by_price(high, low, volume)


def volume_of(bars: pl.DataFrame) -> list[float]:
    return [one.price for one in much_traded(*(bars[name].to_numpy() for name in ("high", "low", "volume")))]


class TestVolumeByPrice:
    @given(bars=series(rows_min=2))
    @settings(max_examples=40)
    def test_holds_all_the_volume_there_was(self, bars: pl.DataFrame) -> None:
        price, held = a_profile(bars)

        assert held.sum() == pytest.approx(bars["volume"].sum(), rel=1e-9)
        assert (held >= 0.0).all()
        assert (np.diff(price) > 0.0).all() or bars["high"].max() == bars["low"].min()

    def test_spreads_a_bar_over_its_own_range(self) -> None:
        high, low = np.array([160.0, 110.0, 100.5]), np.array([100.0, 100.0, 100.25])  # bins of 1.0
        volume = np.array([60.0, 100.0, 7.0])

        price, held = volume_by_price(high, low, volume)

        assert held.tolist() == pytest.approx([1.0 + 10.0 + 7.0, *([11.0] * 9), *([1.0] * 50)])
        assert price[20] == pytest.approx(120.5)
        assert price[0] == pytest.approx((11.0 * 100.5 + 7.0 * 100.375) / 18.0)

    @pytest.mark.parametrize("still", [97.0, 60.0, 120.0])
    def test_a_bar_of_one_price_counts_where_it_was(self, still: float) -> None:
        high, low = np.array([120.0, *[still] * 30]), np.array([60.0, *[still] * 30])

        (peak,) = much_traded(high, low, np.array([100.0, *[100.0] * 30]))
        _, held = volume_by_price(high, low, np.full(31, 100.0))

        assert peak.price == pytest.approx(still, abs=0.02)
        assert held.sum() == pytest.approx(3_100.0)
        assert held.max() == pytest.approx(3_000.0 + 100.0 / VOLUME_BINS)

    def test_the_price_most_was_traded_at_is_a_level(self) -> None:
        walk = a_series(300, seed=3)
        still = walk.tail(150)["close"].median()
        calm = walk.with_columns(
            pl.when(pl.int_range(pl.len()) % 5 == 2).then(pl.lit(still)).otherwise(pl.col(name)).alias(name)
            for name in ("open", "high", "low", "close")
        ).with_columns(volume=pl.when(pl.int_range(pl.len()) % 5 == 2).then(4e7).otherwise(pl.col("volume")))

        found = of(Origin.VOLUME, levels(calm))

        assert volume_of(calm)[0] == pytest.approx(still, rel=1e-3)
        assert volume_of(calm)[0] in {level.price for level in found}

    def test_nothing_traded_says_nothing(self) -> None:
        assert volume_of(a_series(60, shape="idle")) == []


class TestRoundNumbers:
    @pytest.mark.parametrize(
        ("close", "expected"),
        [
            (1.12, (1.1, 1.2)), (1.25, (1.2, 1.3)), (1.3, (1.2, 1.4)), (125.0, (120.0, 130.0)), (130.0, (120.0, 140.0)),
            (175.0, (160.0, 180.0)), (87.5, (80.0, 90.0)), (100.0, (90.0, 100.0, 110.0)), (0.3, (0.28, 0.3, 0.32)),
            (5.2, (5.0, 5.5)), (60_000.0, (55_000.0, 60_000.0, 65_000.0)),
        ],
    )  # fmt: skip
    def test_are_of_the_coarsest_step_that_has_two_near_the_price(
        self, close: float, expected: tuple[float, ...]
    ) -> None:
        assert round_numbers(close, span=0.01 * close) == expected

    @pytest.mark.parametrize(
        ("span", "expected"),
        [(0.0025, (1.16, 1.18, 1.2)), (0.0015, (1.17, 1.18, 1.19)), (1e-9, (1.17, 1.18, 1.19)), (0.1, (1.1, 1.2))],
    )
    def test_are_nearer_where_the_price_moves_little(self, span: float, expected: tuple[float, ...]) -> None:
        assert round_numbers(1.1799, span=span) == expected

    @given(st.floats(1e-8, 1e8), st.floats(1e-6, 1.0))
    def test_there_are_two_to_six_near_any_price(self, close: float, span_frac: float) -> None:
        found = round_numbers(close, span=span_frac * close)

        near = min(0.1, max(0.01, 10.0 * span_frac)) * close
        assert 2 <= len(found) <= 6
        assert all(abs(price - close) <= near * (1.0 + 1e-9) for price in found)
        steps = np.diff(found)
        power = floor(log10(steps[0] * 1.001))
        assert min(abs(steps[0] / 10.0**power - mantissa) for mantissa in (1, 2, 5)) < 1e-6
        assert steps == pytest.approx(steps[0])

    @pytest.mark.parametrize("close", [1.12, 1.25, 1.3, 87.5, 125.0, 130.0, 175.0])
    def test_are_told_unless_a_stronger_level_lies_there(self, close: float) -> None:
        bars = bars_closing_at([close * (1.0 + 0.01 * (day % 3)) for day in range(61)])
        span = average_range(bars)

        found = levels(bars)

        assert of(Origin.ROUND, found)
        for price in round_numbers(float(bars["close"][-1]), span=span):
            assert min(abs(level.price - price) for level in found) <= SAME_RANGES * span


class TestPeriods:
    def test_a_currencys_monday_has_fridays_extremes_not_sundays_two_hours(self) -> None:
        bars = hourly_euro(datetime(2017, 11, 20, 9, tzinfo=UTC))

        found = ends(bars, Origin.SESSION, session=FX)

        assert found == between(bars, datetime(2017, 11, 16, 22, tzinfo=UTC), datetime(2017, 11, 17, 22, tzinfo=UTC))

    @pytest.mark.parametrize("hour", [21, 22])
    def test_a_currencys_week_begins_on_sunday_at_five_in_new_york(self, hour: int) -> None:
        """In winter that is 22:00 of UTC, which is also when Monday's session begins."""
        bars = hourly_euro(datetime(2017, 11, 20, hour, tzinfo=UTC) + timedelta(hours=1))
        monday = datetime(2017, 11, 19, 22, tzinfo=UTC)
        friday = monday - timedelta(days=3)

        assert ends(bars, Origin.WEEK, session=FX) == between(bars, monday - timedelta(days=7), monday)
        assert ends(bars, Origin.SESSION, session=FX) == (
            between(bars, friday, monday) if hour == 21 else between(bars, monday, monday + timedelta(days=1))
        )

    def test_a_currencys_month_before_is_whole_on_the_last_day_of_the_next(self) -> None:
        bars = hourly_euro(datetime(2017, 8, 31, 12, tzinfo=UTC))

        found = ends(bars, Origin.MONTH, session=FX)

        assert found == between(bars, datetime(2017, 6, 30, 21, tzinfo=UTC), datetime(2017, 7, 31, 21, tzinfo=UTC))

    def test_daily_bars_have_the_bar_week_and_month_before(self) -> None:
        bars = a_series(75)  # from Monday, 1 January 2001 on: the newest is of Friday, 16 March
        month = bars.filter(pl.col("opened_at").dt.month() == 2)

        assert bars["opened_at"][-1] == datetime(2001, 3, 16, 14, 30, tzinfo=UTC)
        assert ends(bars, Origin.SESSION) == {bars["high"][-2], bars["low"][-2]}
        assert ends(bars, Origin.WEEK) == {bars["high"].slice(63, 7).max(), bars["low"].slice(63, 7).min()}
        assert ends(bars, Origin.MONTH) == {month["high"].max(), month["low"].min()}

    def test_are_known_from_the_periods_last_bar_on(self) -> None:
        since = {one.origin: one.since for one in periods(a_series(75), session=NEW_YORK)}

        assert since == {Origin.SESSION: 73, Origin.WEEK: 69, Origin.MONTH: 58}

    def test_a_period_that_the_bars_begin_in_is_not_told(self) -> None:
        bars = a_series(75).slice(32)  # from 2 February on

        assert ends(bars, Origin.MONTH) == set()
        assert ends(bars, Origin.WEEK) == ends(a_series(75), Origin.WEEK)

    @pytest.mark.parametrize("which", ["daily", "hourly", "short"])
    def test_each_is_told_or_lies_at_one_that_is(self, which: str) -> None:
        """Among a long history's levels too, of which there are more than are kept."""
        bars = {
            "daily": lambda: packaged(Interval.D1)["IBM"].adjusted.head(1_500),
            "hourly": lambda: hourly_euro(datetime(2017, 11, 20, 9, tzinfo=UTC)),
            "short": lambda: a_series(75),
        }[which]()
        session = FX if which == "hourly" else NEW_YORK

        found = levels(bars, session=session)

        named = list(periods(bars.tail(HISTORY_MAX), session=session))
        reach = SAME_RANGES * average_range(bars)
        assert len(named) == 6
        assert all(min(abs(level.price - one.price) for level in found) <= reach for one in named)
        assert {level.origin for level in found} & {Origin.SESSION, Origin.WEEK, Origin.MONTH}
        assert len(of(Origin.PIVOTS, found)) <= LEVELS_MAX
        assert which != "daily" or len(of(Origin.PIVOTS, found)) == LEVELS_MAX


class TestAllOfThem:
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
    together = {max(ends(bars, Origin.WEEK)), min(ends(bars, Origin.MONTH))}

    found = levels(bars)
    prices = sorted(level.price for level in found)

    assert len(prices) > 8  # with those that lie together 15
    assert min(after - before for before, after in pairwise(prices)) > SAME_RANGES * average_range(bars)
    assert all(abs(price - 95.0) < 0.2 for price in together)
    assert [level.origin for level in found if abs(level.price - 95.0) < 0.5] == [Origin.PIVOTS]
