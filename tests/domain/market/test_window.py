import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.market.features import WARM_UP
from evil2root.domain.market.window import WINDOW_BARS, features_at, features_series, window_start
from tests.domain.market.laws import differing_columns
from tests.domain.market.series import a_series, series

SIZES = st.integers(1, 64).map(lambda half: 2 * half)


class TestWindowStart:
    @given(index=st.integers(0, 10_000), window=SIZES)
    def test_moves_in_half_windows_and_keeps_more_than_half_behind_a_bar(self, index: int, window: int) -> None:
        start = window_start(index, window_bars=window)

        behind = index + 1 - start
        assert start % (window // 2) == 0
        assert behind <= window
        assert start == 0 or behind > window // 2
        assert window_start(index + 1, window_bars=window) in {start, start + window // 2}

    def test_is_the_origin_until_the_window_is_full(self) -> None:
        assert window_start(WINDOW_BARS - 1) == 0
        assert window_start(WINDOW_BARS) == WINDOW_BARS // 2

    def test_leaves_every_warm_up_far_behind(self) -> None:
        assert max(WARM_UP.values()) * 10 <= WINDOW_BARS // 2

    @pytest.mark.parametrize(("index", "window", "said"), [(-1, 8, "not -1"), (3, 7, "7 bars"), (3, 0, "0 bars")])
    def test_refuses_what_is_no_ordinal_or_no_window(self, index: int, window: int, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            window_start(index, window_bars=window)


@settings(max_examples=40)
@given(bars=series(rows_min=1, rows_max=400), window=SIZES, data=st.data())
def test_live_and_the_whole_series_agree_bit_for_bit(bars: pl.DataFrame, window: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, bars.height - 1))
    first = data.draw(st.integers(0, window_start(index, window_bars=window)))

    live = features_at(bars.slice(first, index + 1 - first), first_index=first, window_bars=window)

    whole = features_series(bars, window_bars=window)
    assert whole.height == bars.height
    assert live["opened_at"].to_list() == [bars["opened_at"][index]]
    assert differing_columns(live, whole.slice(index, 1)) == []


def test_the_real_window_agrees_around_every_move_of_its_start() -> None:
    bars = a_series(2 * WINDOW_BARS + WINDOW_BARS // 2 + 3)
    whole = features_series(bars)

    for index in (WINDOW_BARS - 1, WINDOW_BARS, 3 * WINDOW_BARS // 2, 2 * WINDOW_BARS - 1, bars.height - 1):
        first = window_start(index)
        live = features_at(bars.slice(first, index + 1 - first), first_index=first)
        assert differing_columns(live, whole.slice(index, 1)) == []


def test_a_moved_start_would_be_seen() -> None:
    bars = a_series(300)

    late = features_at(bars.slice(1), first_index=0)

    assert "obv" in differing_columns(late, features_series(bars).tail(1))


def test_a_series_without_bars_has_no_rows() -> None:
    assert features_series(a_series(0)).height == 0


def test_asking_for_now_without_bars_or_without_their_past_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        features_at(a_series(0))
    with pytest.raises(ValueError, match="bar 12 start at bar 8, but the bars given start at 9"):
        features_at(a_series(4), first_index=9, window_bars=8)
