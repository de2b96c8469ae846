"""States of the market against its own past."""

import numpy as np
import pytest

from evil2root.domain.market.catalogue.states import market_state, trend_state, volatility_rank, volatility_state
from evil2root.domain.market.indicators import Floats


def walk(*stretches: tuple[int, float, float]) -> Floats:
    """Closes of stretches of (bars, drift, deviation)."""
    numbers = np.random.default_rng(7)
    moves = [numbers.normal(drift, spread, rows) for rows, drift, spread in stretches]
    return np.asarray(100.0 * np.exp(np.cumsum(np.concatenate(moves))), dtype=np.float64)


def test_the_rank_counts_calmer_bars_of_the_past_and_nothing_else() -> None:
    close = walk((80, 0.0, 0.01))
    moves = np.diff(np.log(close))
    spread = [float(np.std(moves[t - 5 : t], ddof=1)) for t in range(5, 80)]

    told = volatility_rank(close, length=5, past=30)

    assert np.isnan(told[:35]).all()
    assert told[79] == pytest.approx(sum(one < spread[-1] for one in spread[-31:-1]) / 30)


def test_a_storm_is_wild_and_a_lull_calm_whatever_the_level() -> None:
    told = volatility_state(
        walk((300, 0.0, 0.01), (25, 0.0, 0.04), (300, 0.0, 0.03), (25, 0.0, 0.002)), length=20, past=252
    )

    assert (told[324], told[649]) == (2.0, 0.0)


def test_a_trend_is_one_that_is_stronger_than_usual() -> None:
    noise = walk((400, 0.0, 0.01))
    up = np.concatenate((noise, noise[-1] * np.exp(0.01 * np.arange(1, 61))))
    down = np.concatenate((noise, noise[-1] * np.exp(-0.01 * np.arange(1, 61))))

    assert trend_state(up, length=60, past=252)[-1] == 1.0
    assert trend_state(down, length=60, past=252)[-1] == -1.0


def test_both_make_nine_states() -> None:
    close = walk((700, 0.0005, 0.01))

    told = market_state(close, length=20, trend_length=60, past=252)

    wild, trend = volatility_state(close, length=20, past=252), trend_state(close, length=60, past=252)
    assert np.array_equal(told, 3 * wild + trend + 1, equal_nan=True)
    assert set(told[311:]) <= set(range(9))
    assert len(set(told[311:])) >= 6


def test_a_market_that_never_moved_is_as_calm_as_always_and_has_no_trend_to_tell() -> None:
    flat = np.full(400, 7.0)

    assert volatility_rank(flat, length=20, past=252)[-1] == 0.5
    assert np.isnan(trend_state(flat, length=60, past=252)).all()
