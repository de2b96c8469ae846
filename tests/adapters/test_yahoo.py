"""The real yfinance against a Yahoo on loopback: what it hides is told, what it adjusts is taken back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from yfinance import cache
from yfinance.data import SingletonMeta

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data import yahoo_wire
from evil2root.adapters.market_data.yahoo import YahooBars
from evil2root.adapters.market_data.yahoo_wire import YahooWire
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered, Unreadable
from evil2root.domain.market.cleaning import clean
from evil2root.domain.market.history import History
from evil2root.domain.market.sources import Fetched
from tests.fakes.sources import SteppedClock
from tests.servers.serving import served
from tests.servers.yahoo import FAULTS, YahooServer
from tests.servers.yahoo_charts import Bar, Listed, refusal

CALENDARS = ExchangeCalendars()
DAYS = [datetime(2026, 1, day, 14, 30, tzinfo=UTC) for day in (5, 6, 7, 8, 9, 12, 13, 14)]
EVENING = datetime(2026, 1, 14, 22, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class World:
    server: YahooServer
    clock: SteppedClock
    source: YahooBars
    folder: Path
    address: str

    async def ask(
        self, symbol: str = "AAPL", interval: Interval = Interval.D1, start: datetime = DAYS[0], end: datetime = EVENING
    ) -> Fetched:
        return await self.source.bars(symbol, interval, start=start, end=end)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    SingletonMeta._instances.clear()  # yfinance remembers crumbs for the process
    server, clock, folder = YahooServer(), SteppedClock(EVENING), tmp_path / "data" / "yfinance"
    async with served(server) as address:
        wire = YahooWire(address, folder=folder)
        source = YahooBars(wire, calendars=CALENDARS, clock=clock)
        yield World(server=server, clock=clock, source=source, folder=folder, address=address)
        await source.close()


def steps(times: list[datetime], *, first: float = 100.0) -> list[Bar]:
    return [(at, first + i, first + i + 2, first + i - 2, first + i + 1, 1_000.0 + i) for i, at in enumerate(times)]


class TestFailures:
    async def test_never_look_like_an_empty_table(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)})
        await world.ask()
        told: dict[str, tuple[type[Exception], int]] = {}

        for fault in FAULTS:
            world.server.asked.clear()
            world.server.planned.extend([fault] * 2)
            with pytest.raises(BarsUnavailable) as caught:
                await world.ask()
            world.server.planned.clear()
            assert 10 < len(str(caught.value)) < 400
            told[fault] = type(caught.value), sum(path.startswith("/v8/") for path in world.server.asked)

        # It is the caller who asks again; yfinance itself does once, for another cookie.
        assert told.pop("busy") == (AskedTooOften, 1)
        assert told.pop("worn_out") == (BarsUnavailable, 2)
        is_away = {"error", "unavailable", "cut", "html_404"}
        assert {fault for fault, seen in told.items() if seen == (BarsUnavailable, 1)} == is_away
        assert {fault for fault, seen in told.items() if seen == (Unreadable, 1)} == set(told) - is_away

    @pytest.mark.parametrize("status", [429, 503])
    async def test_say_for_how_long_yahoo_wants_to_be_left_alone(self, world: World, status: int) -> None:
        world.server.busy_status = status
        world.server.planned.append("busy_for_a_while")

        with pytest.raises(AskedTooOften) as caught:
            await world.ask()

        assert caught.value.retry_after_s == 77

    async def test_leave_nothing_behind(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)})
        world.server.planned.append("consent")
        with pytest.raises(BarsUnavailable):
            await world.ask()

        assert (await world.ask()).rows.height == 8

    async def test_of_a_worn_out_cookie_are_mended_by_another_one(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)})
        world.server.planned.append("worn_out")

        assert (await world.ask()).rows.height == 8

    async def test_to_get_a_crumb_do_not_keep_prices_away(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)})
        world.server.gives_crumbs = False

        assert (await world.ask()).rows.height == 8

    async def test_of_a_dead_line_are_unavailable(self, tmp_path: Path) -> None:
        SingletonMeta._instances.clear()
        wire = YahooWire("http://127.0.0.1:9", folder=tmp_path)

        with pytest.raises(BarsUnavailable, match="gave no answer"):
            await YahooBars(wire, calendars=CALENDARS, clock=SteppedClock(EVENING)).bars(
                "AAPL", Interval.D1, start=DAYS[0], end=EVENING
            )

    async def test_of_shape_are_unavailable_too(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)})

        def shorten(made: dict[str, Any]) -> None:
            made["chart"]["result"][0]["indicators"]["quote"][0]["close"].pop()

        world.server.spoils = shorten
        with pytest.raises(BarsUnavailable, match="could not be read"):
            await world.ask()


class TestSymbols:
    async def test_that_are_delisted_are_not_covered(self, world: World) -> None:
        with pytest.raises(NotCovered, match="No data found, symbol may be delisted"):
            await world.ask("GONE")

    async def test_of_no_known_exchange_are_not_asked_for(self, world: World) -> None:
        with pytest.raises(NotCovered, match="names no exchange"):
            await world.ask("ACME.QQ")
        assert world.server.asked == []

    async def test_that_look_like_security_numbers_are_never_looked_up_elsewhere(self, world: World) -> None:
        with pytest.raises(BarsUnavailable):
            await world.ask("US0378331005")

    async def test_told_instead_of_the_one_asked_for_are_no_answer(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)}, says="MSFT")

        with pytest.raises(BarsUnavailable, match="told of 'MSFT'"):
            await world.ask()

    async def test_are_asked_for_in_a_batch_each_with_its_own_fate(self, world: World) -> None:
        world.server.listed |= {name: Listed(bars={"1d": steps(DAYS)}) for name in ("AAPL", "MSFT", "BTC-USD")}

        answers = await world.source.many(["AAPL", "GONE", "MSFT"], Interval.D1, start=DAYS[0], end=EVENING)

        assert list(answers) == ["AAPL", "GONE", "MSFT"]
        assert isinstance(answers["GONE"], NotCovered)
        assert [a.rows.height for a in answers.values() if isinstance(a, Fetched)] == [8, 8]


class TestPeriods:
    @pytest.mark.parametrize(
        ("interval", "days"),
        [(Interval.M1, 30), (Interval.M5, 60), (Interval.M15, 60), (Interval.M30, 60), (Interval.H1, 730)],
    )
    async def test_older_than_yahoo_keeps_are_refused_with_its_limit(
        self, tmp_path: Path, interval: Interval, days: int
    ) -> None:
        source = YahooBars(
            YahooWire("http://127.0.0.1:9", folder=tmp_path), calendars=CALENDARS, clock=SteppedClock(EVENING)
        )

        with pytest.raises(NotCovered, match=rf"Yahoo keeps {interval} bars for {days} days .* start at 20\d\d-"):
            await source.bars("AAPL", interval, start=EVENING - timedelta(days=days), end=EVENING)

    async def test_of_minutes_are_asked_for_a_week_at_a_time(self, world: World) -> None:
        start = DAYS[0]
        minutes = [day + timedelta(minutes=i) for day in DAYS for i in range(3)]
        world.server.listed["AAPL"] = Listed(bars={"1m": steps(minutes), "1d": steps(DAYS)})

        fetched = await world.ask(interval=Interval.M1, start=start)

        spans = [int(q["period2"]) - int(q["period1"]) for q in world.server.questions if "period1" in q]
        assert max(spans) <= 7 * 86_400
        assert fetched.rows["opened_at"].to_list() == minutes

    async def test_yahoo_has_nothing_in_are_empty(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)})
        await world.ask()
        words = "Data doesn't exist for startDate = 1, endDate = 2"

        def nothing(made: dict[str, Any]) -> None:
            made.clear()
            made.update(refusal("Bad Request", words))

        world.server.spoils = nothing
        world.server.chart_status = 400

        assert (await world.ask()).rows.is_empty()


class TestAdjusting:
    async def test_takes_splits_back_and_tells_the_factor(self, world: World) -> None:
        """2 for 1 on Friday, half a dollar (a quarter after the split) on Wednesday."""
        bars = steps(DAYS)
        paid = 1.0 - 0.25 / bars[1][4]  # type: ignore[operator]
        closes = [bar[4] * (paid if i < 2 else 1.0) for i, bar in enumerate(bars)]  # type: ignore[operator]
        world.server.listed["AAPL"] = Listed(
            bars={"1d": bars}, adjusted=closes, splits=[(DAYS[4], 2, 1)], dividends=[(DAYS[2], 0.25)]
        )

        fetched = await world.ask()

        told = [bar[4] for bar in bars]
        assert fetched.rows["close"].to_list() == [c * 2 for c in told[:4]] + told[4:]  # type: ignore[operator]
        assert fetched.rows["volume"].to_list() == [(1_000 + i) / (2 if i < 4 else 1) for i in range(8)]
        assert (fetched.rows["close"] * fetched.rows["factor"]).to_list() == pytest.approx(closes, rel=1e-12)
        assert fetched.splits == ((DAYS[4], 2.0),)

    async def test_of_intraday_bars_is_made_from_the_events_told_with_them(self, world: World) -> None:
        hours = [day + timedelta(hours=i) for day in DAYS[:5] for i in range(7)]
        bars = steps(hours)
        world.server.listed["AAPL"] = Listed(
            bars={"1h": bars, "1d": steps(DAYS)}, splits=[(DAYS[3], 2, 1)], dividends=[(DAYS[1], 1.0)]
        )

        rows = (await world.ask(interval=Interval.H1)).rows

        paid = 1.0 - 1.0 / bars[6][4]  # type: ignore[operator]
        assert rows["factor"].to_list() == pytest.approx([paid / 2] * 7 + [0.5] * 14 + [1.0] * 14, rel=1e-12)
        assert rows["close"][0] == 2 * bars[0][4]  # type: ignore[operator]

    async def test_knows_of_a_split_after_the_period(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)}, splits=[(DAYS[6], 4, 1)])

        rows = (await world.ask(end=DAYS[2])).rows

        assert rows["close"].to_list() == [404.0, 408.0]
        assert rows["factor"].to_list() == [0.25, 0.25]

    async def test_makes_a_history_that_is_true(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)}, splits=[(DAYS[4], 2, 1)])

        cleaned = clean(await world.ask(), CALENDARS.sessions(instrument_for("AAPL")))

        history = History(symbol="AAPL", interval=Interval.D1, stored=cleaned.good, origin="")
        assert history.adjusted["close"].to_list() == [101.0 + i for i in range(8)]
        assert cleaned.quarantined.is_empty()


class TestTimes:
    async def test_of_days_are_their_openings_everywhere(self, world: World) -> None:
        """Sydney opens on the evening before, in UTC; currencies' days are told as midnights of London."""
        sydney = [datetime(2026, 1, day, 23, 0, tzinfo=UTC) for day in (4, 5, 6)]
        london = [datetime(2026, 6, day, 23, 0, tzinfo=UTC) for day in (7, 8, 9)]
        world.server.listed["BHP.AX"] = Listed(bars={"1d": steps(sydney)}, zone="Australia/Sydney", currency="AUD")
        world.server.listed["EURUSD=X"] = Listed(bars={"1d": steps(london)}, zone="Europe/London", kind="CURRENCY")

        shares = await world.ask("BHP.AX", start=sydney[0] - DAY)
        world.clock.at = london[-1] + 2 * DAY
        pair = await world.ask("EURUSD=X", start=london[0], end=world.clock.at)

        assert shares.rows["opened_at"].to_list() == sydney
        assert pair.rows["opened_at"].to_list() == [at + timedelta(hours=1) for at in london]
        assert (shares.currency, pair.currency) == ("AUD", "USD")

    async def test_of_a_running_bar_is_its_opening(self, world: World) -> None:
        minutes = [DAYS[0] + timedelta(minutes=m) for m in (0, 5, 10)]
        world.clock.at = minutes[-1] + timedelta(minutes=2, seconds=17)
        world.server.listed["AAPL"] = Listed(
            bars={"5m": steps([*minutes[:2], world.clock.at])}, traded_at=world.clock.at
        )
        world.server.listed["AAPL"].bars["1d"] = steps(DAYS[:1])

        fetched = await world.ask(interval=Interval.M5, end=world.clock.at)

        assert fetched.rows["opened_at"].to_list() == minutes
        assert (
            clean(fetched, CALENDARS.sessions(instrument_for("AAPL"))).incomplete["opened_at"].to_list() == minutes[2:]
        )

    async def test_of_delayed_quotes_leave_the_newest_bars_unfinished(self, world: World) -> None:
        minutes = [DAYS[0] + timedelta(minutes=5 * i) for i in range(4)]
        world.clock.at = minutes[-1] + timedelta(minutes=17)
        late = minutes[-1] + timedelta(minutes=2)
        world.server.listed["AAPL"] = Listed(bars={"5m": steps(minutes), "1d": steps(DAYS[:1])}, traded_at=late)

        fetched = await world.ask(interval=Interval.M5, end=world.clock.at)

        assert fetched.fetched_at == late
        assert clean(fetched, CALENDARS.sessions(instrument_for("AAPL"))).good["opened_at"].to_list() == minutes[:3]

    async def test_of_delayed_quotes_stay_unfinished_when_the_lunch_break_has_begun(self, world: World) -> None:
        minutes = [datetime(2026, 1, 14, 3, 40, tzinfo=UTC) + timedelta(minutes=5 * i) for i in range(4)]
        world.clock.at = minutes[-1] + timedelta(minutes=15)
        listed = Listed(bars={"5m": steps(minutes)}, zone="Asia/Hong_Kong", currency="HKD")
        listed.traded_at = minutes[-1] + timedelta(minutes=2)
        listed.bars["1d"] = steps([datetime(2026, 1, 14, 1, 30, tzinfo=UTC)])
        world.server.listed["0700.HK"] = listed

        fetched = await world.ask("0700.HK", Interval.M5, start=minutes[0], end=world.clock.at)

        cleaned = clean(fetched, CALENDARS.sessions(instrument_for("0700.HK")))
        assert cleaned.good["opened_at"].to_list() == minutes[:3]
        assert cleaned.incomplete["opened_at"].to_list() == minutes[3:]

    async def test_after_the_close_a_last_trade_just_before_it_ends_the_day(self, world: World) -> None:
        close = datetime(2026, 1, 14, 21, 0, tzinfo=UTC)
        world.clock.at = close + timedelta(minutes=3)
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)}, traded_at=close - timedelta(seconds=2))

        fetched = await world.ask()

        assert fetched.fetched_at == world.clock.at


class TestValues:
    async def test_that_are_missing_or_no_numbers_are_told_so_and_quarantined(self, world: World) -> None:
        bars = steps(DAYS)
        bars[2] = (DAYS[2], None, None, None, None, None)
        bars[4] = (DAYS[4], 104.0, float("inf"), 102.0, 105.0, 1.0)
        world.server.listed["AAPL"] = Listed(bars={"1d": bars})

        fetched = await world.ask()
        cleaned = clean(fetched, CALENDARS.sessions(instrument_for("AAPL")))

        assert fetched.rows.height == 8
        assert cleaned.quarantined["opened_at"].to_list() == [DAYS[2], DAYS[4]]
        assert cleaned.good.height == 6

    async def test_of_an_hour_that_lacks_make_no_four_hours(self, world: World) -> None:
        hours = [day + timedelta(hours=i) for day in DAYS[:2] for i in range(7)]
        bars = steps(hours)
        bars[1] = (hours[1], None, None, None, None, None)
        world.server.listed["AAPL"] = Listed(bars={"1h": bars, "1d": steps(DAYS)})

        rows = (await world.ask(interval=Interval.H4)).rows

        assert rows["opened_at"].to_list() == [hours[4], hours[7], hours[11]]
        assert rows.row(1)[1:6] == (107.0, 112.0, 105.0, 111.0, 1_007.0 + 1_008 + 1_009 + 1_010)

    async def test_of_half_hours_are_put_together_of_quarters(self, world: World) -> None:
        quarters = [DAYS[0] + timedelta(minutes=15 * i) for i in range(4)]
        world.server.listed["AAPL"] = Listed(bars={"15m": steps(quarters), "1d": steps(DAYS)})

        rows = (await world.ask(interval=Interval.M30)).rows

        assert rows["opened_at"].to_list() == quarters[::2]
        assert rows.row(0)[1:6] == (100.0, 103.0, 98.0, 102.0, 2_001.0)


class TestTheLibrary:
    async def test_keeps_its_files_in_the_data_folder_and_no_pickled_cookies(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)})

        await world.ask()

        assert cache._TzDBManager.get_location() == str(world.folder)
        assert type(cache.get_cookie_cache()).__name__ == "_CookieCacheDummy"
        assert not list(world.folder.rglob("*cookie*"))

    async def test_fetches_one_cookie_for_many_questions(self, world: World) -> None:
        world.server.listed["AAPL"] = Listed(bars={"1d": steps(DAYS)})

        for _ in range(3):
            await world.ask()

        assert world.server.asked.count("/") == 1

    async def test_asks_yahoos_own_hosts_at_its_own_address(self, tmp_path: Path) -> None:
        seen: list[str] = []
        wire = YahooWire(yahoo_wire.REAL, folder=tmp_path)

        def sent(method: str, url: str, **parts: Any) -> Any:
            seen.append(f"{method} {url} {parts['timeout']}")
            raise ConnectionError

        wire._door._send = sent
        with pytest.raises(ConnectionError):
            wire._door.request("GET", "https://fc.yahoo.com", timeout=30)
        with pytest.raises(NotCovered, match="not Yahoo"):
            wire._door.request("GET", "https://markets.example/ajax?q=1")

        assert seen == ["GET https://fc.yahoo.com 10.0"]

    async def test_does_not_hold_the_loop_up(self, world: World) -> None:
        world.server.listed |= {name: Listed(bars={"1d": steps(DAYS)}) for name in ("AAPL", "MSFT", "IBM", "GE", "F")}

        answers = await asyncio.gather(*(world.ask(name) for name in world.server.listed))

        assert pl.concat([answer.rows for answer in answers]).height == 40
