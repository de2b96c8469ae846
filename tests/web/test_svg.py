from hypothesis import given
from hypothesis import strategies as st

from evil2root.web.svg import diverging, histogram, meter, range_bar, spark

finite = st.floats(-1e6, 1e6)


class TestMeter:
    def test_is_grey_then_blue_then_amber(self) -> None:
        assert [meter(s, label="x").heat for s in (0.5, 0.7, 0.95, 3.0)] == ["", "warm", "hot", "hot"]

    @given(st.floats(-10, 10))
    def test_never_leaves_its_track(self, share: float) -> None:
        assert 0 <= float(meter(share, label="x").width) <= 100


@given(finite, st.floats(0.1, 100))
def test_a_diverging_bar_stays_between_its_ends(value: float, scale: float) -> None:
    bar = diverging(value, scale=scale, label="x")

    assert -0.01 <= float(bar.x) <= 50
    assert float(bar.x) + float(bar.width) <= 100.11


@given(st.floats(1, 1e4), st.floats(1, 1e4), st.floats(1, 1e4), st.floats(1, 1e4))
def test_a_range_bar_stays_between_stop_and_target(stop: float, target: float, entry: float, last: float) -> None:
    bar = range_bar(stop=stop, target=target, entry=entry, last=last, label="x")

    assert 1.9 <= float(bar.from_x) <= 98.1
    assert float(bar.from_x) + float(bar.width) <= 98.2


def test_a_range_bar_of_a_short_wins_to_the_left_in_price_and_to_the_right_in_the_bar() -> None:
    bar = range_bar(stop=110, target=90, entry=100, last=95, label="x")

    assert bar.tone == "win"


def test_a_spark_needs_two_points() -> None:
    assert spark([1.0]) is None
    drawn = spark([1.0, 2.0, 1.5])
    assert drawn is not None
    assert drawn.tone == "up"
    assert drawn.path.startswith("M0.0 20.0L")


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=60))
def test_a_histogram_counts_every_value_once(values: list[float]) -> None:
    drawn = histogram(values, label="x")

    assert drawn is not None
    assert sum(int(c.title.rpartition(": ")[2]) for c in drawn.columns) == len(values)
