import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.domain.market.adjust import adjusted, adjustment_factor
from evil2root.domain.market.frame import BadBars, check_bars
from tests.domain.market.series import a_series, bars_closing_at

FACTORS = st.floats(1e-4, 1e4)


@given(factor=st.lists(FACTORS, min_size=12, max_size=12))
def test_adjusted_bars_are_bars_and_the_traded_notional_stays(factor: list[float]) -> None:
    raw = a_series(12)

    bars = adjusted(raw, factor=pl.Series(factor))

    check_bars(bars)
    before, after = raw["close"] * raw["volume"], bars["close"] * bars["volume"]
    assert after.to_list() == pytest.approx(before.to_list(), rel=1e-14)
    assert bars["opened_at"].equals(raw["opened_at"])


def test_a_split_is_no_crash() -> None:
    raw = bars_closing_at([100.0, 102.0, 51.0, 52.0])
    factor = adjustment_factor(raw["close"], pl.Series("adj_close", [50.0, 51.0, 51.0, 52.0]))

    bars = adjusted(raw, factor=factor)

    assert bars["close"].to_list() == [50.0, 51.0, 51.0, 52.0]
    assert bars["volume"].to_list() == [2_000.0, 2_000.0, 1_000.0, 1_000.0]


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf"), None])
def test_a_factor_or_close_that_is_no_price_is_refused(wrong: float | None) -> None:
    factor = pl.Series("factor", [1.0, wrong], dtype=pl.Float64)

    with pytest.raises(BadBars, match=f"Row 2: factor is {wrong}; it must be finite and above zero"):
        adjusted(a_series(2), factor=factor)
    with pytest.raises(BadBars, match="Row 2: adj_close"):
        adjustment_factor(pl.Series("close", [1.0, 2.0]), factor.alias("adj_close"))


def test_one_factor_a_bar_is_asked() -> None:
    with pytest.raises(BadBars, match="1 factors for 2 bars"):
        adjusted(a_series(2), factor=pl.Series([1.0]))
