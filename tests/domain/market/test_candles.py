from collections.abc import Mapping
from functools import cache

import numpy as np
import polars as pl
import pytest

from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.catalogue.candles import CANDLES
from evil2root.domain.market.frame import PRICES
from evil2root.domain.market.indicators import Floats, Indicator
from tests.domain.market.reference_patterns import CANDLES as REFERENCES
from tests.domain.market.series import SHAPES, a_series

QUIET = [(100.0, 101.5, 99.5, 101.0), (101.0, 101.5, 99.5, 100.0)] * 8
RARE = {
    "cdl3starsinsouth": [(104.0, 104.1, 95.0, 100.0), (101.0, 101.1, 96.0, 99.0), (98.5, 98.55, 97.95, 98.0)],
    "cdlconcealbabyswall": [
        (100.0, 100.05, 97.95, 98.0), (97.9, 97.95, 95.95, 96.0), (95.5, 97.0, 93.9, 94.0), (97.4, 97.5, 93.5, 93.6),
    ],
}  # fmt: skip
"""Patterns that neither 18,000 real bars nor the drawn ones show, after some quiet bars: open, high, low, close."""


def of_rows(rows: list[tuple[float, float, float, float]]) -> dict[str, Floats]:
    return {name: np.array(values) for name, values in zip(PRICES, zip(*rows, strict=True), strict=True)}


def drawn(rows: int) -> dict[str, Floats]:
    """Bodies, gaps and shadows of few sizes, so that rare pictures and exact ties come often."""
    numbers = np.random.default_rng(1)
    body = numbers.choice([-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0], rows)
    gap = numbers.choice([-2.0, -1.0, -0.25, 0.0, 0.0, 0.25, 1.0, 2.0], rows)
    shadows = numbers.choice([0.0, 0.0, 0.0, 0.25, 1.0, 3.0], (2, rows))
    close = 1_000.0 + np.cumsum(body + gap)
    opening = close - body
    high, low = np.maximum(opening, close) + shadows[0], np.minimum(opening, close) - shadows[1]
    return {"open": opening, "high": high, "low": low, "close": close}


def prices(bars: pl.DataFrame) -> dict[str, Floats]:
    return {name: bars[name].to_numpy() for name in PRICES}


@cache
def every_series() -> Mapping[str, dict[str, Floats]]:
    """Real histories whole, one with gaps, one short; made ones of every character; drawn and planted ones."""
    days = {symbol: history.stored for symbol, history in packaged(Interval.D1).items()}
    hours = packaged(Interval.H1)["EURUSD=X"].stored
    return {
        **{symbol: prices(bars) for symbol, bars in days.items()},
        "hours": prices(hours),
        "gaps": prices(days["IBM"].gather_every(2)),
        "short": prices(days["IBM"].head(9)),
        **{shape: prices(a_series(400, shape=shape)) for shape in SHAPES},
        "drawn": drawn(20_000),
        **{name: of_rows([*QUIET, *rows]) for name, rows in RARE.items()},
    }


@pytest.mark.parametrize("candle", CANDLES, ids=lambda candle: candle.name)
class TestEveryPattern:
    def test_is_seen_where_its_description_says_and_nowhere_else(self, candle: Indicator) -> None:
        for kind, bars in every_series().items():
            with np.errstate(invalid="ignore"):
                (expected,) = REFERENCES[candle.name](bars)

            (found,) = candle.series(bars)

            assert np.flatnonzero(found != expected).tolist() == [], kind

    def test_is_seen_somewhere(self, candle: Indicator) -> None:
        assert any(np.any(candle.series(bars)[0]) for bars in every_series().values())


@pytest.mark.parametrize("name", RARE)
def test_a_planted_pattern_is_seen_on_its_last_bar(name: str) -> None:
    (candle,) = (one for one in CANDLES if one.name == name)

    assert np.flatnonzero(candle.series(of_rows([*QUIET, *RARE[name]]))[0]).tolist() == [
        len(QUIET) + len(RARE[name]) - 1
    ]
