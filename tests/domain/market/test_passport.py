"""The data passport: a pure function of the bars up to one, the same for a whole series and for its last bar."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.passport import LOOKBACK, MARKS_SCHEMA, passport_at, passports

NEW_YORK = ExchangeCalendars().sessions(instrument_for("IBM"))
REAL = packaged(Interval.D1)["IBM"].adjusted.tail(120)


def marks(bars: pl.DataFrame) -> pl.DataFrame:
    every = pl.int_range(pl.len())
    made = bars.select("opened_at", source=pl.lit("s"), repaired=every % 7 == 0, agreed=every % 2 == 0)
    return made.cast(MARKS_SCHEMA)


@given(st.sets(st.integers(0, 119), max_size=60), st.integers(1, 119), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_the_last_bar_alone_has_the_passport_it_has_in_the_series_whatever_comes_after(
    gone: set[int], cut: int, hung: int
) -> None:
    rows = REAL.with_row_index("n")
    numbers = ["open", "high", "low", "close", "volume"]
    rows = rows.with_columns(
        pl.when(pl.col("n") >= 119 - hung * 20).then(1.0).otherwise(pl.col(c)).alias(c) for c in numbers
    )
    bars = rows.filter(~pl.col("n").is_in(list(gone))).drop("n")
    if not bars.height:
        return
    cut = min(cut, bars.height)

    whole = passports(bars, NEW_YORK, Interval.D1, marks=marks(bars))
    live = passport_at(bars.head(cut), NEW_YORK, Interval.D1, marks=marks(bars).head(cut))

    assert live == whole[cut - 1]


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
def test_recorded_history_has_nothing_missing(symbol: str) -> None:
    made = passports(packaged(Interval.D1)[symbol].adjusted, NEW_YORK, Interval.D1)

    assert {(one.missing, one.off_calendar) for one in made} == {(0, False)}
    assert made[-1].expected == LOOKBACK


def test_missing_bars_are_counted_for_twenty_and_forgotten() -> None:
    bars = REAL.filter(~pl.int_range(pl.len()).is_between(50, 54))

    missing = [one.missing for one in passports(bars, NEW_YORK, Interval.D1)]

    assert missing[49] == 0
    assert missing[50] == 5
    assert missing[-1] == 0


def test_a_bar_of_a_sunday_is_none_the_calendar_knows() -> None:
    sunday = REAL.tail(1).with_columns(pl.col("opened_at") + timedelta(days=2), pl.col("closed_at") + timedelta(days=2))

    assert passport_at(pl.concat([REAL, sunday]), NEW_YORK, Interval.D1).off_calendar
