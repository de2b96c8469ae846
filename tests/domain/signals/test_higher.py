"""The next longer interval: whole days and weeks of the market, and the same carried from bar to bar."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.days import session_of
from evil2root.domain.market.sessions import fx_week, micros, moment
from evil2root.domain.signals.carried.running import RunningHigher
from evil2root.domain.signals.higher import begins, higher, higher_bars
from tests.domain.market.laws import differing_columns
from tests.domain.market.series import a_series

FX = session_of("EURUSD=X")


def hourly() -> pl.DataFrame:
    return packaged(Interval.H1)["EURUSD=X"].adjusted


def lasting(rows: int, *, interval: Interval) -> pl.DataFrame:
    """A walk that opens where a currency's bars of this interval open, over a change of clocks."""
    start = (datetime(2017, 10, 20, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400_000_000
    opened, closed = fx_week().grid(interval, start=start, end=start + 3 * rows * micros(interval.length) + 10**13)
    return a_series(rows).with_columns(
        opened_at=pl.Series([moment(int(at)) for at in opened[:rows]]),
        closed_at=pl.Series([moment(int(at)) for at in closed[:rows]]),
    )


def test_on_a_currencys_monday_the_newest_higher_bar_is_fridays_not_sundays_two_hours() -> None:
    bars = hourly()
    monday = bars.filter(pl.col("opened_at") < datetime(2017, 11, 20, 9, tzinfo=UTC))
    friday = bars.filter(pl.col("opened_at") < datetime(2017, 11, 18, tzinfo=UTC))

    seen = higher(monday, interval=Interval.H1, session=FX)["higher_close"][-1]

    assert seen == friday["close"][-1]


def test_ranges_of_a_currency_are_those_of_whole_days() -> None:
    bars = hourly().head(24 * 40)
    starts = begins(higher_bars(bars["opened_at"].to_physical().to_numpy(), interval=Interval.H1, session=FX))
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    days = list(zip(starts.tolist(), [*starts[1:].tolist(), bars.height], strict=True))[:-1]  # the last one is not over
    spans = [
        max(high[a:b].max(), close[a - 1]) - min(low[a:b].min(), close[a - 1]) for a, b in days if a
    ]  # fmt: skip

    seen = higher(bars, interval=Interval.H1, session=FX).tail(1)

    assert {b - a for a, b in days[1:]} == {24}
    assert seen["higher_range_14"][0] == pytest.approx(np.mean(spans[-14:]))
    assert seen["higher_sma_10"][0] == pytest.approx(np.mean([close[b - 1] for _, b in days[-10:]]))


@pytest.mark.parametrize("interval", list(Interval))
@pytest.mark.parametrize("symbol", ["EURUSD=X", "BTC-USD", "AAPL", "BHP.AX"])
def test_is_carried_as_the_whole_window_has_it_in_any_market_and_interval(symbol: str, interval: Interval) -> None:
    session = session_of(symbol)
    rows = {Interval.M1: 2_400, Interval.M5: 500, Interval.M15: 700, Interval.H1: 900}.get(interval, 400)
    bars = lasting(rows, interval=interval)
    opened = bars["opened_at"].to_physical().to_list()
    columns = [bars[name].to_list() for name in ("open", "high", "low", "close", "volume")]
    first = rows - 90

    running = RunningHigher(bars.head(first), interval=interval, session=session)
    taken = [
        running.take(row, opened_at=at) for at, *row in zip(opened[first:], *(c[first:] for c in columns), strict=True)
    ]

    whole = higher(bars, interval=interval, session=session).tail(90)
    carried = pl.DataFrame(dict(zip(whole.columns, zip(*taken, strict=True), strict=True))).fill_nan(None)
    assert differing_columns(carried, whole) == []
    assert whole["higher_close"].n_unique() > 1


@pytest.mark.parametrize("interval", [Interval.M15, Interval.H1, Interval.D1])
def test_hiding_later_bars_changes_nothing_before_them(interval: Interval) -> None:
    bars = lasting(300, interval=interval)
    whole = higher(bars, interval=interval, session=FX)

    for cut in (1, 2, 40, 41, 160, 299):
        assert differing_columns(higher(bars.head(cut), interval=interval, session=FX), whole.head(cut)) == []
