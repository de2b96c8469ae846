"""In a market with a planted character the sources that look for it win and their opposites lose; in noise nobody does.

Scores are judged, not probabilities: calibration would turn a source that always errs into one that is right.
"""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.signals.calibration import BARS_MIN
from evil2root.domain.signals.inputs import inputs
from evil2root.domain.signals.panel import SOURCES
from evil2root.domain.signals.source import Source
from tests.domain.signals.planted import a_random_walk, a_reverting_market, a_trending_market

SEEDS = range(6)
ROWS = 2_500
WITH_THE_TREND = ("trend_following", "breakout", "momentum", "volume_flow", "higher_trend")
WINS = 0.57
"""Share of calls on the right side that is no luck: 0.5 and more than three deviations of 2,000 calls that overlap tenfold."""
LOSES = 0.43
DEVIATIONS_MAX = 3.0
"""How far from one half a source may be in noise: one in 370 is further by luck."""

Market = Callable[..., pl.DataFrame]


def calls(market: Market) -> dict[str, tuple[float, int]]:
    """Share of each source's calls that were right over its horizon, and how many there were, over all seeds."""
    right, all_calls = dict.fromkeys(_NAMES, 0), dict.fromkeys(_NAMES, 0)
    for seed in SEEDS:
        table = inputs(market(ROWS, seed=seed), interval=Interval.D1, session=NEW_YORK)
        close = table["close"].to_numpy()
        for source in SOURCES:
            said, rose = _said_and_rose(source, table, close)
            right[source.name] += int(((said > 0.0) == rose)[said != 0.0].sum())
            all_calls[source.name] += int((said != 0.0).sum())
    return {name: (right[name] / all_calls[name], all_calls[name]) for name in _NAMES}


_NAMES = tuple(source.name for source in SOURCES)


def _said_and_rose(source: Source, table: pl.DataFrame, close: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores = source.weigh(table).scores[BARS_MIN : -source.horizon]
    rose = close[BARS_MIN + source.horizon :] > close[BARS_MIN : -source.horizon]
    spoke = ~np.isnan(scores)
    return scores[spoke], rose[spoke]


@pytest.fixture(scope="module")
def trending() -> dict[str, tuple[float, int]]:
    return calls(a_trending_market)


@pytest.fixture(scope="module")
def reverting() -> dict[str, tuple[float, int]]:
    return calls(a_reverting_market)


@pytest.fixture(scope="module")
def noise() -> dict[str, tuple[float, int]]:
    return calls(a_random_walk)


@pytest.mark.parametrize("name", WITH_THE_TREND)
class TestASourceOfTrends:
    def test_wins_where_trends_were_planted(self, name: str, trending: dict[str, tuple[float, int]]) -> None:
        assert trending[name][0] > WINS

    def test_loses_where_reversion_was_planted(self, name: str, reverting: dict[str, tuple[float, int]]) -> None:
        assert reverting[name][0] < LOSES


class TestMeanReversion:
    def test_wins_where_reversion_was_planted(self, reverting: dict[str, tuple[float, int]]) -> None:
        assert reverting["mean_reversion"][0] > WINS

    def test_loses_where_trends_were_planted(self, trending: dict[str, tuple[float, int]]) -> None:
        assert trending["mean_reversion"][0] < LOSES


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_no_source_differs_from_chance_on_a_random_walk(source: Source, noise: dict[str, tuple[float, int]]) -> None:
    rate, count = noise[source.name]

    independent = count / source.horizon  # calls within one horizon share most of their outcome

    assert count > 1_000
    assert abs(rate - 0.5) < DEVIATIONS_MAX * 0.5 / np.sqrt(independent)
