"""Sessions: half days, clock changes, holidays, weeks of currencies, and what is put together within them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evil2root.adapters.calendars.exchange import PACKAGED, ExchangeCalendars, asked
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA, History
from evil2root.domain.market.resample import resampled
from evil2root.domain.market.sessions import EPOCH, MICROSECOND, Sessions, fx_week, moment, round_the_clock

CALENDARS = ExchangeCalendars()
NEW_YORK = CALENDARS.sessions(instrument_for("IBM"))
HONG_KONG = CALENDARS.sessions(instrument_for("0700.HK"))


def when(day: date | datetime) -> int:
    at = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day, tzinfo=UTC)
    return (at - EPOCH) // MICROSECOND


def grid(sessions: Sessions, interval: Interval, first: date, last: date) -> list[tuple[str, str]]:
    opens, closes = sessions.grid(interval, start=when(first), end=when(last))
    return [
        (f"{moment(o):%m-%d %H:%M}", f"{moment(c):%H:%M}") for o, c in zip(opens.tolist(), closes.tolist(), strict=True)
    ]


def test_the_packaged_table_is_what_the_library_says() -> None:
    assert pl.read_parquet(PACKAGED / "XNYS.parquet").equals(asked("XNYS"))


def test_a_half_day_ends_early_and_thanksgiving_has_no_session() -> None:
    assert grid(NEW_YORK, Interval.D1, date(2012, 11, 21), date(2012, 11, 27)) == [
        ("11-21 14:30", "21:00"), ("11-23 14:30", "18:00"), ("11-26 14:30", "21:00"),
    ]  # fmt: skip


def test_hours_of_a_half_day_end_with_it() -> None:
    assert grid(NEW_YORK, Interval.H1, date(2012, 11, 23), date(2012, 11, 24)) == [
        ("11-23 14:30", "15:30"), ("11-23 15:30", "16:30"), ("11-23 16:30", "17:30"), ("11-23 17:30", "18:00"),
    ]  # fmt: skip


def test_the_clocks_change_and_the_session_opens_an_hour_earlier_in_utc() -> None:
    assert grid(NEW_YORK, Interval.D1, date(2024, 3, 8), date(2024, 3, 12)) == [
        ("03-08 14:30", "21:00"), ("03-11 13:30", "20:00"),
    ]  # fmt: skip


def test_currencies_open_on_sunday_at_five_in_new_york_whatever_the_clocks_do() -> None:
    week = fx_week()

    assert grid(week, Interval.H1, date(2024, 3, 10), date(2024, 3, 11))[0] == ("03-10 21:00", "22:00")
    assert grid(week, Interval.H1, date(2024, 3, 8), date(2024, 3, 9))[-1] == ("03-08 21:00", "22:00")
    assert not week.is_open(datetime(2024, 3, 9, 12, tzinfo=UTC))
    assert len(grid(week, Interval.D1, date(2024, 3, 4), date(2024, 3, 11))) == 5


def test_a_market_that_never_closes_has_every_minute() -> None:
    assert len(grid(round_the_clock(), Interval.M1, date(2024, 2, 29), date(2024, 3, 1))) == 1440


def test_a_bar_no_session_has_is_told_apart() -> None:
    at = [
        datetime(2024, 3, 11, 13, 30, tzinfo=UTC),
        datetime(2024, 3, 11, 13, 45, tzinfo=UTC),
        datetime(2024, 3, 9, 15, tzinfo=UTC),
    ]

    closes = NEW_YORK.closes_of(np.array([when(one) for one in at]), Interval.H1)

    assert closes.tolist() == [when(at[0] + timedelta(hours=1)), -1, -1]


def test_a_damaged_table_on_disk_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evil2root.adapters.calendars.exchange.PACKAGED", tmp_path / "nowhere")
    first = ExchangeCalendars(tmp_path).sessions(instrument_for("IBM"))
    (kept,) = tmp_path.glob("XNYS-*.parquet")
    kept.write_bytes(b"not a table")

    again = ExchangeCalendars(tmp_path).sessions(instrument_for("IBM"))

    assert (again.opens == first.opens).all()
    assert kept.read_bytes() != b"not a table"


def minutes(sessions: Sessions, first: date, last: date, *, seed: int = 1) -> pl.DataFrame:
    opens, closes = sessions.grid(Interval.M1, start=when(first), end=when(last))
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, len(opens))))
    columns = {"opened_at": opens, "closed_at": closes, "open": close, "high": close * 1.001, "low": close * 0.999,
               "close": close, "volume": np.full(len(opens), 10.0), "factor": np.ones(len(opens))}  # fmt: skip
    return pl.DataFrame(columns).cast(STORED_SCHEMA)


@pytest.mark.parametrize("sessions", [NEW_YORK, HONG_KONG, round_the_clock(), fx_week()], ids=lambda s: s.name)
def test_minutes_make_hours_make_days_within_sessions(sessions: Sessions) -> None:
    told = minutes(sessions, date(2012, 11, 19), date(2012, 11, 27))

    hours = resampled(told, sessions, interval=Interval.M1, into=Interval.H1)
    days = resampled(hours, sessions, interval=Interval.H1, into=Interval.D1)

    History(symbol="T", interval=Interval.H1, stored=hours, origin="t")
    assert days.equals(resampled(told, sessions, interval=Interval.M1, into=Interval.D1))
    for made, interval in ((hours, Interval.H1), (days, Interval.D1)):
        assert (made["closed_at"].to_physical().to_numpy() == sessions.closes_of(
            made["opened_at"].to_physical().to_numpy(), interval)).all()  # fmt: skip
        assert made["high"].max() == told["high"].max()


def test_a_bar_that_is_not_over_or_has_a_hole_is_not_made() -> None:
    told = minutes(NEW_YORK, date(2012, 11, 23), date(2012, 11, 24))

    running = resampled(told.head(-1), NEW_YORK, interval=Interval.M1, into=Interval.D1)
    holed = told.filter(pl.int_range(pl.len()) != 30)

    assert running.height == 0
    assert resampled(holed, NEW_YORK, interval=Interval.M1, into=Interval.H1).height == 3
    assert resampled(holed, NEW_YORK, interval=Interval.M1, into=Interval.H1, keep_holed=True).height == 4
