from math import fsum

import numpy as np
import pytest
import talib

from evil2root.domain.market.indicators import obv, realised_volatility, stochastic
from evil2root.domain.market.trailing import trailing_mean, trailing_sum
from tests.domain.market.series import SHAPES, a_series

WALK = a_series(300)["close"].to_numpy()


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 20, 31, 200])
class TestASum:
    def test_is_that_of_the_last_values(self, length: int) -> None:
        expected = [fsum(WALK[end - length : end]) for end in range(length, 301)]

        assert trailing_sum(WALK, length=length) == pytest.approx(expected, rel=1e-14)
        assert trailing_mean(WALK, length=length)[length - 1 :] == pytest.approx(np.array(expected) / length, rel=1e-14)

    def test_has_the_same_bits_wherever_the_series_starts(self, length: int) -> None:
        whole = trailing_sum(WALK, length=length)

        assert np.array_equal(trailing_sum(WALK[57:], length=length), whole[57:])

    def test_forgets_an_absurd_value_once_it_is_out_of_sight(self, length: int) -> None:
        spoiled = WALK.copy()
        spoiled[40] = 1e300

        found, clean = trailing_sum(spoiled, length=length), trailing_sum(WALK, length=length)

        assert np.array_equal(found[41:], clean[41:])

    def test_is_none_of_its_values_own_memory(self, length: int) -> None:
        assert not np.shares_memory(trailing_sum(WALK, length=length), WALK)

    def test_of_too_few_values_is_none(self, length: int) -> None:
        assert trailing_sum(WALK[: length - 1], length=length).size == 0
        assert np.isnan(trailing_mean(WALK[: length - 1], length=length)).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_balance_of_volume_is_ta_lib_s_to_the_last_bit(shape: str) -> None:
    bars = a_series(400, shape=shape)
    close, volume = bars["close"].to_numpy(), bars["volume"].to_numpy() / 7.0

    assert np.array_equal(obv(close, volume), talib.OBV(close, volume))


def test_a_close_at_its_highest_is_never_above_a_hundred() -> None:
    lowest = 100.0 / np.arange(3.0, 400.0)
    highest = np.full(lowest.size, 100.0)

    for values in stochastic(highest, lowest, highest, length=2, smoothing=3):
        assert np.nanmax(values) == 100.0


def test_returns_that_are_all_alike_have_no_spread_to_speak_of() -> None:
    spread = realised_volatility(1.01 ** np.arange(200.0), length=20)[20:]

    assert (spread >= 0.0).all()
    assert spread.max() < 1e-8 * 0.01
