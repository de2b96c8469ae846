"""What is odd about a stored series is named; what is usual is not."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA, History
from evil2root.domain.market.quality import GAP_BARS, STALE_BARS, issues
from evil2root.domain.market.sessions import nowhere, round_the_clock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FRIDAY_20, MONDAY = datetime(2024, 3, 1, 20, tzinfo=UTC), datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def history(
    opened: Sequence[datetime], *, symbol: str = "TEST", interval: Interval = Interval.D1,
    close: Sequence[float] | None = None, factor: Sequence[float] | None = None,
) -> History:  # fmt: skip
    """Bars at these times; without closes, every bar has another one."""
    length = timedelta(hours=6.5) if interval is Interval.D1 and "-" not in symbol else interval.length
    closes = [100 + 0.01 * (n % 7) for n in range(len(opened))] if close is None else list(close)
    columns = {
        "opened_at": list(opened), "closed_at": [at + length for at in opened],
        **dict.fromkeys(("open", "high", "low", "close"), closes), "volume": [1_000.0] * len(opened),
        "factor": [1.0] * len(opened) if factor is None else list(factor),
    }  # fmt: skip
    return History(symbol=symbol, interval=interval, stored=pl.DataFrame(columns, schema=STORED_SCHEMA), origin="test")


@pytest.mark.parametrize(
    ("symbol", "interval", "before", "apart", "is_gap"),
    [
        ("TEST", Interval.D1, MONDAY, 5 * DAY, False),
        ("TEST", Interval.D1, MONDAY, 6 * DAY, True),
        ("TEST", Interval.H1, MONDAY, GAP_BARS * HOUR, False),
        ("TEST", Interval.H1, MONDAY, (GAP_BARS + 1) * HOUR, True),
        ("TEST", Interval.H1, MONDAY, DAY, False),
        ("TEST", Interval.H1, MONDAY, 30 * DAY, True),
        ("EURUSD=X", Interval.H1, FRIDAY_20, 2 * DAY + HOUR, False),
        ("EURUSD=X", Interval.H1, FRIDAY_20, 3 * DAY, True),
        ("EURUSD=X", Interval.H1, MONDAY, 2 * DAY + HOUR, True),
        ("EURUSD=X", Interval.D1, FRIDAY_20, 3 * DAY, False),
        ("BTC-USD", Interval.H1, FRIDAY_20, GAP_BARS * HOUR, False),
        ("BTC-USD", Interval.H1, FRIDAY_20, 2 * DAY + HOUR, True),
        ("BTC-USD", Interval.D1, FRIDAY_20, 4 * DAY, True),
    ],
)
def test_a_hole_is_a_gap_where_the_market_was_open(
    symbol: str, interval: Interval, before: datetime, apart: timedelta, *, is_gap: bool
) -> None:
    found = issues(history([before, before + apart], symbol=symbol, interval=interval))

    assert [(i.kind, i.start, i.end, i.rows, i.action) for i in found] == (
        [("gap", before, before + apart, 0, "none")] if is_gap else []
    )


def days(count: int) -> list[datetime]:
    return [MONDAY + n * DAY for n in range(count)]


@pytest.mark.parametrize("alike", [STALE_BARS - 1, STALE_BARS, STALE_BARS + 3])
def test_the_same_close_on_the_same_volume_is_stale_from_five_bars_on(alike: int) -> None:
    at = days(alike + 4)

    found = issues(history(at, close=[10.0, 11.0, *[12.0] * alike, 13.0, 14.0]))

    expected = [("stale", at[2], at[alike + 1], alike, "none")] if alike >= STALE_BARS else []
    assert [(i.kind, i.start, i.end, i.rows, i.action) for i in found] == expected


def walk(count: int) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.01, count)))


def test_a_move_far_beyond_the_usual_is_a_spike() -> None:
    at, close = days(100), walk(100)
    close[60:] *= 1.5

    found = issues(history(at, close=close.tolist()))

    assert [(i.kind, i.start, i.rows) for i in found] == [("spike", at[60], 1)]


def test_a_split_is_named_as_adjusted_and_is_no_spike() -> None:
    at, close, factor = days(100), walk(100), np.ones(100)
    close[:60] *= 2
    factor[:60] = 0.5

    found = issues(history(at, close=close.tolist(), factor=factor.tolist()))

    assert [(i.kind, i.start, i.action) for i in found] == [("split", at[60], "adjusted")]


def test_bars_beyond_the_calendar_are_told_apart_from_bars_it_denies() -> None:
    begins, ends = date(2024, 3, 3), date(2024, 3, 5)
    at = [MONDAY - 4 * DAY, datetime(2024, 3, 3, tzinfo=UTC), MONDAY, MONDAY + 3 * DAY]

    found = issues(history(at, symbol="BTC-USD"), sessions=round_the_clock(begins, ends))

    assert [(i.kind, i.start, i.detail) for i in found] == [
        (
            "outside_session",
            at[0],
            "times before 2024-03-03, where the calendar of 24/7 begins: nothing is known of them",
        ),
        ("gap", datetime(2024, 3, 4, tzinfo=UTC), "1 bars missing while the market was open"),
        ("outside_session", at[2], "times at which no 1d bar of 24/7 opens"),
        ("outside_session", at[3], "times after 2024-03-05, where the calendar of 24/7 ends: nothing is known of them"),
    ]


def test_bars_of_a_market_nobody_knows_are_named_once() -> None:
    found = issues(history(days(3), symbol="7203.T"), sessions=nowhere("XTKS"))

    assert [(i.kind, i.rows, i.detail) for i in found] == [("outside_session", 3, "nobody knows when XTKS is open")]


def test_a_dividend_and_an_empty_series_are_nothing_odd() -> None:
    factor = np.ones(100)
    factor[:60] = 0.98

    assert issues(history(days(100), close=walk(100).tolist(), factor=factor.tolist())) == []
    assert issues(history([])) == []
