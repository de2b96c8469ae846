"""The packaged history: real, whole, and in the right time zone."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from evil2root.adapters.market_data import packaged as module
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable


def test_daily_bars_are_the_ones_the_reference_results_were_made_from() -> None:
    found = packaged(Interval.D1)

    assert {symbol: history.stored.height for symbol, history in found.items()} == {
        "AAPL": 3270, "FB": 196, "GOOG": 2148, "IBM": 3270, "MSFT": 3270
    }  # fmt: skip
    first = found["AAPL"].raw.row(0, named=True)
    assert (first["open"], first["high"], first["low"], first["close"], first["volume"]) == (
        118.56,
        132.06,
        118.5,
        130.31,
        9_616_100,
    )
    assert found["AAPL"].origin.endswith("2000-03-01 to 2013-03-01")


def test_a_day_is_new_york_s_session_in_winter_and_summer() -> None:
    rows = packaged(Interval.D1)["MSFT"].stored
    days = [opened.astimezone(ZoneInfo("America/New_York")).date() for opened in rows["opened_at"]]

    assert list(zip(rows["opened_at"], rows["closed_at"], strict=True)) == [NEW_YORK.bounds(day) for day in days]
    assert {opened.hour for opened in rows["opened_at"]} == {13, 14}


def test_a_split_is_no_crash_once_adjusted() -> None:
    history = packaged(Interval.D1)["AAPL"]
    split = date(2005, 2, 28)
    at = [opened.date() for opened in history.stored["opened_at"]].index(split)
    raw, adjusted = history.raw["close"], history.adjusted["close"]

    assert raw[at] / raw[at - 1] < 0.55
    assert 0.9 < adjusted[at] / adjusted[at - 1] < 1.1


def test_hourly_euros_are_told_in_utc() -> None:
    history = packaged(Interval.H1)["EURUSD=X"]
    rows = history.stored

    assert rows.height == 6225
    assert rows["opened_at"][0] == datetime(2017, 1, 1, 22, tzinfo=UTC)
    assert set(rows["closed_at"] - rows["opened_at"]) == {timedelta(hours=1)}
    assert set(rows["factor"]) == {1.0}
    # The trading week opens at 17:00 in New York: only UTC agrees with that all year round.
    zone = ZoneInfo("America/New_York")
    gaps = [
        after for before, after in zip(rows["opened_at"], rows["opened_at"][1:], strict=False)
        if after - before > timedelta(hours=40)
    ]  # fmt: skip
    at_five = [start.astimezone(zone).hour == 17 for start in gaps]
    assert len(gaps) == 51
    assert at_five.count(False) == 1  # Christmas Eve, an hour later


def test_an_interval_nobody_packed_says_what_there_is() -> None:
    with pytest.raises(BarsUnavailable, match=r"no packaged history of 5m bars: use 1d \(AAPL, FB"):
        packaged(Interval.M5)


def test_a_missing_package_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STOCKS", ("no_such_package", "x.csv.gz"))

    with pytest.raises(BarsUnavailable, match=r"no_such_package .* is missing\. Run \./evil2root setup"):
        packaged(Interval.D1)


def test_a_damaged_file_is_refused_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    header, row = "Time,Open,High,Low,Close,Volume\n", "02.01.2017 10:00:00.000,1.05,1.04,1.06,1.05,5\n"
    file = tmp_path / "x.csv"
    file.write_text(header + row)
    monkeypatch.setattr(module, "_located", lambda *_: file)

    with pytest.raises(BarsUnavailable, match=r"high 1\.04 is below"):
        packaged(Interval.H1)
    file.write_text(header + "never,1,1,1,1,1\n")
    with pytest.raises(BarsUnavailable, match=r"Run \./evil2root setup --force"):
        packaged(Interval.H1)
