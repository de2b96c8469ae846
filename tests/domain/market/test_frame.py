from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.market.frame import BARS_SCHEMA, BadBars, check_bars
from tests.domain.market.series import a_series, series


def with_value(column: str, value: object, *, row: int = 3) -> pl.DataFrame:
    bars = a_series(8)
    values: list[object] = bars[column].to_list()
    values[row] = value
    return bars.with_columns(pl.Series(column, values, dtype=BARS_SCHEMA[column]))


@given(bars=series())
def test_accepts_every_possible_series(bars: pl.DataFrame) -> None:
    check_bars(bars)
    check_bars(bars.select(reversed(bars.columns)))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("open", -1.5, "open -1.5 is no price; a price must be finite and above zero"),
        ("close", 0.0, "close 0.0 is no price"),
        ("high", float("nan"), "high nan is no price"),
        ("low", float("inf"), "low inf is no price"),
        ("high", 0.01, "high 0.01 is below the row's low; the high must be at least the open, the low and the close"),
        ("volume", -2.0, "volume -2.0 is no volume; a volume must be finite and not negative"),
        ("volume", float("nan"), "volume nan is no volume"),
        ("close", None, "close None is missing"),
    ],
)
def test_names_the_row_the_value_and_the_limit(column: str, value: float | None, said: str) -> None:
    with pytest.raises(BadBars) as caught:
        check_bars(with_value(column, value))

    assert said in str(caught.value)
    assert "Row 4 of 8 (opened at 2001-01-04T14:30:00+00:00)" in str(caught.value)
    assert (caught.value.row, caught.value.column) == (3, column)


class TestHighAndLow:
    @pytest.mark.parametrize("other", ["open", "close"])
    def test_must_enclose_open_and_close(self, other: str) -> None:
        bars = a_series(8)
        outside = with_value(other, bars["high"][3] * 1.5)
        below = with_value(other, bars["low"][3] * 0.5)

        with pytest.raises(BadBars, match=f"is below the row's {other}"):
            check_bars(outside)
        with pytest.raises(BadBars, match=f"is above the row's {other}"):
            check_bars(below)


class TestTimes:
    def test_twice_the_same_is_refused(self) -> None:
        bars = a_series(8)

        with pytest.raises(BadBars, match=r"Row 4 of 9 .* is the same as the row before; .* drop the duplicate"):
            check_bars(pl.concat([bars.head(3), bars.slice(2)]))

    def test_out_of_order_is_refused(self) -> None:
        with pytest.raises(BadBars, match="is earlier than the row before; bars must be sorted"):
            check_bars(a_series(8).reverse())

    def test_a_bar_without_length_is_refused(self) -> None:
        with pytest.raises(BadBars, match="is not after the row's opened_at"):
            check_bars(with_value("closed_at", a_series(8)["opened_at"][3]))

    def test_a_bar_that_reaches_into_the_next_is_refused(self) -> None:
        late = a_series(8)["opened_at"][4] + timedelta(microseconds=1)

        with pytest.raises(BadBars, match=r"Row 5 .* is before the close of the row before"):
            check_bars(with_value("closed_at", late))

    def test_a_bar_may_end_where_the_next_begins(self) -> None:
        check_bars(with_value("closed_at", a_series(8)["opened_at"][4]))

    def test_without_a_zone_are_refused(self) -> None:
        with pytest.raises(BadBars, match=r"opened_at .* no time zone: attach one"):
            check_bars(a_series(2).with_columns(pl.col("opened_at").dt.replace_time_zone(None)))


class TestColumns:
    @pytest.mark.parametrize("column", BARS_SCHEMA.names())
    def test_each_is_needed(self, column: str) -> None:
        with pytest.raises(BadBars, match=f"The column {column} is missing"):
            check_bars(a_series(2).drop(column))

    def test_no_others_are_taken(self) -> None:
        with pytest.raises(BadBars, match="The column Adj Close is not one of a bar's: drop it"):
            check_bars(a_series(2).with_columns(pl.lit(1.0).alias("Adj Close")))

    def test_of_another_type_are_refused(self) -> None:
        with pytest.raises(BadBars, match="The column volume is Int64; it must be Float64"):
            check_bars(a_series(2).with_columns(pl.col("volume").cast(pl.Int64)))


@settings(max_examples=50)
@given(
    rows=st.integers(2, 40),
    data=st.data(),
    column=st.sampled_from(["open", "high", "low", "close", "volume"]),
    value=st.sampled_from([-1.0, float("nan"), float("inf")]),
)
def test_the_first_bad_row_is_the_one_named(rows: int, data: st.DataObject, column: str, value: float) -> None:
    bad = data.draw(st.lists(st.integers(0, rows - 1), min_size=1, unique=True))
    numbers = a_series(rows)[column].to_list()
    for row in bad:
        numbers[row] = value

    with pytest.raises(BadBars) as caught:
        check_bars(a_series(rows).with_columns(pl.Series(column, numbers)))

    assert caught.value.row == min(bad)
