"""Scores become probabilities by what followed scores like them, and by nothing that was not known yet."""

from functools import partial

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.calibration import (
    BARS_MIN,
    BINS,
    OUTCOMES_MIN,
    REFIT_BARS,
    calibration,
    column_names,
    fitted,
    p_up,
    regimes,
)
from evil2root.domain.signals.momentum import Momentum
from evil2root.domain.signals.odds import PRIOR_P_MAX, logistic
from evil2root.domain.signals.panel import SOURCES, evidence_table
from tests.domain.market.laws import columns_that_see_the_future, differing_columns
from tests.domain.market.series import a_series

CENTRES = (np.arange(BINS) + 0.5) / (BINS / 2) - 1.0
SOURCE = Momentum()
SLOPE, BASE, OUTCOMES = column_names(SOURCE.name)


def a_table(scores: Floats, *, skill: float, seed: int = 1) -> pl.DataFrame:
    """A calm series of closes that rises over the horizon by `skill` more often when the score is 1."""
    numbers = np.random.default_rng(seed)
    rises = numbers.uniform(size=scores.size) < 0.5 + 0.5 * skill * scores
    close = np.ones(scores.size)
    for row in range(SOURCE.horizon, scores.size):
        close[row] = close[row - SOURCE.horizon] * (1.001 if rises[row - SOURCE.horizon] else 0.999)
    return pl.DataFrame(
        {"close": close, "vol_20": np.full(close.size, 0.01), "vol_usual_252": np.full(close.size, 0.02)}
    )


def calibrated(scores: Floats, *, skill: float) -> pl.DataFrame:
    return calibration(a_table(scores, skill=skill), {SOURCE.name: scores}, (SOURCE,))


def random_scores(rows: int) -> Floats:
    scores: Floats = np.random.default_rng(9).uniform(-1.0, 1.0, rows)
    return scores


class TestTheFit:
    def test_finds_the_line_in_log_odds_that_made_the_outcomes(self) -> None:
        counts = np.full((BINS, 1), 1e6)
        ups = counts * np.array([[logistic(0.3 + 0.8 * centre)] for centre in CENTRES])

        slope, base = fitted(ups, counts)

        assert (slope[0], base[0]) == pytest.approx((0.8, 0.3), abs=1e-4)

    def test_stays_near_one_half_on_few_outcomes_and_finite_when_all_of_them_rose(self) -> None:
        few, all_rose = np.full((BINS, 1), 0.01), np.full((BINS, 1), 100.0)

        assert np.abs(fitted(few, few)).max() < 0.2
        assert np.isfinite(fitted(all_rose, all_rose)).all()

    def test_has_nothing_left_to_gain_after_its_steps(self) -> None:
        numbers = np.random.default_rng(3)
        counts = numbers.integers(0, 200, (BINS, 50)).astype(np.float64)
        ups = np.floor(counts * numbers.uniform(size=50))

        slope, base = fitted(ups, counts)

        p = 1.0 / (1.0 + np.exp(-(base + slope * CENTRES[:, None])))
        assert np.abs((counts * p - ups).sum(axis=0) + base).max() < 1e-6
        assert np.abs(((counts * p - ups) * CENTRES[:, None]).sum(axis=0) + slope).max() < 1e-6

    def test_gives_the_same_bits_alone_and_among_others(self) -> None:
        counts = np.random.default_rng(4).integers(1, 200, (BINS, 37)).astype(np.float64)

        whole = np.stack(fitted(counts / 3.0, counts))

        for place in range(37):
            alone = np.stack(fitted(counts[:, place : place + 1] / 3.0, counts[:, place : place + 1]))
            assert alone.tobytes() == np.ascontiguousarray(whole[:, place : place + 1]).tobytes()


class TestCalibration:
    def test_learns_that_a_score_is_worth_something_or_nothing(self) -> None:
        scores = random_scores(3_000)

        good, useless, contrary = (calibrated(scores, skill=skill)[SLOPE][-1] for skill in (0.8, 0.0, -0.8))

        assert good > 0.8
        assert abs(useless) < 0.3
        assert contrary < -0.8

    def test_leaves_the_prior_until_enough_outcomes_are_known(self) -> None:
        table = calibrated(random_scores(1_000), skill=0.8)

        slopes, outcomes = table[SLOPE].to_list(), table[OUTCOMES].to_list()
        first = next(row for row, slope in enumerate(slopes) if slope is not None)
        assert first >= OUTCOMES_MIN + BARS_MIN
        assert first % REFIT_BARS == 0
        assert outcomes[first - 1] < OUTCOMES_MIN <= outcomes[first]

    def test_counts_an_outcome_once_its_horizon_is_over_and_not_a_bar_before(self) -> None:
        scores = np.full(1_000, np.nan)
        scores[2 * REFIT_BARS * 4 - SOURCE.horizon] = 0.5  # known exactly at the fit of row 512
        scores[2 * REFIT_BARS * 4 - SOURCE.horizon + 1] = 0.5  # one bar later: at the next fit

        outcomes = calibrated(scores, skill=0.0)[OUTCOMES].to_list()

        assert (outcomes[511], outcomes[512], outcomes[575], outcomes[576]) == (0.0, 1.0, 1.0, 2.0)

    def test_keeps_calm_and_agitated_markets_apart(self) -> None:
        scores = random_scores(3_000)
        agitated = np.arange(3_000) % 2 == 0
        table = a_table(np.where(agitated, scores, -scores), skill=0.8).with_columns(
            vol_20=pl.Series(np.where(agitated, 0.03, 0.01))
        )

        made = calibration(table, {SOURCE.name: scores}, (SOURCE,))[SLOPE].to_list()

        assert regimes(table)[-2:].tolist() == [1, 0]
        assert made[-2] > 0.5
        assert made[-1] < -0.5

    def test_a_probability_is_that_of_the_fit_or_of_the_prior(self) -> None:
        assert p_up(1.0, None, None) == pytest.approx(PRIOR_P_MAX)
        assert p_up(0.5, 0.4, 0.1) == logistic(0.3)


class TestNothingIsKnownTooEarly:
    @pytest.mark.parametrize("cut", [30, 700, 1_300])
    def test_hiding_or_poisoning_the_future_changes_no_parameter(self, cut: int) -> None:
        bars = a_series(1_500, seed=11)

        assert (
            evidence_table(bars, interval=Interval.D1, session=NEW_YORK)[column_names("trend_following")[0]]
            .drop_nulls()
            .len()
            > 100
        )
        assert (
            columns_that_see_the_future(partial(evidence_table, interval=Interval.D1, session=NEW_YORK), bars, cut=cut)
            == set()
        )

    @pytest.mark.parametrize("rows", [64, 65, 900, 1_500])
    def test_the_newest_row_alone_is_that_of_the_whole_series(self, rows: int) -> None:
        bars = a_series(1_500, seed=12)

        alone = evidence_table(bars.head(rows), newest=1, interval=Interval.D1, session=NEW_YORK)

        assert (
            differing_columns(alone, evidence_table(bars, interval=Interval.D1, session=NEW_YORK).slice(rows - 1, 1))
            == []
        )

    def test_is_there_for_every_source(self) -> None:
        table = evidence_table(a_series(10), interval=Interval.D1, session=NEW_YORK)

        assert {name for source in SOURCES for name in column_names(source.name)} <= set(table.columns)
