"""Probabilities held against what happened."""

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS, SOURCES
from evil2root.domain.signals.reliability import FUSED, reliability, said_and_rose
from tests.domain.signals.planted import a_random_walk, a_trending_market


def test_of_honest_probabilities_finds_skill_and_next_to_no_error() -> None:
    numbers = np.random.default_rng(1)
    said = numbers.uniform(0.2, 0.8, 20_000)
    rose = numbers.uniform(size=said.size) < said

    found = reliability("honest", said, rose, horizon=5)

    assert found.outcomes == 20_000
    assert found.error is not None
    assert found.error < 0.02
    assert found.skill is not None
    assert found.skill > 0.08
    assert [round(one.p_up, 1) for one in found.classes] == pytest.approx([0.2, 0.4, 0.4, 0.6, 0.6, 0.8], abs=0.11)


def test_calls_a_boaster_worse_than_the_base_rate_and_says_by_how_much_he_errs() -> None:
    rose = np.random.default_rng(2).uniform(size=10_000) < 0.5

    found = reliability("boaster", np.full(10_000, 0.9), rose, horizon=5)

    assert found.brier == pytest.approx(0.41, abs=0.01)
    assert found.brier_base == pytest.approx(0.25, abs=0.001)
    assert found.error == pytest.approx(0.4, abs=0.02)
    assert found.skill is not None
    assert found.skill < -0.5


def test_has_nothing_to_tell_before_the_first_outcome() -> None:
    found = reliability("new", np.empty(0), np.empty(0, dtype=np.bool_), horizon=5)

    assert (found.outcomes, found.brier, found.skill, found.classes) == (0, None, None, ())


class TestOnPlantedMarkets:
    def measured(self, bars: pl.DataFrame) -> dict[str, float | None]:
        told = said_and_rose({"AAPL": bars}, SOURCES, DEFAULT_WEIGHTS, interval=Interval.D1)
        return {name: reliability(name, *found, horizon=5).skill for name, found in told.items()}

    def test_calibrated_sources_beat_the_base_rate_where_there_is_an_edge(self) -> None:
        skills = self.measured(a_trending_market(4_000, seed=1))

        assert min(skills[name] or 0.0 for name in ("trend_following", "momentum", FUSED)) > 0.05

    def test_claim_little_on_a_random_walk(self) -> None:
        skills = self.measured(a_random_walk(4_000, seed=1))

        assert abs(skills[FUSED] or 0.0) < 0.1

    def test_are_not_measured_before_bar_300(self) -> None:
        told = said_and_rose({"AAPL": a_random_walk(305, seed=1)}, SOURCES, DEFAULT_WEIGHTS, interval=Interval.D1)

        assert all(said.size <= 1 for said, _ in told.values())
