"""Bars from Tiingo, over real HTTP from a local server that speaks its protocol."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.tiingo import TiingoSource
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered
from evil2root.domain.market.cleaning import clean
from tests.fakes.sources import SteppedClock
from tests.servers.serving import served
from tests.servers.tiingo import KEY, TiingoServer, bar, day

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
START = datetime(2024, 6, 10, 13, 30, tzinfo=UTC)
MONDAY = date(2024, 6, 10)
CALENDARS = ExchangeCalendars()
SESSIONS = CALENDARS.sessions(instrument_for("AAPL"))
DAYS = [day(MONDAY + timedelta(days=n), 100.0 + n) for n in range(5)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[TiingoServer, str]]:
    server = TiingoServer()
    async with served(server) as address:
        yield server, address


@pytest.fixture
def server(running: tuple[TiingoServer, str]) -> TiingoServer:
    running[0].forget()
    return running[0]


@pytest_asyncio.fixture(loop_scope="module")
async def source(running: tuple[TiingoServer, str]) -> AsyncIterator[TiingoSource]:
    made = TiingoSource(running[1], SecretStr(KEY), clock=SteppedClock(NOW), calendars=CALENDARS)  # fmt: skip
    yield made
    await made.close()


class TestDays:
    async def test_are_told_raw_with_the_factor_of_their_adjusted_close(
        self, server: TiingoServer, source: TiingoSource
    ) -> None:
        server.days["AAPL"] = [
            *(day(MONDAY + timedelta(days=n), 100.0 + n, adjusted=(100.0 + n) * 0.099) for n in range(3)),
            day(MONDAY + timedelta(days=3), 10.3, splitFactor=10.0), day(MONDAY + timedelta(days=4), 10.4),
        ]  # fmt: skip

        fetched = await source.bars("AAPL", Interval.D1, start=START, end=NOW)

        assert fetched.rows["close"].to_list() == [100.0, 101.0, 102.0, 10.3, 10.4]
        assert fetched.rows["factor"].to_list() == pytest.approx([0.099, 0.099, 0.099, 1.0, 1.0])
        assert fetched.splits == ((datetime(2024, 6, 13, tzinfo=UTC), 10.0),)
        cleaned = clean(fetched, SESSIONS)
        assert (cleaned.good.height, cleaned.good["opened_at"][0]) == (5, START)

    async def test_of_a_class_of_shares_are_asked_for_by_tiingos_name(
        self, server: TiingoServer, source: TiingoSource
    ) -> None:
        server.days["BRK-B"] = DAYS

        assert (await source.bars("BRK.B", Interval.D1, start=START, end=NOW)).rows.height == 5

    @pytest.mark.parametrize("symbol", ["EURUSD=X", "SAP.DE", "BTC-USD", "NOSUCH"])
    async def test_of_what_tiingo_has_not_are_another_sources(
        self, server: TiingoServer, source: TiingoSource, symbol: str
    ) -> None:
        server.days["AAPL"] = DAYS

        with pytest.raises(NotCovered):
            await source.bars(symbol, Interval.D1, start=START, end=NOW)


class TestShortBars:
    async def test_take_the_factor_of_their_day_and_none_while_it_is_not_over(
        self, server: TiingoServer, source: TiingoSource
    ) -> None:
        server.days["AAPL"] = [day(MONDAY + timedelta(days=n), 100.0, adjusted=99.0) for n in range(4)]
        server.bars["AAPL", "30min"] = [bar(START + timedelta(days=n), 100.0 + n) for n in range(5)]

        fetched = await source.bars("AAPL", Interval.M30, start=START, end=NOW)

        assert fetched.rows["factor"].to_list() == pytest.approx([0.99, 0.99, 0.99, 0.99, None])

    async def test_ask_for_factors_once_a_day(self, server: TiingoServer, source: TiingoSource) -> None:
        server.days["AAPL"] = DAYS
        server.bars["AAPL", "5min"] = [bar(START, 100.0)]

        for _ in range(3):
            await source.bars("AAPL", Interval.M5, start=START, end=NOW)

        assert [path for path, _ in server.asked] == ["/tiingo/daily/AAPL/prices", *["/iex/AAPL/prices"] * 3]

    async def test_of_a_long_span_are_asked_for_in_parts(self, server: TiingoServer, source: TiingoSource) -> None:
        server.days["AAPL"] = DAYS

        await source.bars("AAPL", Interval.M1, start=START - timedelta(days=40), end=NOW)

        spans = [(a["startDate"], a["endDate"]) for path, a in server.asked if path.startswith("/iex")]
        assert len(spans) > 3
        assert spans[0][0] == "2024-05-01"
        assert spans[-1][1] == "2024-06-14"

    async def test_of_hours_count_from_the_opening(self, server: TiingoServer, source: TiingoSource) -> None:
        server.days["AAPL"] = DAYS
        server.bars["AAPL", "30min"] = [bar(START + timedelta(minutes=30 * n), 100.0 + n) for n in range(13)]

        fetched = await source.bars("AAPL", Interval.H4, start=START, end=NOW)

        assert fetched.rows["opened_at"].to_list() == [START, START + timedelta(hours=4)]
        assert fetched.rows["close"].to_list() == [107.0, 112.0]


class TestWhatMayComeInstead:
    @pytest.mark.parametrize("name", ["open", "high", "low", "close"])
    @pytest.mark.parametrize("value", ["100.0", None, True, "NaN", float("nan"), float("inf"), -1.0, 0.0])
    async def test_a_value_that_is_no_price_spoils_its_row_alone(
        self, server: TiingoServer, source: TiingoSource, name: str, value: Any
    ) -> None:
        server.days["AAPL"] = [*DAYS[:2], DAYS[2] | {name: value}, *DAYS[3:]]

        cleaned = clean(await source.bars("AAPL", Interval.D1, start=START, end=NOW), SESSIONS)

        assert cleaned.good["close"].to_list() == [100.0, 101.0, 103.0, 104.0]
        assert cleaned.quarantined.height == 1

    @pytest.mark.parametrize("value", ["x", None, 0.0, -1.0, float("nan"), 1e300])
    async def test_a_factor_that_is_none_is_not_believed(
        self, server: TiingoServer, source: TiingoSource, value: Any
    ) -> None:
        server.days["AAPL"] = [*DAYS[:4], DAYS[4] | {"adjClose": value}]

        cleaned = clean(await source.bars("AAPL", Interval.D1, start=START, end=NOW), SESSIONS)

        assert set(cleaned.good["factor"].to_list()) == {1.0}

    @pytest.mark.parametrize(
        "kind",
        ["cut", "html", "error", "truncated", "empty", "null", "text", "object", "deep", "bomb", "endless"],
    )
    async def test_no_bars_and_a_reason_come_of_it(self, server: TiingoServer, source: TiingoSource, kind: str) -> None:
        server.days["AAPL"] = DAYS
        server.faults.planned.append(kind)

        with pytest.raises(BarsUnavailable, match="Tiingo") as said:
            await source.bars("AAPL", Interval.D1, start=START, end=NOW)

        assert not isinstance(said.value, NotCovered)
        assert (await source.bars("AAPL", Interval.D1, start=START, end=NOW)).rows.height == 5

    async def test_a_key_that_is_not_taken_is_no_missing_symbol_and_not_shown(
        self, running: tuple[TiingoServer, str]
    ) -> None:
        other = TiingoSource(running[1], SecretStr("other-token"), clock=SteppedClock(NOW), calendars=CALENDARS)

        with pytest.raises(BarsUnavailable, match="Invalid token") as said:
            await other.bars("AAPL", Interval.D1, start=START, end=NOW)

        assert not isinstance(said.value, NotCovered)
        assert "other-token" not in str(said.value)
        await other.close()

    async def test_being_asked_too_often_says_for_how_long(self, server: TiingoServer, source: TiingoSource) -> None:
        server.faults.raw.append((429, b'{"detail": "Error: You have run over your hourly request allocation."}',
                                  {"Retry-After": "1800"}))  # fmt: skip

        with pytest.raises(AskedTooOften, match="hourly") as said:
            await source.bars("AAPL", Interval.D1, start=START, end=NOW)

        assert said.value.retry_after_s == 1800
