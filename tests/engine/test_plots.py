import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.engine.plots import histogram, lines, thinned, ticks, time_labels

BEGIN = datetime(2024, 1, 15, tzinfo=UTC)


def every_day(values: list[float]) -> list[tuple[datetime, float]]:
    return [(BEGIN + timedelta(days=n), value) for n, value in enumerate(values)]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(10, 60))
def test_thinning_keeps_the_ends_the_lowest_and_the_highest(values: list[float], most: int) -> None:
    points = every_day(values)

    kept = thinned(points, most=most)

    assert len(kept) <= most
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert kept == sorted(kept, key=lambda point: point[0])
    assert min(v for _, v in kept) == min(values)
    assert max(v for _, v in kept) == max(values)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_lie_within(low: float, span: float) -> None:
    found = ticks(low, low + span)

    assert 1 <= len(found) <= 8
    assert all(low - 1e-6 * span <= t <= low + span * (1 + 1e-6) for t in found)


@pytest.mark.parametrize(
    ("days", "first", "second"),
    [
        (20, "20 Jan", "25 Jan"),
        (300, "Mar", "May"),
        (800, "May", "Sep"),
        (4000, "2026", "2028"),
        (8000, "2025", "2030"),
    ],
)
def test_time_is_named_as_the_span_asks_for(days: int, first: str, second: str) -> None:
    labels = time_labels(BEGIN, BEGIN + timedelta(days=days))

    assert [name for _, name in labels][:2] == [first, second]
    assert all(BEGIN <= at <= BEGIN + timedelta(days=days) for at, _ in labels)


def test_a_line_is_broken_where_nothing_is_known() -> None:
    times = [at for at, _ in every_day([0.0] * 6)]

    drawn = lines(times, {"own": [1, 2, None, 3, 4, None]}, label="x", words=str)

    assert len(re.findall(r'<path class="line own"', drawn)) == 2


def test_a_value_beyond_reach_is_counted_at_the_edge() -> None:
    drawn = histogram([-9.0, -0.1, 0.0, 0.1, 9.0], label="x", words=lambda v: f"{v:g}", step=1, reach=2)

    assert [int(n) for n in re.findall(r": (\d+)</title>", drawn)] == [1, 1, 2, 1]


def test_labels_are_escaped() -> None:
    drawn = histogram([1.0], label='"><script>', words=lambda _: "<b>", step=1, reach=2)

    assert "<script>" not in drawn
    assert "<b>" not in drawn
