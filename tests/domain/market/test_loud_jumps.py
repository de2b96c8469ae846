"""A crash or a take-over on loud volume is believed, at once or once it stays; a split that nobody tells is not."""

import numpy as np
import polars as pl
import pytest

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.cleaning import Cleaned, Known, clean
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

SESSIONS = ExchangeCalendars().sessions(instrument_for("IBM"))
REAL = packaged(Interval.D1)["IBM"].stored.tail(300)
BEFORE = 200
"""Bars that are stored; the next one moves."""
USUAL = float(np.median(REAL["volume"].to_numpy()[BEFORE - 20 : BEFORE]))


def told(by: float, times: float, *, after: float = 1.0, bars: int) -> pl.DataFrame:
    """The last 8 stored bars and so many new ones at another level, the first of them loud, `after` times the rest."""
    place = pl.int_range(pl.len())
    later = place >= BEFORE
    volume = pl.when(place == BEFORE).then(USUAL * times).when(later).then(USUAL * after).otherwise("volume")
    prices = [pl.when(later).then(pl.col(n) * by).otherwise(n).alias(n) for n in ("open", "high", "low", "close")]
    rows = REAL.with_columns(*prices, volume=volume, factor=pl.lit(1.0))
    return rows.slice(BEFORE - 8, 8 + bars).select(RAW_SCHEMA.names()).cast(RAW_SCHEMA)


def cleaned(rows: pl.DataFrame, *, stored: bool = True) -> Cleaned:
    before = REAL.head(BEFORE).with_columns(factor=pl.lit(1.0))
    answer = Fetched(
        symbol="IBM", interval=Interval.D1, rows=rows, source="t", fetched_at=REAL["closed_at"][BEFORE + 60]
    )
    return clean(answer, SESSIONS, Known(stored=before if stored else before.clear()))


def believed(by: float, times: float, *, after: float = 1.0, bars: int) -> int:
    """Return how many of the new bars are."""
    return cleaned(told(by, times, after=after, bars=bars)).good.height - 8


@pytest.mark.parametrize(("by", "times"), [(2.0, 150), (2.2, 150), (1.6, 150), (0.4, 400), (2.2, 5_000)])
def test_a_move_on_absurd_volume_is_believed_once_it_stays_for_four_bars(by: float, times: float) -> None:
    assert [believed(by, times, bars=bars) for bars in (1, 3, 4, 20)] == [0, 0, 4, 20]


def test_volumes_of_another_unit_from_a_bar_on_confirm_nothing() -> None:
    assert believed(2.2, 150, after=150, bars=20) == 0


@pytest.mark.parametrize(("by", "times"), [(0.5, 5.2), (0.5, 6), (0.5, 8), (0.66, 5.2), (0.34, 8)])
def test_a_crash_by_the_ratio_of_a_split_is_believed_once_it_stays_and_volume_is_usual(by: float, times: float) -> None:
    assert [believed(by, times, bars=bars) for bars in (1, 3, 4, 20)] == [0, 0, 4, 20]
    assert believed(by, times, after=1.15, bars=20) == 20


@pytest.mark.parametrize(("ratio", "times"), [(4.0, 1.7), (3.0, 2.0), (2.0, 3.0), (2.0, 4.9), (1.5, 3.4)])
@pytest.mark.parametrize("bars", [1, 4, 8, 60])
def test_after_a_split_that_nobody_tells_more_shares_are_traded_for_good(ratio: float, times: float, bars: int) -> None:
    assert believed(1 / ratio, ratio * times, after=ratio, bars=bars) == 0


@pytest.mark.parametrize(("ratio", "times"), [(4.0, 1.7), (2.0, 2.4), (3.0, 1.0)])
def test_a_split_that_nobody_tells_is_refused_though_fewer_shares_are_traded_after_it(
    ratio: float, times: float
) -> None:
    assert believed(1 / ratio, ratio * times, bars=20) == 0


def test_a_split_that_merges_shares_leaves_fewer_of_them_and_is_refused() -> None:
    assert believed(2.0, 3.0, after=0.5, bars=20) == 0


def test_one_row_of_absurd_volume_at_the_seam_confirms_none_of_the_bars_before_it() -> None:
    rows = told(1.0, 1.0, bars=60)
    place = pl.int_range(pl.len())
    wrong = [pl.when(place < 3).then(pl.col(n) * 2.2).otherwise(n).alias(n) for n in ("open", "high", "low", "close")]
    volume = pl.when(place == 3).then(1e14).otherwise("volume")

    made = cleaned(rows.with_columns(*wrong, volume=volume), stored=False)

    assert set(rows["opened_at"][:3]).isdisjoint(made.good["opened_at"])
