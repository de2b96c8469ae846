"""Public bars of exchanges through ccxt, over real HTTP from a local server that speaks Binance's protocol."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.ccxt import CcxtSource, _moved
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered
from evil2root.domain.market.cleaning import clean
from tests.fakes.sources import SteppedClock
from tests.servers.binance_data import BinanceData, candle
from tests.servers.serving import served

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
MONDAY = datetime(2024, 6, 10, tzinfo=UTC)
SESSIONS = ExchangeCalendars().sessions(instrument_for("BTC-USDT"))
DAYS = [candle(MONDAY + timedelta(days=n), 100.0 + n) for n in range(5)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[BinanceData, str]]:
    server = BinanceData()
    async with served(server) as address:
        yield server, address


@pytest.fixture
def server(running: tuple[BinanceData, str]) -> BinanceData:
    running[0].forget()
    return running[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def source(running: tuple[BinanceData, str]) -> AsyncIterator[CcxtSource]:
    made = CcxtSource("binance", clock=SteppedClock(NOW), base_url=running[1], paced=False)
    yield made
    await made.close()


class TestBars:
    async def test_are_told_and_the_running_one_is_never_stored(self, server: BinanceData, source: CcxtSource) -> None:
        server.candles["BTCUSDT", "1d"] = DAYS

        fetched = await source.bars("BTC-USDT", Interval.D1, start=MONDAY, end=NOW)
        cleaned = clean(fetched, SESSIONS)

        assert (fetched.source, fetched.currency) == ("ccxt:binance", "USDT")
        assert cleaned.is_clean
        assert cleaned.good["close"].to_list() == [100.0, 101.0, 102.0, 103.0]
        assert cleaned.good["volume"].to_list() == [12.5] * 4
        assert cleaned.incomplete["close"].to_list() == [104.0]

    async def test_are_followed_page_by_page_and_each_told_once(self, server: BinanceData, source: CcxtSource) -> None:
        minutes = [
            candle(MONDAY + timedelta(minutes=n), 100.0 + n % 7, length=timedelta(minutes=1)) for n in range(2_500)
        ]
        server.candles["BTCUSDT", "1m"] = minutes

        fetched = await source.bars("BTC-USDT", Interval.M1, start=MONDAY, end=MONDAY + timedelta(minutes=2_300))

        assert fetched.rows.height == fetched.rows["opened_at"].n_unique() == 2_300
        assert sum(path.endswith("klines") for path, _ in server.asked) == 3

    async def test_of_a_market_are_looked_up_once(self, running: tuple[BinanceData, str], server: BinanceData) -> None:
        source = CcxtSource("binance", clock=SteppedClock(NOW), base_url=running[1], paced=False)

        for symbol in ("BTC-USDT", "BTC-USDT", "ETH-USDT", "BTC-USDT"):
            await source.bars(symbol, Interval.H1, start=MONDAY, end=NOW)

        assert [a["symbol"] for path, a in server.asked if path.endswith("exchangeInfo")] == ["BTCUSDT", "ETHUSDT"]
        await source.close()

    @pytest.mark.parametrize("symbol", ["AAPL", "EURUSD=X", "DOGE-USDT"])
    async def test_of_what_the_exchange_has_not_are_another_sources(self, source: CcxtSource, symbol: str) -> None:
        with pytest.raises(NotCovered):
            await source.bars(symbol, Interval.D1, start=MONDAY, end=NOW)


class TestWhatMayComeInstead:
    @pytest.mark.parametrize(
        ("place", "value"),
        [(4, None), (4, True), (4, "NaN"), (4, "Infinity"), (4, "1_000"), (4, "one"), (4, []), (4, {}), (4, float("nan")),
         (4, ""), (4, "-1"), (4, "٣"), (1, "NaN"), (2, "NaN"), (3, "NaN"), (5, "NaN")],
    )  # fmt: skip
    async def test_a_value_that_is_no_number_spoils_its_row_alone(
        self, server: BinanceData, source: CcxtSource, place: int, value: Any
    ) -> None:
        row = list(DAYS[2])
        row[place] = value
        server.candles["BTCUSDT", "1d"] = [*DAYS[:2], row, *DAYS[3:]]

        cleaned = clean(await source.bars("BTC-USDT", Interval.D1, start=MONDAY, end=NOW), SESSIONS)

        assert cleaned.good["close"].to_list() == [100.0, 101.0, 103.0]
        assert cleaned.quarantined.height == 1

    @pytest.mark.parametrize("row", [None, 7, "x", [], {}, ["x"], [None] * 12, [True], [[]], [10**30, *DAYS[0][1:]]])
    async def test_a_row_that_is_no_row_is_quarantined_and_the_others_stay(
        self, server: BinanceData, source: CcxtSource, row: Any
    ) -> None:
        server.candles["BTCUSDT", "1d"] = [*DAYS[:2], row, *DAYS[3:]]

        cleaned = clean(await source.bars("BTC-USDT", Interval.D1, start=MONDAY, end=NOW), SESSIONS)

        assert cleaned.good["close"].to_list() == [100.0, 101.0, 103.0]
        assert cleaned.quarantined["reason"].to_list() == ["time"]

    async def test_a_bar_of_the_future_is_told_and_ends_no_paging(
        self, server: BinanceData, source: CcxtSource
    ) -> None:
        server.candles["BTCUSDT", "1d"] = [DAYS[0], candle(NOW + timedelta(days=400)), *DAYS[1:]]
        server.page_most = 2

        cleaned = clean(await source.bars("BTC-USDT", Interval.D1, start=MONDAY, end=NOW), SESSIONS)

        assert set(cleaned.quarantined["reason"].to_list()) == {"future"}

    @pytest.mark.parametrize(
        "kind", ["cut", "html", "html_but_fine", "error", "truncated", "empty", "null", "number", "text", "object", "deep",
                 "bomb", "endless", "moved", "forbidden", "no_content"]
    )  # fmt: skip
    async def test_no_bars_and_a_reason_come_of_it(self, server: BinanceData, source: CcxtSource, kind: str) -> None:
        server.candles["BTCUSDT", "1d"] = DAYS
        server.faults.planned.append(kind)

        with pytest.raises(BarsUnavailable, match="ccxt:binance") as said:
            await source.bars("BTC-USDT", Interval.D1, start=MONDAY, end=NOW)

        assert not isinstance(said.value, NotCovered)
        assert (await source.bars("BTC-USDT", Interval.D1, start=MONDAY, end=NOW)).rows.height == 5

    @pytest.mark.parametrize("kind", ["busy", "banned"])
    async def test_being_asked_too_often_says_for_how_long(
        self, server: BinanceData, source: CcxtSource, kind: str
    ) -> None:
        server.faults.retry_after = "120"
        server.faults.planned.append(kind)

        with pytest.raises(AskedTooOften) as said:
            await source.bars("BTC-USDT", Interval.D1, start=MONDAY, end=NOW)

        assert said.value.retry_after_s == 120


class TestExchanges:
    @pytest.mark.parametrize("name", ["nosuch", "Exchange", "__class__"])
    async def test_that_ccxt_does_not_know_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="knows no exchange"):
            CcxtSource(name, clock=SteppedClock(NOW))

    @pytest.mark.parametrize("name", ["kraken", "okx", "bybit", "coinbase", "kucoin", "bitstamp"])
    async def test_can_all_be_had_at_another_address(self, name: str) -> None:
        source = CcxtSource(name, clock=SteppedClock(NOW), base_url="http://127.0.0.1:9", paced=False)

        with pytest.raises(BarsUnavailable, match="ConnectError"):
            await source.bars("BTC-USDT", Interval.D1, start=MONDAY, end=NOW)

        await source.close()

    async def test_keep_their_paths_there(self) -> None:
        at = {"public": "https://api.{hostname}/v5", "more": {"v1": "https://x.example/v1"}}

        assert _moved(at, "http://gate:80/cx/") == {
            "public": "http://gate:80/cx/v5",
            "more": {"v1": "http://gate:80/cx/v1"},
        }
