"""Highs and lows far from the closes around them fill stops: they are believed when something confirms them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.cleaning import Cleaned, Known, clean
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched
from tests.fakes.telling import ComputedCalendars

START = datetime(2026, 1, 5, tzinfo=UTC)
ALWAYS = ComputedCalendars().sessions(instrument_for("BTC-USD"))
COUNT, LAST = 200, 150


def minutes(*, deviation: float = 0.0004, **changed: float) -> pl.DataFrame:
    """Minutes that move little; of one of them values are multiplied."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, deviation, COUNT)))
    opened = np.concatenate(([100.0], close[:-1]))
    rows = pl.DataFrame(
        {
            "opened_at": [START + timedelta(minutes=n) for n in range(COUNT)], "open": opened,
            "high": np.maximum(opened, close) * (1 + deviation / 2), "low": np.minimum(opened, close) * (1 - deviation / 2),
            "close": close, "volume": 10.0 + np.arange(COUNT) % 3, "factor": np.ones(COUNT),
        },
        schema=RAW_SCHEMA,
    )  # fmt: skip
    here = pl.int_range(COUNT) == LAST
    return rows.with_columns(pl.when(here).then(pl.col(n) * by).otherwise(n).alias(n) for n, by in changed.items())


def cleaned(rows: pl.DataFrame, *peers: pl.DataFrame) -> Cleaned:
    def told(table: pl.DataFrame, source: str) -> Fetched:
        return Fetched(
            symbol="BTC-USD", interval=Interval.M1, rows=table, source=source, fetched_at=START + timedelta(days=1)
        )

    beside = tuple(told(table, f"peer {place}") for place, table in enumerate(peers))
    return clean(told(rows, "t"), ALWAYS, Known(peers=beside))


@pytest.mark.parametrize(
    "wrong", [{"high": 1.27}, {"high": 1.03}, {"low": 0.79}, {"low": 0.97}, {"open": 1.1, "high": 1.1}]
)
def test_a_high_or_low_far_beyond_the_ranges_of_the_series_is_set_aside(wrong: dict[str, float]) -> None:
    made = cleaned(minutes(**wrong))

    assert made.quarantined["reason"].to_list() == ["wick"]
    assert made.quarantined["opened_at"].to_list() == [START + timedelta(minutes=LAST)]


@pytest.mark.parametrize("sound", [{"high": 1.015}, {"low": 0.985}])
def test_a_small_way_is_none_however_calm_the_market_was(sound: dict[str, float]) -> None:
    assert cleaned(minutes(**sound)).good.height == COUNT


def test_a_restless_series_may_go_further() -> None:
    assert cleaned(minutes(deviation=0.01, high=1.1)).good.height == COUNT
    assert cleaned(minutes(deviation=0.01, high=1.3)).good.height == COUNT - 1


def test_a_share_of_few_ticks_that_mostly_stands_still_may_move_by_ticks() -> None:
    tick = pl.when(pl.int_range(COUNT) % 7 == 0).then(0.51).otherwise(0.5)
    still = minutes().with_columns(open=pl.lit(0.5), high=tick, low=pl.lit(0.5), close=pl.lit(0.5))
    there = pl.when(pl.int_range(COUNT) == LAST).then(0.53).otherwise("high").alias("high")

    assert cleaned(still.with_columns(there)).good.height == COUNT


@pytest.mark.parametrize(("way", "times", "left"), [(1.1, 8, 200), (1.1, 2, 199), (1.1, 1e6, 199), (1.4, 8, 199)])
def test_volume_confirms_a_way_that_news_may_make(way: float, times: float, left: int) -> None:
    assert cleaned(minutes(high=way, volume=times)).good.height == left


def test_another_source_confirms_a_high_by_its_own_high_not_by_its_close() -> None:
    far = minutes(high=1.27)

    assert cleaned(far, minutes()).quarantined["reason"].to_list() == ["wick"]
    assert cleaned(far, minutes(high=1.25)).good.height == COUNT
    assert cleaned(far, minutes(high=27.0)).quarantined["reason"].to_list() == ["wick"]


def test_of_a_few_bars_only_a_great_way_is_far() -> None:
    few = minutes(high=1.2).slice(LAST - 5, 10)

    assert cleaned(few).good.height == 10
    assert cleaned(minutes(high=1.3).slice(LAST - 5, 10)).good.height == 9
