"""Calendars of exchanges: every market that can be named has one, with its lunch break, or costs only itself."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from structlog.testing import capture_logs

from evil2root.adapters.calendars import exchange
from evil2root.adapters.calendars.exchange import SCHEMA, ExchangeCalendars, asked
from evil2root.domain.core.instrument import Instrument, instrument_for
from evil2root.domain.core.listings import LISTINGS
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.calendars import NoCalendar, sessions_or_nowhere
from evil2root.domain.market.cleaning import clean
from evil2root.domain.market.cleaning.places import named_by_opening
from evil2root.domain.market.passport import passport_at
from evil2root.domain.market.sessions import DAY, EPOCH, MICROSECOND, Sessions, moment, round_the_clock
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

CALENDARS = ExchangeCalendars()
HONG_KONG = CALENDARS.sessions(instrument_for("0700.HK"))
TUESDAY = datetime(2024, 3, 5, tzinfo=UTC)
"""Hong Kong trades from 01:30 to 04:00 and from 05:00 to 08:00, UTC."""


def day(sessions: Sessions, interval: Interval, at: datetime = TUESDAY) -> list[tuple[str, str]]:
    start = (at - EPOCH) // MICROSECOND
    opens, closes = sessions.grid(interval, start=start, end=start + DAY)
    return [(f"{moment(o):%H:%M}", f"{moment(c):%H:%M}") for o, c in zip(opens.tolist(), closes.tolist(), strict=True)]


def five_minutes(count: int) -> pl.DataFrame:
    """The first bars of a day in Hong Kong, 30 of them before lunch, as the library has them."""
    opened = [TUESDAY + timedelta(minutes=90 + 5 * n + 60 * (n >= 30)) for n in range(count)]
    values = {name: pl.int_range(count).cast(pl.Float64) for name in ("open", "high", "low", "close", "volume")}
    return pl.DataFrame({"opened_at": opened}, schema={"opened_at": RAW_SCHEMA["opened_at"]}).with_columns(**values)


@pytest.mark.parametrize("suffix", LISTINGS)
def test_a_listing_opens_when_its_calendar_does(suffix: str) -> None:
    # An imported day is named by the listing's opening: the calendar must know it.
    _, _, session = LISTINGS[suffix]

    opens, _ = exchange.HOURS.get(session.name) or (exchange._kind(session.name).open_times[-1][1], None)

    assert opens == session.opens


def test_the_floor_of_frankfurt_trades_from_eight_to_ten_in_the_evening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "FIRST", "2026-01-05")
    monkeypatch.setattr(exchange, "LAST", "2026-01-06")

    assert [f"{moment(at):%H:%M}" for at in asked("XFRA").row(0)[:2]] == ["07:00", "21:00"]


@pytest.mark.parametrize("month", [1, 7])
@pytest.mark.parametrize(("symbol", "zone"), [("CBA.AX", "Australia/Sydney"), ("AIR.NZ", "Pacific/Auckland"),
                                              ("7203.T", "Asia/Tokyo"), ("IBM", "America/New_York")])  # fmt: skip
def test_a_day_named_by_midnight_is_the_session_of_that_date(
    symbol: str, zone: str, month: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "FIRST", "2024-01-01")
    monkeypatch.setattr(exchange, "LAST", "2024-12-31")
    calendar = ExchangeCalendars().sessions(instrument_for(symbol))
    friday = datetime(2024, month, 19, tzinfo=UTC)
    labels = np.array([(friday + timedelta(days=n) - EPOCH) // MICROSECOND for n in range(4)])

    named = named_by_opening(labels, calendar, Interval.D1)

    opened = [moment(at).astimezone(ZoneInfo(zone)).date() for at in named.tolist() if at in calendar.day_opens]
    assert opened == [date(2024, month, 19), date(2024, month, 22)]


@pytest.mark.parametrize(("symbol", "years"), [("7203.T", (1997, 2039)), ("D05.SI", (1986, 2026))])
def test_a_calendar_reaches_as_far_as_its_library_knows(symbol: str, years: tuple[int, int]) -> None:
    first, last = CALENDARS.sessions(instrument_for(symbol)).covers

    assert first.year == years[0]
    assert last.year >= years[1]


def test_tel_aviv_traded_on_sundays_until_2026_and_trades_on_fridays_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "FIRST", "2025-12-25")
    monkeypatch.setattr(exchange, "LAST", "2026-01-16")

    opened = [moment(at) for at in asked("XTAE")["opens"].to_list()]

    assert [f"{at:%a %d}" for at in opened] == [
        "Thu 25", "Sun 28", "Mon 29", "Tue 30", "Wed 31", "Thu 01", "Sun 04",
        "Mon 05", "Tue 06", "Wed 07", "Thu 08", "Fri 09", "Mon 12", "Tue 13", "Wed 14", "Thu 15", "Fri 16",
    ]  # fmt: skip


def test_a_calendar_that_fails_costs_its_market_only_and_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def failing(name: str) -> pl.DataFrame:
        tried.append(name)
        msg = f"{name} is broken. " + "x" * 10_000
        raise ValueError(msg)

    monkeypatch.setattr(exchange, "asked", failing)
    calendars, toyota = ExchangeCalendars(), instrument_for("7203.T")

    said = []
    with capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(NoCalendar) as no:
                calendars.sessions(toyota)
            said.append(str(no.value))

    assert said[0] == said[1]
    assert said[0].startswith(
        "7203.T can't be traded, because nobody knows when XTKS is open: ValueError: XTKS is broken"
    )
    assert len(said[0]) < 300
    assert tried == ["XTKS"]
    assert [line["event"] for line in logs] == ["calendar.unavailable"]
    assert calendars.sessions(instrument_for("IBM")).covers[0].year == 1962


def test_bars_of_a_market_without_a_calendar_are_off_it_and_none_is_missed() -> None:
    class Nobody:
        def sessions(self, instrument: Instrument) -> Sessions:
            raise NoCalendar(instrument.symbol)

    bars = five_minutes(40)

    passport = passport_at(bars, sessions_or_nowhere(Nobody(), instrument_for("0700.HK")), Interval.M5)

    assert (passport.calendar, passport.expected, passport.missing, passport.off_calendar) == ("XHKG", 0, 0, True)


def test_a_table_kept_by_an_earlier_release_without_breaks_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tencent = instrument_for("0700.HK")
    made = pl.DataFrame({"opens": [1, 5], "closes": [3, 9], "resumes": [False, True]}, schema=SCHEMA)
    monkeypatch.setattr(exchange, "asked", lambda _: made)
    ExchangeCalendars(tmp_path).sessions(tencent)
    (kept,) = tmp_path.glob("XHKG-*.parquet")
    made.drop("resumes").write_parquet(kept)

    again = ExchangeCalendars(tmp_path).sessions(tencent)

    assert (again.opens.tolist(), again.closes.tolist()) == ([1, 5], [3, 9])
    assert (again.day_opens.tolist(), again.day_closes.tolist()) == ([1], [9])
    assert pl.read_parquet(kept).equals(made)


class TestLunch:
    @pytest.mark.parametrize(
        ("interval", "bars"),
        [(Interval.M1, 330), (Interval.M5, 66), (Interval.M15, 22), (Interval.M30, 11), (Interval.D1, 1)],
    )
    def test_has_no_bars(self, interval: Interval, bars: int) -> None:
        found = day(HONG_KONG, interval)

        assert len(found) == bars
        assert interval is Interval.D1 or not [at for at, _ in found if "04:00" <= at < "05:00"]

    def test_ends_a_bar_and_begins_another(self) -> None:
        assert day(HONG_KONG, Interval.H1) == [
            ("01:30", "02:30"), ("02:30", "03:30"), ("03:30", "04:00"),
            ("05:00", "06:00"), ("06:00", "07:00"), ("07:00", "08:00"),
        ]  # fmt: skip
        assert day(HONG_KONG, Interval.H4) == [("01:30", "04:00"), ("05:00", "08:00")]
        assert day(HONG_KONG, Interval.D1) == [("01:30", "08:00")]

    def test_is_none_on_a_half_day(self) -> None:
        assert day(HONG_KONG, Interval.H4, datetime(2024, 12, 24, tzinfo=UTC)) == [("01:30", "04:00")]

    def test_shuts_the_market(self) -> None:
        noon = TUESDAY + timedelta(hours=4, minutes=30)

        assert not HONG_KONG.is_open(noon)
        assert HONG_KONG.is_open(noon + timedelta(minutes=30))
        assert HONG_KONG.stopped_at(noon) == TUESDAY + timedelta(hours=4)
        assert HONG_KONG.last_close(Interval.H1, at=noon) == TUESDAY + timedelta(hours=4)
        assert HONG_KONG.last_close(Interval.D1, at=noon) == TUESDAY - timedelta(hours=16)

    def test_leaves_no_gap_in_a_whole_day_and_a_passport_without_flaw_after_it(self) -> None:
        bars = five_minutes(30 + 5)  # five of the twenty that are looked back on lie after the break

        passport = passport_at(bars, HONG_KONG, Interval.M5)

        assert not len(HONG_KONG.missing(bars["opened_at"].to_physical().to_numpy(), Interval.M5))
        assert (passport.expected, passport.missing, passport.off_calendar) == (20, 0, False)

    def test_begins_no_bar(self) -> None:
        at = np.array([(TUESDAY + timedelta(hours=4, minutes=30) - EPOCH) // MICROSECOND])

        assert HONG_KONG.closes_of(at, Interval.M30).tolist() == [-1]


def test_rows_after_the_end_of_a_calendar_are_set_aside_as_unknown() -> None:
    ends = datetime(2024, 1, 3, tzinfo=UTC)
    at = [ends - timedelta(days=1), ends]
    rows = pl.DataFrame({"opened_at": at}, schema={"opened_at": RAW_SCHEMA["opened_at"]}).with_columns(
        **dict.fromkeys(("open", "high", "low", "close", "volume", "factor"), pl.lit(1.0))
    )
    told = Fetched(
        symbol="BTC-USD", interval=Interval.D1, source="t", fetched_at=ends + timedelta(days=2), rows=rows
    )  # fmt: skip

    cleaned = clean(told, round_the_clock(date(2024, 1, 1), ends.date()))

    assert cleaned.good["opened_at"].to_list() == at[:1]
    assert cleaned.quarantined["detail"].to_list() == ["a time after 2024-01-03, where the calendar of 24/7 ends"]
