"""What a figure says, against figures computed by hand, and what became of it."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.signals.patterns.candles import candlesticks
from evil2root.domain.signals.patterns.detect import Pattern, patterns
from evil2root.domain.signals.patterns.outcomes import Record, endings, outcome, records
from evil2root.domain.signals.patterns.shape import Direction
from tests.domain.market.series import ORIGIN, bars_of
from tests.domain.signals.drawn import drawn, walked


def the(kind: str, bars: pl.DataFrame) -> Pattern:
    """The one pattern of that kind."""
    (found,) = (p for p in patterns(bars, symbol="X", interval=Interval.D1) if p.kind == kind)
    return found


# Drawn without noise: a unit of the drawing is 10, its lowest point at 100.
BY_HAND = [
    # Tops at 125, neck at 115: as far below the neck as the tops stand above it.
    ("double_top", Direction.DOWN, 115.0, 105.0, 125.0, 1.0),
    ("double_bottom", Direction.UP, 110.0, 120.0, 100.0, 1.0),
    # Tops 125, 125.2, 124.9 over necks 115 and 115.2: height 10.0333; misfit 0.3 / 10.0333 of the 0.15 allowed.
    ("triple_top", Direction.DOWN, 115.0, 115.0 - 10.0 - 1 / 30, 125.2, 1.0 - 0.03 / 1.0033333 / 0.15),
    ("triple_bottom", Direction.UP, 110.2, 120.2 + 1 / 30, 100.0, 1.0 - 0.03 / 1.0033333 / 0.15),
    # Neckline from 115 (bar 42) to 115.2 (bar 72), left at bar 94; the head 10.9 above it; misfit 0.2 / 10.9 of 0.3.
    ("head_and_shoulders", Direction.DOWN, 115.0 + 0.2 * 52 / 30, 104.1 + 0.2 * 52 / 30, 120.8, 1.0 - 0.02 / 1.09 / 0.3),
    # Between 110 and 120.
    ("rectangle", Direction.UP, 120.0, 130.0, 110.0, 1.0),
    # Rims at 115, the lowest of the bowl's 80 closes at 105 + 10 / 79 squared; a handle down to 112.
    ("rounding_bottom", Direction.UP, 115.0, 125.0 - 10 / 79**2, 105.0 + 10 / 79**2, None),
    ("rounding_top", Direction.DOWN, 106.0, 96.0 + 10 / 79**2, 116.0 - 10 / 79**2, None),
    ("cup_and_handle", Direction.UP, 115.0, 125.0 - 10 / 79**2, 112.0, None),
    # A pole of 40 from 100; the flag's upper line from 140 (bar 14) to 137.5 (bar 32), left at bar 47, the lower one as
    # steep from 132 (bar 24); the flag is 10.5 high: quality 1 - 2.5 x 10.5 / 40.
    ("flag", Direction.UP, 140.0 - 2.5 * 33 / 18, 180.0 - 2.5 * 33 / 18, 132.0 - 2.5 * 23 / 18, 1.0 - 2.5 * 10.5 / 40),
]  # fmt: skip


class TestAFigureByHand:
    @pytest.mark.parametrize(("kind", "direction", "breakout", "target", "invalidation", "quality"), BY_HAND)
    def test_says_what_a_ruler_would(  # noqa: PLR0913 - what it says
        self,
        kind: str,
        direction: Direction,
        breakout: float,
        target: float,
        invalidation: float,
        quality: float | None,
    ) -> None:
        found = the(kind, drawn(kind, seed=1, noise=0.0))

        assert found.direction is direction
        assert (found.breakout, found.target) == pytest.approx((breakout, target))
        assert found.invalidation == pytest.approx(invalidation)
        assert found.quality == pytest.approx(quality) if quality is not None else 0.8 < found.quality < 1.0

    @pytest.mark.parametrize(
        ("kind", "direction"),
        [
            ("ascending_triangle", Direction.UP),
            ("descending_triangle", Direction.DOWN),
            ("symmetric_triangle", None),  # its first six turns are left downwards before the last ones are there
            ("rising_wedge", Direction.DOWN),
            ("falling_wedge", Direction.UP),
            ("channel", Direction.UP),
        ],
    )
    def test_between_two_lines_aims_as_far_as_it_was_wide(self, kind: str, direction: Direction | None) -> None:
        bars = drawn(kind, seed=1, noise=0.0)
        row_of = {at: row for row, at in enumerate(bars["opened_at"].to_list())}

        found = the(kind, bars)

        rows, prices = [row_of[at] for at, _ in found.points], [price for _, price in found.points]
        confirmed = bars["closed_at"].to_list().index(found.confirmed_at)
        # Every other turn is a high; numpy's own least squares, not ours.
        first, second = (np.polyfit(rows[n::2], prices[n::2], 1) for n in (0, 1))
        upper, lower = (first, second) if prices[0] > prices[1] else (second, first)
        width = max(np.polyval(upper, row) - np.polyval(lower, row) for row in (rows[0], rows[-1]))
        rises = found.direction is Direction.UP
        edge = np.polyval(upper if rises else lower, confirmed)
        assert direction in {None, found.direction}
        assert found.breakout == pytest.approx(edge)
        assert found.target == pytest.approx(edge + width if rises else edge - width)

    def test_fits_the_worse_the_further_its_turns_lie_from_equal(self) -> None:
        turns = [(0, 90.0), (10, 85.0), (40, 110.0), (55, 100.0), (70, 110.0), (90, 94.0)]
        equal = the("double_top", walked(turns))

        turns[4] = (70, 109.6)  # 0.4 of a height of 9.8, of the 0.12 allowed
        found = the("double_top", walked(turns))

        assert equal.quality == pytest.approx(1.0)
        assert found.quality == pytest.approx(1.0 - 0.4 / 9.8 / 0.12)

    def test_of_one_bar_points_where_ta_lib_says(self) -> None:
        opening, close = np.full(40, 100.0), np.full(40, 100.0)
        close[::2] += 1.0
        close[1::2] -= 1.0
        opening[20], close[20], opening[21], close[21] = 101.0, 99.0, 98.0, 102.0  # a rise that engulfs a fall
        opening[30], close[30], opening[31], close[31] = 99.0, 101.0, 102.0, 98.0
        bars = bars_of(
            opening=opening, high=np.maximum(opening, close) + 0.5, low=np.minimum(opening, close) - 0.5, close=close,
            volume=np.ones(40),
        )  # fmt: skip

        found = {
            p.points[0][0]: p for p in candlesticks(bars, symbol="X", interval=Interval.D1) if p.kind == "CDLENGULFING"
        }

        rising, falling = found[bars["opened_at"][21]], found[bars["opened_at"][31]]
        assert (rising.direction, rising.breakout, rising.invalidation) == (Direction.UP, 102.5, 97.5)
        assert (falling.direction, falling.breakout, falling.invalidation) == (Direction.DOWN, 97.5, 102.5)
        assert rising.target > rising.breakout
        assert falling.target < falling.breakout


def aimed(bars: pl.DataFrame, *, row: int, target: float, invalidation: float, kind: str = "flag") -> Pattern:
    """A pattern that bar `row` confirms."""
    return Pattern(
        id="x", kind=kind, direction=Direction.UP if target > invalidation else Direction.DOWN,
        points=((bars["opened_at"][0], 1.0),), quality=1.0, confirmed_at=bars["closed_at"][row],
        breakout=(target + invalidation) / 2, target=target, invalidation=invalidation,
    )  # fmt: skip


def closing(*closes: float) -> pl.DataFrame:
    """Bars that open where the one before closed, without wicks."""
    return walked(list(enumerate(closes)))


class TestWhatBecameOfIt:
    def test_counts_bars_after_the_one_that_confirms_it(self) -> None:
        bars = drawn("double_top", seed=1, noise=0.0)
        told = the("double_top", bars)
        tail = [(0, bars["close"][-1]), (20, told.target - 1.0)]
        later = walked(tail).with_columns(pl.col("opened_at", "closed_at") + timedelta(days=bars.height))
        confirming = pl.col("closed_at") == told.confirmed_at
        wick = bars.with_columns(high=pl.when(confirming).then(told.invalidation + 1.0).otherwise("high"))

        assert outcome(told, bars) is None
        assert outcome(told, pl.concat([bars, later])) is True
        assert outcome(told, pl.concat([wick, later])) is True

    @pytest.mark.parametrize(
        ("closes", "target", "invalidation", "reached", "ended"),
        [
            ((100.0, 101.0, 103.0, 105.0, 90.0), 105.0, 95.0, True, 3),
            ((100.0, 101.0, 103.0, 95.0, 110.0), 105.0, 95.0, False, 3),
            ((100.0, 101.0, 104.9, 95.1), 105.0, 95.0, None, None),
            ((100.0, 99.0, 97.0, 95.0, 110.0), 95.0, 105.0, True, 3),
            ((100.0, 99.0, 97.0, 105.0, 90.0), 95.0, 105.0, False, 3),
            ((100.0, 106.0, 95.0), 105.0, 95.0, False, 2),
            ((100.0, *[101.0] * 300, 106.0), 105.0, 95.0, True, 301),
        ],
    )  # fmt: skip
    def test_is_the_level_that_a_bar_touched_first(
        self, closes: tuple[float, ...], target: float, invalidation: float, reached: bool | None, ended: int | None
    ) -> None:
        bars = closing(*closes)
        pattern = aimed(bars, row=1, target=target, invalidation=invalidation)

        (row,) = endings([pattern], bars).to_dicts()

        assert outcome(pattern, bars) is reached
        assert row["reached"] is reached
        assert row["ended_at"] == (None if ended is None else bars["closed_at"][ended])

    def test_is_failure_when_one_bar_touches_both(self) -> None:
        bars = closing(100.0, 101.0, 102.0).with_columns(low=pl.lit(1.0), high=pl.lit(1e3))

        assert outcome(aimed(bars, row=1, target=105.0, invalidation=95.0), bars) is False

    def test_would_by_chance_be_the_share_of_the_way_that_is_behind_it(self) -> None:
        bars = closing(100.0, 102.0, 104.0, 90.0)
        up = aimed(bars, row=1, target=112.0, invalidation=97.0)
        down = aimed(bars, row=2, target=80.0, invalidation=110.0)

        assert endings([up, down], bars)["chance"].to_list() == pytest.approx([5.0 / 15.0, 6.0 / 30.0])
        assert endings([], bars).height == 0


class TestTheRecord:
    def test_counts_what_was_confirmed_and_had_ended_by_then(self) -> None:
        bars = closing(100.0, 102.0, 104.0, 106.0, 90.0)
        won = aimed(bars, row=1, target=105.0, invalidation=97.0)  # at bar 3; by chance 5 of 8
        lost = aimed(bars, row=2, target=112.0, invalidation=96.0)  # at bar 4; by chance 8 of 16
        is_open = aimed(bars, row=2, target=200.0, invalidation=50.0)
        other = replace(won, kind="pennant")
        ends = endings([won, lost, is_open, other], bars)

        told = [records(ends, until=bars["closed_at"][row]).get("flag") for row in range(5)]

        assert told == [
            None,
            Record(kind="flag", reached=0, failed=0, undecided=1, chance=None),
            Record(kind="flag", reached=0, failed=0, undecided=3, chance=None),
            Record(kind="flag", reached=1, failed=0, undecided=2, chance=5 / 8),
            Record(kind="flag", reached=1, failed=1, undecided=1, chance=(5 / 8 + 8 / 16) / 2),
        ]
        assert records(ends, until=bars["closed_at"][4])["pennant"].share == 1.0
        assert records(ends, until=ORIGIN) == {}

    def test_of_walks_without_drift_is_what_chance_says(self) -> None:
        numbers = np.random.default_rng(7)
        close = 1_000.0 + np.cumsum(numbers.normal(0.0, 1.0, 30_000))
        bars = closing(*close)
        rows = range(0, 25_000, 25)
        found = [aimed(bars, row=row, target=close[row] + 4.0, invalidation=close[row] - 8.0) for row in rows]

        record = records(endings(found, bars), until=bars["closed_at"][-1])["flag"]

        assert record.chance == pytest.approx(8 / 12)
        assert record.interval is not None
        assert record.interval[0] < 8 / 12 + 0.02
        assert record.interval[1] > 8 / 12 - 0.02

    def test_its_interval_is_wilson_s(self) -> None:
        record = Record(kind="flag", reached=8, failed=2, undecided=5)

        assert record.interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
        assert record.share == 0.8
        assert Record(kind="flag", reached=0, failed=0, undecided=5).interval is None
