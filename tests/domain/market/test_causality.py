"""No indicator and no feature sees the future. A new entry of `INDICATORS` is under the law by being there."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import INDICATORS, Column, Floats, Indicator, Unit
from evil2root.domain.market.window import features_series
from tests.domain.market.laws import columns_that_see_the_future
from tests.domain.market.series import a_series, series


@pytest.mark.parametrize("indicator", INDICATORS, ids=lambda indicator: indicator.columns[0].name)
@settings(max_examples=25)
@given(bars=series(rows_max=260), data=st.data())
def test_no_indicator_sees_the_future(indicator: Indicator, bars: pl.DataFrame, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, bars.height))

    seen = columns_that_see_the_future(lambda b: features(b, indicators=(indicator,)), bars, cut=cut)

    assert seen == set()


@settings(max_examples=40)
@given(bars=series(), data=st.data())
def test_no_feature_sees_the_future(bars: pl.DataFrame, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, bars.height))

    assert columns_that_see_the_future(features, bars, cut=cut) == set()


@settings(max_examples=25)
@given(bars=series(rows_max=600), data=st.data())
def test_no_window_sees_the_future(bars: pl.DataFrame, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, bars.height))

    assert columns_that_see_the_future(lambda b: features_series(b, window_bars=64), bars, cut=cut) == set()


def tomorrow(close: Floats) -> Floats:
    return np.append(close[1:], np.nan)


def share_of_the_highest(close: Floats) -> Floats:
    highest = float(close.max())
    return close / highest


def filled_backwards(close: Floats) -> Floats:
    late = np.where(np.arange(close.size) < 10, np.nan, close)
    return np.where(np.isnan(late), late[min(10, close.size - 1)], late)


@pytest.mark.parametrize("leak", [tomorrow, share_of_the_highest, filled_backwards])
def test_the_law_catches_a_feature_that_leaks(leak: object) -> None:
    assert callable(leak)
    leaking = Indicator(
        name="leak", compute=leak, inputs=("close",), columns=(Column(name="leak", unit=Unit.RATIO, warm_up=0),)
    )
    bars = a_series(60, shape="trend")

    caught = [
        cut
        for cut in range(1, 60)
        if columns_that_see_the_future(lambda b: features(b, indicators=(leaking,)), bars, cut=cut)
    ]

    assert caught
